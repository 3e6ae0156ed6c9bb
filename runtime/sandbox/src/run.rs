//! One run: a fresh store, one call, and the outcome, whatever the code does.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::anyhow;
use http::StatusCode;
use model::{Blame, BotBreak, Cause, Event, Limits, Outcome, Reply, Run, Usage};
use tokio_util::sync::CancellationToken;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::capabilities::http::incoming::Answered;
use crate::capabilities::stdio::ReplyBuffer;
use crate::failure::{self, Circumstances, Stop};
use crate::host::{Alive, Host, Stdio};
use crate::inputs::Inputs;
use crate::key_value::{KeyValue, KeyValueError, Write};
use crate::pace::{FIRST_SLICE_TICKS, Pace};
use crate::prepared::{Answer, Failure, Guest, Prepared};
use crate::source::Source;
use crate::state::{self, Change, Recalled};
use crate::{Grants, PrepareError, Sandbox};

/// For which what a run wrote is waited for, however long it took itself.
const LEAST_TIME_TO_KEEP: Duration = Duration::from_secs(1);

/// How a call came to its end.
enum Ended<T> {
    Answered(T),
    Failed(Failure),
    OutOfTime,
    Cancelled,
}

impl Sandbox {
    /// Runs a node's code on one event, in a fresh instance that reaches what it is granted, with the clocks and the randomness of this machine unless
    /// `inputs` say otherwise. Never fails: a failure is a bot break.
    ///
    /// `cancelled` ends the run early, as `unavailable`. Dropping the future ends it too, without a record.
    pub async fn run(
        &self,
        prepared: &Prepared,
        event: &Event,
        limits: &Limits,
        inputs: impl Into<Inputs>,
        cancelled: &CancellationToken,
    ) -> Run {
        let inputs = inputs.into();
        // Whoever loads code does so before the stopwatch starts.
        let code = match self.code(prepared, cancelled).await {
            Ok(code) => code,
            Err(unavailable) => return Run::never_began(unavailable, event.as_str().len() as u64),
        };
        let pace = Pace::start(self.0.lane.clone());
        let (mut recalled, mut wall_time) = (None, limits.wall_time);
        if let Some(granted) = inputs.grants.remembering() {
            // In boxes, so that the runs that remember nothing, nearly all, are not larger for it.
            match Box::pin(state::recall(granted, event, wall_time, cancelled)).await {
                Ok(what) => recalled = Some(Box::new(what)),
                Err(unavailable) => return never_began(unavailable, event, &pace),
            }
            wall_time = wall_time.saturating_sub(pace.wall_time());
        }
        let told = recalled.as_ref().and_then(|recalled| recalled.event()).unwrap_or(event);
        let reply = ReplyBuffer::new(limits.reply_bytes);
        let stdio = if prepared.is_command() {
            Stdio::Command { event: told.as_str().to_owned(), reply: reply.clone() }
        } else {
            Stdio::Quiet
        };
        let host = Host::new(*limits, inputs, Arc::clone(&pace), stdio, Alive::new(&self.0.alive));
        let mut store = self.store(host);
        if let Some(recalled) = &recalled {
            recalled.note(store.data_mut());
        }
        let ended = drive(&pace, wall_time, code.call(&mut store, told, prepared.program()), cancelled).await;
        let (outcome, reply_bytes) = outcome(ended, &mut store, &reply);
        let outcome = keep_writes(outcome, store.data_mut(), recalled.as_deref()).await;
        conclude(outcome, reply_bytes, store, event)
    }

    /// Has a runner make a program of a source, under these limits and without any grant.
    ///
    /// # Errors
    /// [`PrepareError::Refused`] with what is wrong with the source, as the runner says it; [`PrepareError::Host`] where that could not be told.
    pub(crate) async fn make_program(
        &self,
        runner: &Guest,
        source: &Source<'_>,
        limits: &Limits,
    ) -> Result<Vec<u8>, PrepareError> {
        let pace = Pace::start(self.0.lane.clone());
        let alive = Alive::new(&self.0.alive);
        let host = Host::new(*limits, Grants::default().into(), Arc::clone(&pace), Stdio::Quiet, alive);
        let mut store = self.store(host);
        let never = CancellationToken::new();
        let refused = |why: String| PrepareError::Refused(vec![format!("cannot be compiled: {why}")]);
        // What is refused is remembered: what another try may change is not.
        let failed = |why: String| PrepareError::Host(anyhow!("a source was not compiled: {why}"));
        match drive(&pace, limits.wall_time, runner.compile(&mut store, source), &never).await {
            Ended::Answered(Some(Ok(program))) => Ok(program),
            Ended::Answered(Some(Err(why))) => Err(refused(format!("\n{}", why.trim_end()))),
            Ended::Failed(failure) => {
                let bot_break = explain(&failure, &mut store);
                Err(match bot_break.cause.blame() {
                    Blame::Author | Blame::Limit | Blame::Upstream => refused(bot_break.detail),
                    Blame::Host => failed(bot_break.detail),
                })
            }
            Ended::OutOfTime => Err(failed(failure::out_of_time(limits))),
            Ended::Answered(None) | Ended::Cancelled => Err(failed("it has no runner".to_owned())),
        }
    }

