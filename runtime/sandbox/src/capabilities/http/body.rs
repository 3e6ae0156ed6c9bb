//! The bodies on their way, counted; and what is received not waited for longer than the run lasts.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::ledger::{Entry, Side};
use super::{guest_error, shown};
use crate::egress::ResponseBody;

/// The most that is taken of a request that is not sent any more: as much as the largest `http_request` allows.
const MAX_DISCARDED_BYTES: u64 = 16 << 20;

/// What a guest sends. What nobody sends any more is taken all the same, and thrown away: a guest hears from its response why a request failed, and
/// the engines of some languages break if a write fails before they have asked for that.
pub(super) struct SentBody {
    rest: Arc<Mutex<Rest>>,
    entry: Arc<Entry>,
    /// When the run must be over.
    deadline: Instant,
}

/// What is left of it to send.
enum Rest {
    /// Whoever sends it has not asked for more since this moment; `None`: it is the guest who is waited for.
    Open(WasiBody, Option<Instant>),
    Over,
    GivenUp,
}

/// The same, for whoever does not send it: nobody polls a body that a service does not take.
pub(super) struct Unsent(Weak<Mutex<Rest>>, Instant);

/// What a guest receives.
pub(super) struct ReceivedBody {
    body: ResponseBody,
    entry: Arc<Entry>,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
}

/// How long a body is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// From one part of it to the next.
    pub(super) idle: Duration,
    /// Until its end.
    pub(super) total: Duration,
    /// When it must have ended.
    until: Instant,
}

impl Patience {
    pub(super) fn from_now(idle: Duration, total: Duration) -> Self {
        Self { idle, total, until: Instant::now() + total }
    }

    fn next(&self) -> Instant {
        self.until.min(Instant::now() + self.idle)
    }
}

impl ReceivedBody {
    pub(super) fn new(body: ResponseBody, entry: Arc<Entry>, patience: Patience) -> Self {
        Self { body, entry, patience, timer: Box::pin(tokio::time::sleep_until(patience.next())) }
    }

    fn timed_out(&self) -> Error {
        let Patience { idle, total, until } = self.patience;
        if Instant::now() < until {
            self.entry.fail(Error::ConnectionReadTimeout, format!("nothing more came for {}", shown(idle)))
        } else {
            let why = format!("the response was not over {} after it had begun", shown(total));
            self.entry.fail(Error::HttpResponseTimeout, why)
        }
    }
}

impl SentBody {
    pub(super) fn new(body: WasiBody, entry: &Arc<Entry>, deadline: Instant) -> Self {
        let rest = Arc::new(Mutex::new(Rest::Open(body, Some(Instant::now()))));
        Self { rest, entry: Arc::clone(entry), deadline }
    }

    pub(super) fn unsent(&self) -> Unsent {
        Unsent(Arc::downgrade(&self.rest), self.deadline)
    }
}

impl Unsent {
    /// For a service that has answered already: what it does not take in time is not sent, and a guest that is still at it goes on to the answer.
    pub(super) fn give_up_in_time(self, patience: Patience) {
        let Some(mut moment) = self.moment(patience) else { return };
        tokio::spawn(async move {
            loop {
                tokio::time::sleep_until(moment).await;
                match self.moment(patience) {
                    Some(later) if later > Instant::now() => moment = later,
                    Some(_) => return self.give_up(),
                    None => return,
                }
            }
        });
    }

    /// When to give up, while anything is left.
    fn moment(&self, patience: Patience) -> Option<Instant> {
        let rest = self.0.upgrade()?;
        match &*locked(&rest) {
            Rest::Open(_, Some(taken)) => Some(patience.until.min(*taken + patience.idle)),
            Rest::Open(_, None) => Some(patience.until.min(Instant::now() + patience.idle)),
            Rest::Over | Rest::GivenUp => None,
        }
    }

    fn give_up(&self) {
        if let Some(rest) = self.0.upgrade() {
            discard(&rest, self.1);
        }
    }
}

impl Drop for SentBody {
    fn drop(&mut self) {
        discard(&self.rest, self.deadline);
    }
}

/// Gives up what is left to send. Until the run is over the guest may go on to write it.
fn discard(rest: &Mutex<Rest>, deadline: Instant) {
    let Rest::Open(mut body, _) = mem::replace(&mut *locked(rest), Rest::GivenUp) else { return };
    // Outside of a runtime nobody writes any more.
    let Ok(runtime) = Handle::try_current() else { return };
    if body.is_end_stream() {
        return;
    }
    let discarding = async move {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += length(&frame);
            if discarded > MAX_DISCARDED_BYTES {
                return;
            }
        }
    };
    runtime.spawn(tokio::time::timeout_at(deadline, discarding));
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut rest = locked(&self.rest);
        let frame = match &mut *rest {
            Rest::Open(body, taken) => {
                *taken = None;
                let frame = ready!(Pin::new(body).poll_frame(context));
                *taken = Some(Instant::now());
                frame
            }
            Rest::Over => None,
            Rest::GivenUp => return Poll::Ready(Some(Err("the service did not take the whole request".into()))),
        };
        if frame.is_none() {
            *rest = Rest::Over;
        }
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|error| self.entry.fail(error, "the handler did not finish its request"));
            let frame = frame.and_then(|frame| self.entry.count(Side::Request, length(&frame)).map(|()| frame));
            frame.map_err(|error| error.to_string().into())
        }))
    }

    fn is_end_stream(&self) -> bool {
        match &*locked(&self.rest) {
            Rest::Open(body, _) => body.is_end_stream(),
            Rest::Over => true,
            Rest::GivenUp => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &*locked(&self.rest) {
            Rest::Open(body, _) => body.size_hint(),
            Rest::Over => SizeHint::with_exact(0),
            Rest::GivenUp => SizeHint::default(),
        }
    }
}

fn locked(rest: &Mutex<Rest>) -> MutexGuard<'_, Rest> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.timer.as_mut().poll(context));
            return Poll::Ready(Some(Err(self.timed_out())));
        };
        let next = self.patience.next();
        self.timer.as_mut().reset(next);
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => self.entry.count(Side::Response, length(&frame)).map(|()| frame),
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

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}
