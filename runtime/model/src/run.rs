use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Log, Outcome};

/// One execution, over: what it came to, what it used, what it logged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Reply or bot break.
    pub outcome: Outcome,
    /// What it used of each limit; successes too.
    pub usage: Usage,
    /// What it logged.
    pub log: Log,
}

/// What a run used; each field has its ceiling of the same name in [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From the first instruction to the end, waiting included.
    #[serde(rename = "wall_micros", serialize_with = "micros", deserialize_with = "of_micros")]
    pub wall_time: Duration,
    /// The sum of the run's polls.
    #[serde(rename = "cpu_micros", serialize_with = "micros", deserialize_with = "of_micros")]
    pub cpu_time: Duration,
    /// The peak of all memories and tables together.
    pub memory_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// The event's JSON text.
    pub event_bytes: u64,
    /// The reply's JSON text, as the guest wrote it.
    pub reply_bytes: u64,
    /// Log text kept.
    pub log_bytes: u64,
}

fn micros<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn of_micros<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_micros)
}