    /// A store with every limit in place before any guest code runs: start functions are guest code.
    fn store(&self, host: Host) -> Store<Host> {
        let limits = host.limits;
        let mut store = Store::new(&self.0.engine, host);
        store.limiter(|host| &mut host.memory);
        store.set_epoch_deadline(FIRST_SLICE_TICKS);
        store.epoch_deadline_callback(at_tick);
        store.set_hostcall_fuel(bytes(limits.host_call_bytes.max(limits.reply_bytes)));
        store.set_max_component_handles(bytes(limits.handles));
        store
    }
}

/// What happens at a tick to a run that is still computing: it dies of its limits, or it queues for its next turn.
fn at_tick(store: StoreContextMut<'_, Host>) -> wasmtime::Result<UpdateDeadline> {
    let host = store.data();
    if host.pace.tick() >= host.limits.cpu_time {
        return Err(Stop::OutOfCpu.into());
    }
    if host.calls_exceeded() {
        return Err(Stop::TooManyCalls.into());
    }
    host.pace.give_turn_back();
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(Arc::clone(&host.pace).next_turn())))
}

/// A run that was over before its code began, after it had to wait.
fn never_began(why: BotBreak, event: &Event, pace: &Pace) -> Run {
    let mut run = Run::never_began(why, event.as_str().len() as u64);
    run.usage.wall_time = pace.wall_time();
    run
}

/// Polls a call to its end, with what is left of its wall clock running and its CPU time counted.
async fn drive<T>(
    pace: &Pace,
    wall_time: Duration,
    call: impl Future<Output = Result<T, Failure>>,
    cancelled: &CancellationToken,
) -> Ended<T> {
    let mut call = pin!(tokio::time::timeout(wall_time, call));
    let mut cancelled = pin!(cancelled.cancelled());
    poll_fn(|context| {
        pace.resume();
        let polled = call.as_mut().poll(context);
        pace.pause();
        match polled {
            Poll::Ready(Ok(Ok(answer))) => Poll::Ready(Ended::Answered(answer)),
            Poll::Ready(Ok(Err(failure))) => Poll::Ready(Ended::Failed(failure)),
            Poll::Ready(Err(_elapsed)) => Poll::Ready(Ended::OutOfTime),
            Poll::Pending => cancelled.as_mut().poll(context).map(|()| Ended::Cancelled),
        }
    })
    .await
}

/// What a run wrote is kept if it has replied, and only then; what cannot be kept was not done, so there is no reply either.
async fn keep_writes(outcome: Outcome, host: &mut Host, recalled: Option<&Recalled>) -> Outcome {
    let Outcome::Reply(reply) = &outcome else { return outcome };
    let details = match recalled.map(|recalled| recalled.changes(reply, host)).transpose() {
        Ok(details) => details.unwrap_or_default(),
        Err(broken) => return Outcome::BotBreak(broken),
    };
    let Some((writes, store)) = host.take_writes() else { return outcome };
    if writes.is_empty() && details.is_empty() {
        return outcome;
    }
    let rest = host.limits.wall_time.saturating_sub(host.pace.wall_time()).max(LEAST_TIME_TO_KEEP);
    let (cause, why) = match tokio::time::timeout(rest, Box::pin(keep(store.as_ref(), writes, details))).await {
        Ok(Ok(())) => return outcome,
        Ok(Err(error)) => match &error {
            KeyValueError::Unavailable(_) => (Cause::Unavailable, error.to_string()),
            KeyValueError::OverQuota(_) => (Cause::OverQuota, error.to_string()),
            KeyValueError::Invalid(_) => (Cause::ReplyWrongShape, error.to_string()),
        },
        Err(_elapsed) => (Cause::Unavailable, "it took too long".to_owned()),
    };
    Outcome::BotBreak(BotBreak::new(cause, format!("what the handler wrote could not be kept: {why}")))
}

