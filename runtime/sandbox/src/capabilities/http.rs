//! Outbound HTTP: what may leave, how much of it, and what the record says of it.
//!
//! `wasmtime-wasi-http` keeps the guest's resources. Every request passes through [`Outbound::send`], which asks the grants, counts the bytes
//! and keeps the deadlines; it knows neither names nor addresses, which are the embedder's.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method as AnyMethod, Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use model::{HttpCall, Limits, Method};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use url::Url;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, IoError};
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx,
    WasiHttpHooks,
};

use crate::egress::{Fault, ResponseBody};
use crate::failure::Stop;
use crate::grants::{Granted, Grants};
use crate::host::Host;
use crate::pace::Pace;

/// What guests of any 0.2 are linked to.
const OUTGOING_HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
const TYPES: &str = "wasi:http/types@0.2.12";

/// Requests of one run that wait for their response at once; more wait for their turn.
const IN_FLIGHT: usize = 6;

/// The longest URL.
const MAX_URL_BYTES: usize = 8 << 10;

/// The most that the headers of one message may take, with what they cost in memory.
const MAX_FIELD_BYTES: usize = 32 << 10;

/// What a guest hands over of a body at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The longest method, path and origin in a record.
const SHOWN_METHOD_BYTES: usize = 16;
const SHOWN_PATH_BYTES: usize = 256;
const SHOWN_ORIGIN_BYTES: usize = 300;

/// Headers that say how a message is framed or forwarded, besides those that `wasmtime-wasi-http` forbids itself: they are ours.
const OURS: [HeaderName; 5] = [header::EXPECT, header::FORWARDED, header::TE, header::TRAILER, header::VIA];

/// A run's side of `wasi:http`, made at its first call.
pub(crate) struct Http {
    pub(crate) context: WasiHttpCtx,
    pub(crate) outbound: Outbound,
}

/// The requests of one run, shared with the tasks that carry them out.
#[derive(Clone)]
pub(crate) struct Outbound(Arc<Inner>);

struct Inner {
    granted: Option<Arc<Granted>>,
    request_bytes: u64,
    response_bytes: u64,
    pace: Arc<Pace>,
    /// When the run must be over.
    deadline: Instant,
    in_flight: Semaphore,
    ledger: Mutex<Ledger>,
}

/// What was asked for so far.
#[derive(Default)]
struct Ledger {
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

/// Why a request is not sent: what the guest is told, and what the record says.
struct Refusal(Error, String);

/// A call's place in the ledger. It is over when this is dropped.
struct Entry {
    inner: Arc<Inner>,
    at: usize,
}

impl Http {
    pub(crate) fn new(grants: &Grants, limits: &Limits, pace: &Arc<Pace>) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(MAX_FIELD_BYTES);
        let rest = limits.wall_time.saturating_sub(pace.wall_time());
        let inner = Inner {
            granted: grants.granted().cloned(),
            request_bytes: limits.http_request_bytes,
            response_bytes: limits.http_response_bytes,
            pace: Arc::clone(pace),
            deadline: Instant::now() + rest,
            in_flight: Semaphore::new(IN_FLIGHT),
            ledger: Mutex::default(),
        };
        Self { context, outbound: Outbound(Arc::new(inner)) }
    }

    /// Counts one more request, made or not.
    fn count(&self) -> u64 {
        let mut ledger = self.outbound.0.ledger();
        ledger.sent.calls += 1;
        ledger.sent.calls
    }

    /// Whether a request did not get a good answer: none at all, or one that says that the server failed.
    pub(crate) fn has_failed_call(&self) -> bool {
        let has_failed = |call: &HttpCall| call.failed.is_some() || call.status.is_some_and(|status| status >= 500);
        self.outbound.0.ledger().calls.iter().any(|line| has_failed(&line.call))
    }

