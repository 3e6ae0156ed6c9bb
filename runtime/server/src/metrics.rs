//! What is counted for Prometheus: runs by node, their times by tenant, and messages that the front door refused.
//!
//! A node carries its meter with it, and it is read after the answer has gone, so an event pays for no look-up and no lock. What can be
//! asked for at any time, such as permits that are free, is not counted here: the page looks at it when it is written.

mod page;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{Blame, Cause, Outcome, Run};
use prometheus_client::metrics::histogram::Histogram;

pub(crate) use page::{CONTENT_TYPE, write};

/// The upper ends of the buckets of all times, in seconds: from what a small handler takes to the longest wall time.
const BUCKETS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A reply, and every cause.
const OUTCOMES: usize = 1 + Cause::ALL.len();

/// What becomes of a handler's request.
const CALL_RESULTS: [&str; 3] = ["answered", "refused", "failed"];

/// The runs of one node, and their requests. It outlives reloads, and goes when the node does.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Replies first, then breaks in the order of [`Cause::ALL`].
    runs: [AtomicU64; OUTCOMES],
    /// In the order of [`CALL_RESULTS`].
    calls: [AtomicU64; CALL_RESULTS.len()],
    kv_calls: AtomicU64,
    times: Arc<Times>,
}

/// The times of one tenant's runs, in seconds. Not a node's: each histogram is a series for each of its buckets.
#[derive(Debug)]
pub(crate) struct Times {
    wall: Histogram,
    cpu: Histogram,
    queue: Histogram,
}

/// Messages that the front door refused, so that no run began.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Reason::ALL.len()]);

/// Why, in the order of [`Reason::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    TooLarge,
    TooSlow,
    Incomplete,
    DuplicateSignature,
    Unauthorized,
    NotAnEvent,
}

impl Meter {
    pub(crate) fn new(times: Arc<Times>) -> Self {
        let (runs, calls) =
            ([const { AtomicU64::new(0) }; OUTCOMES], [const { AtomicU64::new(0) }; CALL_RESULTS.len()]);
        Self { runs, calls, kv_calls: AtomicU64::new(0), times }
    }

    /// The times of the tenant's.
    pub(crate) const fn times(&self) -> &Arc<Times> {
        &self.times
    }

    /// Counts a run that is over. `waited` is how long its event stood in the queue; `None` if it never began.
    pub(crate) fn count(&self, run: &Run, waited: Option<Duration>) {
        let outcome = match &run.outcome {
            Outcome::Reply(_) => 0,
            Outcome::BotBreak(broken) => 1 + broken.cause as usize,
        };
        if let Some(runs) = self.runs.get(outcome) {
            runs.fetch_add(1, Ordering::Relaxed);
        }
        for call in &run.http_calls {
            let result = if call.refused.is_some() { 1 } else { 2 * usize::from(call.failed.is_some()) };
            if let Some(calls) = self.calls.get(result) {
                calls.fetch_add(1, Ordering::Relaxed);
            }
        }
        if run.usage.kv_calls > 0 {
            self.kv_calls.fetch_add(run.usage.kv_calls, Ordering::Relaxed);
        }
        if let Some(waited) = waited {
            self.times.wall.observe(run.usage.wall_time.as_secs_f64());
            self.times.cpu.observe(run.usage.cpu_time.as_secs_f64());
            self.times.queue.observe(waited.as_secs_f64());
        }
    }

    /// The requests by what became of them; nothing of a node that makes none.
    fn calls(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted =
            CALL_RESULTS.into_iter().zip(&self.calls).map(|(result, calls)| (result, calls.load(Ordering::Relaxed)));
        counted.filter(|(_, calls)| *calls > 0)
    }

    /// The operations of the key-value store; nothing of a node that makes none.
    fn kv_calls(&self) -> Option<u64> {
        Some(self.kv_calls.load(Ordering::Relaxed)).filter(|calls| *calls > 0)
    }

    /// The runs by the name of their outcome and its blame. What never happened is left out, but for replies.
    fn runs(&self) -> impl Iterator<Item = (&'static str, Option<Blame>, u64)> {
        let names = Cause::ALL.iter().map(|cause| (cause.name(), Some(cause.blame())));
        let named = std::iter::once(("reply", None)).chain(names).zip(&self.runs);
        let counted = named.map(|((name, blame), runs)| (name, blame, runs.load(Ordering::Relaxed)));
        counted.filter(|(_, blame, runs)| blame.is_none() || *runs > 0)
    }
}

impl Default for Times {
    fn default() -> Self {
        let [wall, cpu, queue] = [(); 3].map(|()| Histogram::new(BUCKETS));
        Self { wall, cpu, queue }
    }
}

impl Refusals {
    pub(crate) fn count(&self, reason: Reason) {
        if let Some(refused) = self.0.get(reason as usize) {
            refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reason::ALL.iter().zip(&self.0).map(|(reason, count)| (reason.name(), count.load(Ordering::Relaxed)))
    }
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::TooLarge,
        Self::TooSlow,
        Self::Incomplete,
        Self::DuplicateSignature,
        Self::Unauthorized,
        Self::NotAnEvent,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Incomplete => "incomplete",
            Self::DuplicateSignature => "duplicate_signature",
            Self::Unauthorized => "unauthorized",
            Self::NotAnEvent => "not_an_event",
        }
    }
}

#[cfg(test)]
mod tests;