/// All of it together, or nothing.
async fn keep(store: &dyn KeyValue, mut writes: Vec<Write>, details: Vec<Change>) -> Result<(), KeyValueError> {
    for Change { write, bytes } in details {
        if let Some(bytes) = bytes {
            store.reserve(write.bucket, write.key.clone(), bytes).await?;
        }
        writes.push(write);
    }
    store.write(writes).await
}

/// Takes the usage and the log out of the store, and drops it.
fn conclude(outcome: Outcome, reply_bytes: u64, store: Store<Host>, event: &Event) -> Run {
    let host = store.into_data();
    if !host.log_text.is_empty() {
        // The guest ended in the middle of saying it, and what level it had is not known.
        host.journal.lose(host.log_text.len() as u64);
    }
    let (log, log_bytes) = host.journal.finish();
    let (http_calls, http) = host.http_calls();
    let usage = Usage { reply_bytes, log_bytes, ..host.usage(event, http) };
    Run { outcome, usage, log, http_calls }
}

/// The outcome, and the size of the reply as the guest wrote it.
fn outcome(ended: Ended<Answer>, store: &mut Store<Host>, reply: &ReplyBuffer) -> (Outcome, u64) {
    let broken = |bot_break| (Outcome::BotBreak(bot_break), 0);
    match ended {
        Ended::Answered(Answer::Handled(Ok(output))) => replied(output, &store.data().limits),
        Ended::Answered(Answer::Handled(Err(error))) => broken(failure::exception(&error, &store.data().evidence())),
        Ended::Answered(Answer::Exited) => match String::from_utf8(reply.take()) {
            Ok(output) => replied(output, &store.data().limits),
            Err(_) => broken(BotBreak::new(Cause::ReplyNotJson, "the reply is not UTF-8")),
        },
        Ended::Answered(Answer::Answered(answered)) => responded(answered, store.data()),
        Ended::Failed(failure) => broken(explain(&failure, store)),
        Ended::OutOfTime => broken(BotBreak::new(Cause::OutOfTime, failure::out_of_time(&store.data().limits))),
        Ended::Cancelled => broken(BotBreak::new(Cause::Unavailable, "this host shut down before the run was over")),
    }
}

/// What a handler of requests makes of one: its reply is the body of a good response, and anything else is its failure.
fn responded(answered: Answered, host: &Host) -> (Outcome, u64) {
    let broken = |bot_break| (Outcome::BotBreak(bot_break), 0);
    match answered {
        Answered::Response { status: StatusCode::OK, body } => match String::from_utf8(body.into()) {
            Ok(output) => replied(output, &host.limits),
            Err(_) => broken(BotBreak::new(Cause::ReplyNotJson, "the reply is not UTF-8")),
        },
        Answered::Response { status, body } => {
            broken(failure::refused(status, &String::from_utf8_lossy(&body), &host.evidence()))
        }
        Answered::Error(code) => {
            broken(failure::exception(&format!("it answered with the error {code:?}"), &host.evidence()))
        }
        Answered::Nothing(why) => broken(BotBreak::new(Cause::ReplyEmpty, why)),
    }
}

fn replied(output: String, limits: &Limits) -> (Outcome, u64) {
    let reply_bytes = output.len() as u64;
    if reply_bytes > limits.reply_bytes {
        let too_large = BotBreak::new(Cause::ReplyTooLarge, failure::reply_too_large(limits));
        return (Outcome::BotBreak(too_large), reply_bytes);
    }
    let outcome =
        Reply::parse_within(output, limits).map_or_else(|error| Outcome::BotBreak(error.into()), Outcome::Reply);
    (outcome, reply_bytes)
}

fn explain(failure: &Failure, store: &mut Store<Host>) -> BotBreak {
    let shadow_stack_overrun = failure::has_overrun_shadow_stack(&failure.error, &mut *store);
    let host = store.data();
    failure::classify(
        &failure.error,
        &Circumstances {
            limits: &host.limits,
            memory_refused: host.memory.is_refused(),
            instantiating: failure.instantiating,
            shadow_stack_overrun,
            last_words: host.journal.last_words(),
        },
    )
}

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