    /// Every request so far, and what they came to. Those that are still under way end here.
    pub(crate) fn finish(&self) -> (Vec<HttpCall>, Sent) {
        let now = self.outbound.0.pace.wall_time();
        let mut ledger = self.outbound.0.ledger();
        for line in ledger.calls.iter_mut().filter(|line| !line.is_over) {
            line.is_over = true;
            line.call.wall_time = now.saturating_sub(line.call.after);
            line.call.failed.get_or_insert_with(|| "the run was over before the response was".to_owned());
        }
        (ledger.calls.iter().map(|line| line.call.clone()).collect(), ledger.sent)
    }
}

/// `wasi:http/types` and `wasi:http/outgoing-handler`.
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, WasiHttp>(linker, &types::LinkOptions::default(), Host::wasi_http)?;
    linker.instance(OUTGOING_HANDLER)?.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, Host>, (request, options)| {
            let host = store.data_mut();
            // Only here can a run be ended that asks too often: what is spawned behind it can only fail.
            if host.http().count() > host.limits.http_calls {
                return Err(Stop::TooManyHttpCalls.into());
            }
            match outgoing_handler::Host::handle(&mut host.wasi_http(), request, options) {
                Ok(response) => Ok((Ok(response),)),
                Err(error) => Ok((Err(error.downcast()?),)),
            }
        },
    )?;
    // wasmtime-wasi-http 48 looks for a code in a body's error, which has none but is an `Error`: guests would never hear why a body ended.
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", |mut store: StoreContextMut<'_, Host>, (error,)| {
        let view = store.data_mut().wasi_http();
        let error: &IoError = view.table.get::<IoError>(&error)?;
        let of_body = error.downcast_ref::<Error>().map(body_error_code);
        Ok((of_body.or_else(|| error.downcast_ref::<ErrorCode>().cloned()),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What a guest is told of the end of a body.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "these are the errors that our bodies end with; the enum is non-exhaustive"
)]
fn body_error_code(error: &Error) -> ErrorCode {
    match error {
        Error::HttpResponseBodySize(limit) => ErrorCode::HttpResponseBodySize(*limit),
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        _ => ErrorCode::HttpProtocolError,
    }
}

