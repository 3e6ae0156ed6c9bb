//! One event's way: from the bytes on the wire to the bot's reply, and into the record.
//!
//! A run belongs to its event, not to its connection: when the caller leaves, the run goes on to its end and is recorded.
//! An event that still waits for a permit then is forgotten, for nothing of it has run; one that may be delivered again goes on.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request};
use hyper::body::Body;
use jiff::Timestamp;
use model::{BotBreak, Cause, Event, Run, RunId};
use sandbox::Prepared;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::afterwards::{Afterwards, Finished};
use super::answer::{self, Answer, Refusal};
use super::once;
use super::route::Target;
use super::signature::{SignatureError, Verifier};
use super::{forwarded, media_type};
use crate::admission::Permit;
use crate::directory::Live;
use crate::listen::{BodyError, read_body};
use crate::state::State;
use crate::traces::Trace;

/// The front door of one worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

pub(super) struct Inner {
    pub(super) state: Arc<State>,
    body_timeout: Duration,
    /// What verifies events for nodes that don't exist, so that they take as long as the others.
    decoy: Verifier,
    pub(super) runs: TaskTracker,
    cancelled: CancellationToken,
    pub(super) afterwards: Afterwards,
}

/// An event that is about to run, or to be told why it cannot.
pub(super) struct Arrival {
    pub(super) id: RunId,
    started_at: Timestamp,
    live: Arc<Live>,
    event_bytes: u64,
    /// Where events are traced.
    trace: Option<Box<Trace>>,
}

/// Why an event does not run now, and when it is worth coming back.
pub(super) struct TurnedAway {
    broken: BotBreak,
    retry_after: Duration,
}

impl Door {
    /// The door of the worker whose runtime this is called on. `cancelled` ends every run that is under way.
    pub(crate) fn new(
        state: Arc<State>,
        body_timeout: Duration,
        runs: TaskTracker,
        cancelled: CancellationToken,
    ) -> Self {
        let afterwards = Afterwards::begin(Arc::clone(&state), &runs);
        Self(Arc::new(Inner { state, body_timeout, decoy: Verifier::decoy(), runs, cancelled, afterwards }))
    }

    /// Answers one message. It never fails: what goes wrong is an answer too.
    pub(crate) async fn receive<B>(self, request: Request<B>) -> Result<Answer, Infallible>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        match self.0.accept(request).await {
            Ok(answer) => Ok(answer),
            Err(refusal) => {
                self.0.state.refusals.count(refusal.reason());
                debug!(%refusal, "a message was refused");
                Ok(refusal.into())
            }
        }
    }
}

