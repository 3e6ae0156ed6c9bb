use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{BotBreak, HttpCall, Log, Outcome};

/// One execution, over: what it came to, what it used, what it logged.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Run {
    /// Reply or bot break.
    pub outcome: Outcome,
    /// What it used of each limit; successes too.
    pub usage: Usage,
    /// What it logged.
    pub log: Log,
    /// The requests that it made, and those that it was not allowed to make, in the order in which it asked.
    pub http_calls: Vec<HttpCall>,
}

impl Run {
    /// A run that was over before any code ran.
    pub fn never_began(why: BotBreak, event_bytes: u64) -> Self {
        Self {
            outcome: Outcome::BotBreak(why),
            usage: Usage { event_bytes, ..Usage::default() },
            log: Log::default(),
            http_calls: Vec::new(),
        }
    }

    /// About what its record takes besides its fixed part: every text, and every line, frame and call that holds one.
    pub fn text_bytes(&self) -> u64 {
        let outcome = match &self.outcome {
            Outcome::Reply(reply) => reply.as_str().len(),
            Outcome::BotBreak(broken) => {
                let frames = broken.backtrace.iter().map(|frame| {
                    size_of_val(frame) + frame.function.len() + frame.location.as_ref().map_or(0, String::len)
                });
                broken.detail.len() + frames.sum::<usize>()
            }
        };
        let lines = self.log.lines.iter().map(|line| size_of_val(line) + line.text.len());
        let calls = self.http_calls.iter().map(|call| {
            let reasons = [&call.refused, &call.failed].into_iter().flatten().map(String::len);
            size_of_val(call) + call.method.len() + call.origin.len() + call.path.len() + reasons.sum::<usize>()
        });
        u64::try_from(outcome + lines.sum::<usize>() + calls.sum::<usize>()).unwrap_or(u64::MAX)
    }
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
    /// Requests over HTTP, refused ones included.
    pub http_calls: u64,
    /// The bodies of all requests together, as far as they were sent.
    pub http_request_bytes: u64,
    /// The bodies of all responses together, as far as they were read.
    pub http_response_bytes: u64,
    /// Operations of the key-value store: one for each key.
    pub kv_calls: u64,
    /// Keys and values read and written, all together.
    pub kv_data_bytes: u64,
}

pub(crate) fn micros<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

pub(crate) fn of_micros<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_micros)
}