impl WasiHttpHooks for Outbound {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || OURS.contains(name))
    }

    /// The client sets it, from the very URL that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let outbound = self.clone();
        Box::new(async move {
            let response = outbound.send(request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

/// What goes on beside the response; with us nothing does.
type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl Outbound {
    async fn send(self, request: Request<WasiBody>, options: RequestOptions) -> Result<Response<WasiBody>, Error> {
        let (mut head, body) = request.into_parts();
        let url = url(&head.uri);
        let entry = self.note(&head.method, &head.uri, url.as_ref().ok());
        let (uri, granted) = match url.and_then(|url| self.admit(&head.method, &url)) {
            Ok(admitted) => admitted,
            Err(Refusal(error, why)) => {
                entry.call(|call| call.refused = Some(why));
                return Err(error);
            }
        };
        head.uri = uri;
        let entry = Arc::new(entry);
        // Until the response begins: a guest that still sends its seventh request has read none of the others. Nothing closes the semaphore; were
        // it closed, there would only be no bound.
        let turn = self.0.in_flight.acquire().await;
        let rest = self.patience();
        let first_byte = options.first_byte_timeout.map_or(rest, |asked| asked.min(rest));
        let idle = options.between_bytes_timeout.map_or(rest, |asked| asked.min(rest));
        let body = SentBody { body, entry: Arc::clone(&entry) };
        let sending = granted.egress.send(Request::from_parts(head, body.boxed_unsync()));
        let response = match tokio::time::timeout(first_byte, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.fault == Fault::AddressForbidden => {
                entry.call(|call| call.refused = Some(error.detail));
                return Err(guest_error(error.fault));
            }
            // Our own error comes back as the connection's.
            Ok(Err(_)) if self.0.sends_too_much() => {
                return Err(Error::HttpRequestBodySize(Some(self.0.request_bytes)));
            }
            Ok(Err(error)) => return Err(entry.fail(guest_error(error.fault), error)),
            Err(_elapsed) => {
                let waited = humantime::format_duration(rounded(first_byte));
                return Err(entry.fail(Error::HttpResponseTimeout, format!("there was no response within {waited}")));
            }
        };
        drop(turn);
        entry.call(|call| call.status = Some(response.status().as_u16()));
        Ok(response.map(|body| {
            let silence = Box::pin(tokio::time::sleep(idle));
            ReceivedBody { body, entry, idle, silence }.boxed_unsync()
        }))
    }

    /// Whether this may be asked for at all; and the one form of its URL that was checked and is sent.
    fn admit(&self, method: &AnyMethod, url: &Url) -> Result<(Uri, Arc<Granted>), Refusal> {
        let Ok(method) = method.as_str().parse::<Method>() else {
            let why = format!("the method {} is not served", method.as_str().escape_debug());
            return Err(Refusal(Error::HttpRequestMethodInvalid, why));
        };
        let denied = |why: String| Refusal(Error::HttpRequestDenied, why);
        let grants = self.0.granted.iter().flat_map(|granted| &granted.http);
        let of_origin: Vec<_> = grants.filter(|grant| grant.is_origin_of(url)).collect();
        let origin = url.origin().ascii_serialization();
        if of_origin.is_empty() {
            return Err(denied(format!("{origin} is not granted: it takes the grant http:{origin}")));
        }
        if !of_origin.iter().any(|grant| grant.allows(method, url)) {
            return Err(denied(format!("{} is not granted for {origin}", method.name())));
        }
        let uri = url.as_str().parse();
        let uri = uri.map_err(|error| Refusal(Error::HttpRequestUriInvalid, format!("its URL is invalid: {error}")))?;
        let granted = self.0.granted.clone().ok_or_else(|| denied(format!("{origin} is not granted")))?;
        Ok((uri, granted))
    }

    /// The longest that anything is waited for now: a tenth of the rest is left to the guest, so that it can say that a service is slow.
    fn patience(&self) -> Duration {
        self.0.deadline.saturating_duration_since(Instant::now()).mul_f64(0.9)
    }

    fn note(&self, method: &AnyMethod, uri: &Uri, url: Option<&Url>) -> Entry {
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
            after: self.0.pace.wall_time(),
            wall_time: Duration::ZERO,
        };
        let mut ledger = self.0.ledger();
        ledger.calls.push(Line { call, is_over: false });
        Entry { inner: Arc::clone(&self.0), at: ledger.calls.len() - 1 }
    }
}

impl Inner {
    fn sends_too_much(&self) -> bool {
        self.ledger().sent.request_bytes > self.request_bytes
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn call(&self, change: impl FnOnce(&mut HttpCall)) {
        let mut ledger = self.inner.ledger();
        if let Some(line) = ledger.calls.get_mut(self.at).filter(|line| !line.is_over) {
            change(&mut line.call);
        }
    }

    /// Notes what went wrong, unless something did before.
    fn fail(&self, error: Error, why: impl Display) -> Error {
        self.call(|call| {
            call.failed.get_or_insert_with(|| why.to_string());
        });
        error
    }

    /// Counts bytes of a request's body, of which a run may send only so many.
    fn sent(&self, bytes: u64) -> Result<(), Error> {
        let mut ledger = self.inner.ledger();
        ledger.sent.request_bytes = ledger.sent.request_bytes.saturating_add(bytes);
        let is_too_much = ledger.sent.request_bytes > self.inner.request_bytes;
        drop(ledger);
        self.call(|call| call.request_bytes = call.request_bytes.saturating_add(bytes));
        let limit = self.inner.request_bytes;
        if is_too_much {
            Err(self.fail(Error::HttpRequestBodySize(Some(limit)), too_much("sends", limit)))
        } else {
            Ok(())
        }
    }

    /// The same for a response.
    fn received(&self, bytes: u64) -> Result<(), Error> {
        let mut ledger = self.inner.ledger();
        ledger.sent.response_bytes = ledger.sent.response_bytes.saturating_add(bytes);
        let is_too_much = ledger.sent.response_bytes > self.inner.response_bytes;
        drop(ledger);
        self.call(|call| call.response_bytes = call.response_bytes.saturating_add(bytes));
        let limit = self.inner.response_bytes;
        if is_too_much {
            Err(self.fail(Error::HttpResponseBodySize(Some(limit)), too_much("receives", limit)))
        } else {
            Ok(())
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let now = self.inner.pace.wall_time();
        let mut ledger = self.inner.ledger();
        if let Some(line) = ledger.calls.get_mut(self.at).filter(|line| !line.is_over) {
            line.call.wall_time = now.saturating_sub(line.call.after);
            line.is_over = true;
        }
    }
}

/// What a guest sends, counted.
struct SentBody {
    body: WasiBody,
    entry: Arc<Entry>,
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|error| self.entry.fail(error, "the handler did not finish its request"));
            let frame = frame.and_then(|frame| self.entry.sent(length(&frame)).map(|()| frame));
            frame.map_err(|error| error.to_string().into())
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a guest receives, counted, and not waited for longer than the run lasts.
struct ReceivedBody {
    body: ResponseBody,
    entry: Arc<Entry>,
    idle: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.silence.as_mut().poll(context));
            let why = format!("nothing more came for {}", humantime::format_duration(rounded(self.idle)));
            return Poll::Ready(Some(Err(self.entry.fail(Error::ConnectionReadTimeout, why))));
        };
        let next = Instant::now() + self.idle;
        self.silence.as_mut().reset(next);
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => self.entry.received(length(&frame)).map(|()| frame),
            Err(error) => Err(self.entry.fail(guest_error(error.fault), error)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The one reading of what a guest asks for.
fn url(uri: &Uri) -> Result<Url, Refusal> {
    let text = uri.to_string();
    if text.len() > MAX_URL_BYTES {
        let why = format!("its URL is longer than {}", bytesize::ByteSize(MAX_URL_BYTES as u64));
        return Err(Refusal(Error::HttpRequestUriTooLong, why));
    }
    let invalid = |why: String| Refusal(Error::HttpRequestUriInvalid, why);
    let url = Url::parse(&text).map_err(|error| invalid(format!("its URL is invalid: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("its URL holds a user name or a password".to_owned()));
    }
    if url.host().is_none() {
        return Err(invalid("its URL has no host".to_owned()));
    }
    Ok(url)
}

fn guest_error(fault: Fault) -> Error {
    let dns = |rcode: &str| Error::DnsError { rcode: Some(rcode.to_owned()), info_code: None };
    match fault {
        Fault::NameNotFound => dns("NXDOMAIN"),
        Fault::NameTimedOut => Error::DnsTimeout,
        Fault::AddressForbidden => Error::DestinationIpProhibited,
        Fault::ConnectionRefused => Error::ConnectionRefused,
        Fault::Unreachable => Error::DestinationUnavailable,
        Fault::ConnectTimedOut => Error::ConnectionTimeout,
        Fault::TooManyConnections => Error::ConnectionLimitReached,
        Fault::Certificate => Error::TlsCertificateError,
        Fault::Tls => Error::TlsProtocolError,
        Fault::Protocol => Error::HttpProtocolError,
        Fault::HeadersTooLarge => Error::HttpResponseHeaderSectionSize(None),
        Fault::Incomplete => Error::HttpResponseIncomplete,
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

fn too_much(does: &str, limit: u64) -> String {
    format!("the run {does} more than {} in all", bytesize::ByteSize(limit))
}

fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn cut(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    let kept = text.get(..end).unwrap_or_default();
    if end < text.len() { format!("{kept}…") } else { kept.to_owned() }
}
