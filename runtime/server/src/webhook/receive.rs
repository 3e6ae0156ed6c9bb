//! One event's way: from the bytes on the wire to the bot's reply, and into the record.
//!
//! A run belongs to its event, not to its connection: when the caller leaves, the run goes on to its end and is recorded.
//! An event that still waits for a permit then is forgotten, for nothing of it has run.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request};
use hyper::body::Body;
use jiff::Timestamp;
use model::{BotBreak, Cause, Event, Log, Outcome, Run, RunId, Usage};
use sandbox::Prepared;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info};

use super::answer::{self, Answer, Refusal};
use super::media_type;
use super::route::Target;
use super::signature::{SignatureError, Verifier};
use crate::config::OnBreak;
use crate::directory::Live;
use crate::listen::{BodyError, Peer, read_body};
use crate::recorder::{ChatAfterwards, Record};
use crate::state::State;

/// The front door of one worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

struct Inner {
    state: Arc<State>,
    body_timeout: Duration,
    /// What verifies events for nodes that don't exist, so that they take as long as the others.
    decoy: Verifier,
    runs: TaskTracker,
    cancelled: CancellationToken,
}

/// An event that is about to run, or to be told why it cannot.
struct Arrival {
    id: RunId,
    started_at: Timestamp,
    live: Arc<Live>,
    event_bytes: u64,
}

impl Door {
    /// `cancelled` ends every run that is under way.
    pub(crate) fn new(
        state: Arc<State>,
        body_timeout: Duration,
        runs: TaskTracker,
        cancelled: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner { state, body_timeout, decoy: Verifier::decoy(), runs, cancelled }))
    }

    /// Answers one message. It never fails: what goes wrong is an answer too.
    pub(crate) async fn receive<B>(self, request: Request<B>) -> Result<Answer, Infallible>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        match self.0.accept(request).await {
            Ok(answer) => Ok(answer),
            Err(refusal) => {
                debug!(peer = peer.map(tracing::field::display), %refusal, "a message was refused");
                Ok(refusal.into())
            }
        }
    }
}

impl Inner {
    async fn accept<B>(&self, request: Request<B>) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
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
        let live = match (verified, live) {
            (Ok(_), Some(live)) => live,
            (Err(SignatureError::Duplicate), _) => return Err(Refusal::DuplicateSignature),
            (Ok(_), None) | (Err(SignatureError::Wrong), _) => return Err(Refusal::Unauthorized),
        };
        let event_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if event_bytes > live.limits.event_bytes {
            return Err(Refusal::TooLarge);
        }
        let event = Event::parse(body.into())?;
        let arrival = Arrival { id: RunId::fresh(), started_at: Timestamp::now(), live, event_bytes };
        Ok(self.run(arrival, event).await)
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

    async fn run(&self, arrival: Arrival, event: Event) -> Answer {
        let Some(code) = arrival.live.code.clone() else {
            let broken =
                BotBreak::new(Cause::Unavailable, "the node has no artifact that can run; see the node's problems");
            return self.turn_away(arrival, broken);
        };
        let permit = match self.state.gate.admit(&arrival.live.share).await {
            Ok(permit) => permit,
            Err(full) => return self.turn_away(arrival, BotBreak::new(Cause::Overloaded, full.to_string())),
        };
        let (sender, receiver) = oneshot::channel();
        let (state, cancelled) = (Arc::clone(&self.state), self.cancelled.clone());
        self.runs.spawn(async move {
            let run = contained(&state, &code, &event, &arrival.live, &cancelled).await;
            drop(permit);
            let caller_left = sender.send(arrival.answer(&state, &run.outcome)).is_err();
            finish(&state, arrival, run, caller_left).await;
        });
        // The task always sends; only a runtime that is going down drops it, and then nobody reads this.
        receiver.await.unwrap_or_else(|_| answer::internal())
    }

    /// Answers and records a run that never began.
    fn turn_away(&self, arrival: Arrival, broken: BotBreak) -> Answer {
        let usage = Usage { event_bytes: arrival.event_bytes, ..Usage::default() };
        let run = Run { outcome: Outcome::BotBreak(broken), usage, log: Log::default() };
        let answer = arrival.answer(&self.state, &run.outcome);
        let state = Arc::clone(&self.state);
        self.runs.spawn(async move { finish(&state, arrival, run, false).await });
        answer
    }
}

/// Runs the handler; a panic of ours stays within the run and becomes its outcome.
async fn contained(state: &State, code: &Prepared, event: &Event, live: &Live, cancelled: &CancellationToken) -> Run {
    let mut run = pin!(state.sandbox.run(code, event, &live.limits, cancelled));
    let run = std::future::poll_fn(|context| {
        // After a panic the future is never polled again, so nobody sees what it left behind.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    });
    run.await.unwrap_or_else(|| Run {
        outcome: Outcome::BotBreak(BotBreak::new(Cause::Internal, "codenode failed while it ran this handler")),
        usage: Usage { event_bytes: u64::try_from(event.as_str().len()).unwrap_or(u64::MAX), ..Usage::default() },
        log: Log::default(),
    })
}

/// Logs and records a run whose answer is on its way.
async fn finish(state: &State, arrival: Arrival, run: Run, caller_left: bool) {
    // Lets the connection write its answer first.
    tokio::task::yield_now().await;
    let Arrival { id, started_at, live, .. } = arrival;
    let (tenant, node) = (live.tenant.clone(), live.node.clone());
    let wall_micros = u64::try_from(run.usage.wall_time.as_micros()).unwrap_or(u64::MAX);
    match &run.outcome {
        Outcome::Reply(_) => debug!(run = %id, %tenant, %node, wall_micros, caller_left, "reply"),
        Outcome::BotBreak(broken) if broken.cause == Cause::Internal => {
            error!(run = %id, %tenant, %node, wall_micros, caller_left, detail = broken.detail, "bot break: internal");
        }
        // Whatever else broke, the details are the author's: the run record has them.
        Outcome::BotBreak(broken) => {
            info!(run = %id, %tenant, %node, cause = %broken.cause, wall_micros, caller_left, "bot break");
        }
    }
    state.recorder.write(Record {
        id,
        tenant,
        node,
        artifact: live.serving(),
        started_at,
        chat_afterwards: chat_afterwards(&live, &run.outcome),
        run,
        limits: live.limits,
        caller_left,
    });
}

/// What the platform does with the chat, by its own table.
fn chat_afterwards(live: &Live, outcome: &Outcome) -> ChatAfterwards {
    match (outcome, &live.on_break) {
        (Outcome::Reply(reply), _) if live.end_node && reply.status() => ChatAfterwards::Complete,
        (Outcome::BotBreak(_), OnBreak::Fail) if live.human_assistance => ChatAfterwards::PendingAgent,
        // A break that is said looks like a reply to the platform, with a status that is false.
        (Outcome::Reply(_) | Outcome::BotBreak(_), OnBreak::Fail | OnBreak::Say(_)) => ChatAfterwards::WithBot,
    }
}

impl Arrival {
    fn answer(&self, state: &State, outcome: &Outcome) -> Answer {
        answer::of_run(self.id, outcome, &self.live.on_break, state.gate.retry_after())
    }
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
