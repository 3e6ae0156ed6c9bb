use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{Log, Outcome};

/// One execution, over: what it came to, what it used, what it logged.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Run {
    /// Reply or bot break.
    pub outcome: Outcome,
    /// What it used of each limit; successes too.
    pub usage: Usage,
    /// What it logged.
    pub log: Log,
}

/// What a run used; each field has its ceiling of the same name in the run's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// From the first instruction to the end, waiting included.
    #[serde(rename = "wall_micros", serialize_with = "micros", deserialize_with = "of_micros")]
    #[schema(value_type = u64)]
    pub wall_time: Duration,
    /// The sum of the run's polls.
    #[serde(rename = "cpu_micros", serialize_with = "micros", deserialize_with = "of_micros")]
    #[schema(value_type = u64)]
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