impl Inner {
    async fn accept<B>(self: &Arc<Self>, request: Request<B>) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let received_at = self.state.traces.now();
        let (head, body) = request.into_parts();
        let (live, body_bytes) = self.find(head.uri.path())?;
        if head.method == Method::GET {
            return Ok(answer::probed());
        }
        if head.method != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        media_type::check(&head.headers)?;
        let body = read_body(body, body_bytes, self.body_timeout).await?;
        let verifier = live.as_ref().map_or(&self.decoy, |live| &live.verifier);
        let verified = verifier.verify(&head.headers, &body, SystemTime::now());
        // Only here does it matter that there is no such node: until now all took the same way.
        let (verified, live) = match (verified, live) {
            (Ok(verified), Some(live)) => (verified, live),
            (Err(SignatureError::Duplicate), _) => return Err(Refusal::DuplicateSignature),
            (Ok(_), None) | (Err(SignatureError::Wrong), _) => return Err(Refusal::Unauthorized),
        };
        let event_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if event_bytes > live.limits.event_bytes {
            return Err(Refusal::TooLarge);
        }
        let delivery = once::delivery(&live, verified, &body, self.state.deliveries.keep_time());
        let id = RunId::fresh();
        let event = Event::parse(body.into())?;
        let event = match &live.code {
            Some(code) if code.takes_requests() => event.with_headers(forwarded::headers(&head.headers)),
            Some(code) if code.is_source() => event.of_run(id, live.node.clone()),
            Some(_) | None => event,
        };
        let trace = received_at.and_then(|at| self.state.traces.begin(at, &head.headers));
        let arrival = Arrival { id, started_at: Timestamp::now(), live, event_bytes, trace };
        Ok(match delivery {
            None => self.run(arrival, event).await,
            Some(delivery) => self.run_once(delivery, arrival, event).await,
        })
    }

    /// The node behind `path`, and how much of a body to read; for a node that doesn't exist the same as for all others.
    fn find(&self, path: &str) -> Result<(Option<Arc<Live>>, usize), Refusal> {
        let target = Target::of(path).ok_or(Refusal::NotFound)?;
        let directory = self.state.directory.load();
        let live = directory.find(&target.tenant, &target.node).cloned();
        if live.is_none() && !target.is_possible() {
            return Err(Refusal::NotFound);
        }
        Ok((live, usize::try_from(directory.body_bytes()).unwrap_or(usize::MAX)))
    }

    async fn run(self: &Arc<Self>, arrival: Arrival, event: Event) -> Answer {
        let (code, permit) = match self.admit(&arrival).await {
            Ok(admitted) => admitted,
            Err(why) => return self.turn_away(arrival, why),
        };
        let mut run = Box::pin(Arc::clone(self).execute(code, permit, arrival, event));
        // Nearly every run ends within its first slice, and needs no task of its own.
        if let Poll::Ready((answer, finished)) = poll_fn(|context| Poll::Ready(run.as_mut().poll(context))).await {
            self.afterwards.take(finished);
            return answer;
        }
        let (sender, receiver) = oneshot::channel();
        let inner = Arc::clone(self);
        self.runs.spawn(async move {
            let (answer, finished) = run.await;
            let caller_left = sender.send(answer).is_err();
            inner.afterwards.take(Finished { caller_left, ..finished });
        });
        // The task always sends; only a runtime that is going down drops it, and then nobody reads this.
        receiver.await.unwrap_or_else(|_| answer::internal())
    }

    /// The code that runs, and the right to run it now.
    pub(super) async fn admit(&self, arrival: &Arrival) -> Result<(Arc<Prepared>, Permit), TurnedAway> {
        let Some(code) = arrival.live.code.clone() else {
            let detail = "the node has no artifact that can run; see the node's problems";
            let broken = BotBreak::new(Cause::Unavailable, detail);
            return Err(TurnedAway { broken, retry_after: self.state.gate.retry_after() });
        };
        match self.state.gate.admit(&arrival.live.share).await {
            Ok(permit) => Ok((code, permit)),
            Err(full) => {
                let retry_after = full.retry_after(&self.state.gate);
                Err(TurnedAway { broken: BotBreak::new(full.cause(), full.to_string()), retry_after })
            }
        }
    }

    /// The run, its answer, and what is left to do after it.
    pub(super) async fn execute(
        self: Arc<Self>,
        code: Arc<Prepared>,
        permit: Permit,
        mut arrival: Arrival,
        event: Event,
    ) -> (Answer, Finished) {
        let waited = Some(permit.waited());
        if let Some(trace) = &mut arrival.trace {
            trace.admitted();
        }
        let run = contained(&self, &code, &event, &arrival.live).await;
        arrival.live.share.charge(run.usage.cpu_time);
        drop(permit);
        conclude(arrival, run, waited, self.state.gate.retry_after())
    }

    /// Answers and records a run that never began.
    pub(super) fn turn_away(&self, arrival: Arrival, why: TurnedAway) -> Answer {
        let run = Run::never_began(why.broken, arrival.event_bytes);
        let (answer, finished) = conclude(arrival, run, None, why.retry_after);
        self.afterwards.take(finished);
        answer
    }
}

/// The answer to a run, and what is left to do after it.
fn conclude(arrival: Arrival, run: Run, waited: Option<Duration>, retry_after: Duration) -> (Answer, Finished) {
    let Arrival { id, started_at, live, mut trace, .. } = arrival;
    let answer = answer::of_run(id, &run.outcome, &live.on_break, retry_after);
    if let Some(trace) = &mut trace {
        trace.answered(answer.status());
    }
    (answer, Finished { id, started_at, live, run, waited, caller_left: false, trace })
}

/// Runs the handler; a panic of ours stays within the run and becomes its outcome.
async fn contained(inner: &Inner, code: &Prepared, event: &Event, live: &Live) -> Run {
    let mut run = pin!(inner.state.sandbox.run(code, event, &live.limits, &live.grants, &inner.cancelled));
    let run = poll_fn(|context| {
        // After a panic the future is never polled again, so nobody sees what it left behind.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    });
    run.await.unwrap_or_else(|| {
        let broken = BotBreak::new(Cause::Internal, "codenode failed while it ran this handler");
        Run::never_began(broken, u64::try_from(event.as_str().len()).unwrap_or(u64::MAX))
    })
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TimedOut => Self::TooSlow,
            BodyError::Broken => Self::Broken,
        }
    }
}
