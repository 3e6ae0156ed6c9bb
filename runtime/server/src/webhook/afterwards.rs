//! What becomes of a run once its answer is on its way: it is logged, counted, traced and recorded.
//!
//! Nobody waits for it: each worker has one task that does it, for many runs at once. What the task cannot keep up with is done
//! by whoever brings it, so that nothing is lost and nothing grows.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::{Cause, ChatAfterwards, OnBreak, Outcome, Record, Run, RunId};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::task::TaskTracker;
use tracing::field::display;
use tracing::{debug, error, info};

use crate::directory::Live;
use crate::state::State;
use crate::traces::{Trace, Traces};

/// Runs that may wait to be recorded.
const WAITING: usize = 1024;

/// A run that is over, and answered.
pub(super) struct Finished {
    pub(super) id: RunId,
    pub(super) started_at: Timestamp,
    pub(super) live: Arc<Live>,
    pub(super) run: Run,
    /// How long the event stood in the queue; `None` if no run began.
    pub(super) waited: Option<Duration>,
    /// Whether the caller had gone when the run was over.
    pub(super) caller_left: bool,
    /// Where events are traced.
    pub(super) trace: Option<Box<Trace>>,
}

/// The way to the task that records the runs of a worker.
pub(super) struct Afterwards {
    state: Arc<State>,
    waiting: Sender<Finished>,
}

impl Afterwards {
    /// Starts the task; it ends when every way to it is gone and all is recorded.
    pub(super) fn begin(state: Arc<State>, tasks: &TaskTracker) -> Self {
        let (waiting, finished) = mpsc::channel(WAITING);
        tasks.spawn(record_all(Arc::clone(&state), finished));
        Self { state, waiting }
    }

    pub(super) fn take(&self, finished: Finished) {
        if let Err(refused) = self.waiting.try_send(finished) {
            self.state.recorder.write([refused.into_inner().record(&self.state.traces)]);
        }
    }
}

async fn record_all(state: Arc<State>, mut finished: Receiver<Finished>) {
    let mut batch = Vec::with_capacity(WAITING);
    while finished.recv_many(&mut batch, WAITING).await > 0 {
        // Made before the recorder is locked: making one writes to the log.
        let records: Vec<Record> = batch.drain(..).map(|finished| finished.record(&state.traces)).collect();
        state.recorder.write(records);
    }
}

impl Finished {
    /// Logs the run, counts and traces it, and makes a record of it.
    fn record(self, traces: &Traces) -> Record {
        let Self { id, started_at, live, mut run, waited, caller_left, trace } = self;
        live.grants.redact(&mut run);
        live.meter.count(&run, waited);
        if let Some(trace) = &trace {
            traces.take(trace, id, &live, &run, waited);
        }
        let trace = trace.as_ref().map(|trace| display(trace.id()));
        let (tenant, node) = (live.tenant.clone(), live.node.clone());
        let wall_micros = u64::try_from(run.usage.wall_time.as_micros()).unwrap_or(u64::MAX);
        match &run.outcome {
            Outcome::Reply(_) => debug!(run = %id, trace, %tenant, %node, wall_micros, caller_left, "reply"),
            Outcome::BotBreak(broken) if broken.cause == Cause::Internal => {
                error!(run = %id, trace, %tenant, %node, wall_micros, caller_left, detail = broken.detail, "bot break: internal");
            }
            // Whatever else broke, the details are the author's: the run record has them.
            Outcome::BotBreak(broken) => {
                info!(run = %id, trace, %tenant, %node, cause = %broken.cause, wall_micros, caller_left, "bot break");
            }
        }
        Record {
            id,
            tenant,
            node,
            revision: live.revision(),
            artifact: live.serving(),
            started_at,
            chat_afterwards: chat_afterwards(&live, &run.outcome),
            run,
            limits: live.limits,
            caller_left,
        }
    }
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
