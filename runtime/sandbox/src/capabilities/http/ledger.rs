//! What a run asked for over HTTP: one line a request for its record, and the bytes, of which a run may send and receive only so many.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, Uri};
use model::{HttpCall, Limits};
use url::Url;
use wasmtime_wasi_http::Error;

use crate::pace::Pace;

/// The longest method, path, origin and reason in a record.
const SHOWN_METHOD_BYTES: usize = 16;
const SHOWN_PATH_BYTES: usize = 256;
const SHOWN_ORIGIN_BYTES: usize = 300;
const SHOWN_REASON_BYTES: usize = 512;

/// The requests of one run, shared with the tasks that carry them out.
pub(super) struct Ledger {
    pace: Arc<Pace>,
    request_limit: u64,
    response_limit: u64,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    calls: Vec<Line>,
    sent: Sent,
}

struct Line {
    call: HttpCall,
    is_over: bool,
}

/// What a run sent and received, all its calls together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) calls: u64,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

/// A call's place in the ledger. It is over when this is dropped.
pub(super) struct Entry {
    ledger: Arc<Ledger>,
    at: usize,
    sends_too_much: AtomicBool,
}

/// Whose bytes are counted.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Request,
    Response,
}

impl Ledger {
    pub(super) fn new(limits: &Limits, pace: &Arc<Pace>) -> Arc<Self> {
        Arc::new(Self {
            pace: Arc::clone(pace),
            request_limit: limits.http_request_bytes,
            response_limit: limits.http_response_bytes,
            lines: Mutex::default(),
        })
    }

    /// Counts one more request, made or not.
    pub(super) fn count(&self) -> u64 {
        let mut lines = self.lines();
        lines.sent.calls += 1;
        lines.sent.calls
    }

    /// Opens a line for a request: what it asks for, without what may be secret.
    pub(super) fn note(self: &Arc<Self>, method: &Method, uri: &Uri, url: Option<&Url>) -> Entry {
        let shown = |text: &str, most: usize| cut(&text.escape_debug().to_string(), most);
        let origin = url.map_or_else(
            || format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default()),
            |url| url.origin().ascii_serialization(),
        );
        let call = HttpCall {
            method: shown(method.as_str(), SHOWN_METHOD_BYTES),
            origin: shown(&origin, SHOWN_ORIGIN_BYTES),
            path: shown(url.map_or_else(|| uri.path(), Url::path), SHOWN_PATH_BYTES),
            status: None,
            refused: None,
            failed: None,
            request_bytes: 0,
            response_bytes: 0,
            after: self.pace.wall_time(),
            wall_time: Duration::ZERO,
        };
        let mut lines = self.lines();
        lines.calls.push(Line { call, is_over: false });
        Entry { ledger: Arc::clone(self), at: lines.calls.len() - 1, sends_too_much: AtomicBool::new(false) }
    }

    /// Whether a request did not get a good answer: none at all, or one that says that the server failed.
    pub(super) fn has_failed_call(&self) -> bool {
        let has_failed = |call: &HttpCall| call.failed.is_some() || call.status.is_some_and(|status| status >= 500);
        self.lines().calls.iter().any(|line| has_failed(&line.call))
    }

    /// Every request so far, and what they came to. Those that are still under way end here.
    pub(super) fn finish(&self) -> (Vec<HttpCall>, Sent) {
        let now = self.pace.wall_time();
        let mut lines = self.lines();
        for line in lines.calls.iter_mut().filter(|line| !line.is_over) {
            line.call.failed.get_or_insert_with(|| "the run was over before the response was".to_owned());
            line.end(now);
        }
        (lines.calls.iter().map(|line| line.call.clone()).collect(), lines.sent)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    const fn end(&mut self, now: Duration) {
        self.call.wall_time = now.saturating_sub(self.call.after);
        self.is_over = true;
    }
}

impl Entry {
    /// The head of a response came.
    pub(super) fn answer(&self, status: u16) {
        self.call(|call| call.status = Some(status));
    }

    /// The request does not leave this host.
    pub(super) fn refuse(&self, why: &str) {
        self.call(|call| call.refused = Some(cut(why, SHOWN_REASON_BYTES)));
    }

    /// Notes what went wrong, unless something did before; the guest is told `error`.
    pub(super) fn fail(&self, error: Error, why: impl Display) -> Error {
        self.call(|call| {
            call.failed.get_or_insert_with(|| cut(&why.to_string(), SHOWN_REASON_BYTES));
        });
        error
    }

    /// Counts bytes of a body.
    pub(super) fn count(&self, side: Side, bytes: u64) -> Result<(), Error> {
        self.call(|call| *side.of_call(call) += bytes);
        let limit = side.limit(&self.ledger);
        let total = {
            let mut lines = self.ledger.lines();
            let total = side.of_run(&mut lines.sent);
            *total += bytes;
            *total
        };
        if total <= limit {
            return Ok(());
        }
        let too_much = |does: &str| format!("the run {does} more than {} in all", bytesize::ByteSize(limit));
        Err(match side {
            Side::Request => {
                self.sends_too_much.store(true, Ordering::Relaxed);
                self.fail(Error::HttpRequestBodySize(Some(limit)), too_much("sends"))
            }
            Side::Response => self.fail(Error::HttpResponseBodySize(Some(limit)), too_much("receives")),
        })
    }

    /// What the guest is told of a request that ended because it sent too much: on its way back the error was taken for the connection's.
    pub(super) fn sent_too_much(&self) -> Option<Error> {
        let limit = self.ledger.request_limit;
        self.sends_too_much.load(Ordering::Relaxed).then_some(Error::HttpRequestBodySize(Some(limit)))
    }

    fn call(&self, change: impl FnOnce(&mut HttpCall)) {
        let mut lines = self.ledger.lines();
        if let Some(line) = lines.calls.get_mut(self.at).filter(|line| !line.is_over) {
            change(&mut line.call);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let now = self.ledger.pace.wall_time();
        if let Some(line) = self.ledger.lines().calls.get_mut(self.at).filter(|line| !line.is_over) {
            line.end(now);
        }
    }
}

impl Side {
    const fn of_call(self, call: &mut HttpCall) -> &mut u64 {
        match self {
            Self::Request => &mut call.request_bytes,
            Self::Response => &mut call.response_bytes,
        }
    }

    const fn of_run(self, sent: &mut Sent) -> &mut u64 {
        match self {
            Self::Request => &mut sent.request_bytes,
            Self::Response => &mut sent.response_bytes,
        }
    }

    const fn limit(self, ledger: &Ledger) -> u64 {
        match self {
            Self::Request => ledger.request_limit,
            Self::Response => ledger.response_limit,
        }
    }
}

fn cut(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    let kept = text.get(..end).unwrap_or_default();
    if end < text.len() { format!("{kept}…") } else { kept.to_owned() }
}
