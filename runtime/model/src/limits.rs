use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::Schema;

use crate::size::{as_bytes, size};

/// The ceilings of one run. Every field ends in its unit; every value is at most [`Limits::CAPS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// From the first instruction to the reply, waiting included.
    #[serde(with = "humantime_serde")]
    #[schema(value_type = String, examples("1s 500ms"))]
    pub wall_time: Duration,
    /// Time spent computing: the sum of the run's polls, waiting not included.
    #[serde(with = "humantime_serde")]
    #[schema(value_type = String, examples("1s 500ms"))]
    pub cpu_time: Duration,
    /// All linear memories and tables of the run together.
    pub memory_bytes: u64,
    /// The event's JSON text.
    pub event_bytes: u64,
    /// The reply's JSON text, as the guest wrote it.
    pub reply_bytes: u64,
    /// Log text kept of a run; more is dropped and counted.
    pub log_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Data that one call may carry across the boundary, in either direction.
    pub host_call_bytes: u64,
    /// Resource handles that the run may hold at once.
    pub handles: u64,
    /// Requests over HTTP.
    pub http_calls: u64,
    /// The bodies of all requests together.
    pub http_request_bytes: u64,
    /// The bodies of all responses together.
    pub http_response_bytes: u64,
    /// Operations of the key-value store: one for each key.
    pub kv_calls: u64,
    /// Keys and values read and written, all together.
    pub kv_data_bytes: u64,
    /// Characters of each value of a reply's `conversation_details`: of a string itself, else of its JSON text.
    pub conversation_value_chars: u64,
    /// Characters of each value of a reply's `user_details`.
    pub user_value_chars: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl Limits {
    /// What a node gets that asks for nothing.
    pub const DEFAULT: Self = Self {
        wall_time: Duration::from_secs(10),
        cpu_time: Duration::from_secs(1),
        memory_bytes: 64 * MIB,
        event_bytes: 256 * KIB,
        reply_bytes: 256 * KIB,
        log_bytes: 64 * KIB,
        host_calls: 10_000,
        host_call_bytes: 2 * MIB,
        handles: 1_000,
        http_calls: 50,
        http_request_bytes: MIB,
        http_response_bytes: 4 * MIB,
        kv_calls: 200,
        kv_data_bytes: MIB,
        conversation_value_chars: 2_500,
        user_value_chars: 200,
    };

    /// What no configuration can exceed. The platform waits 30 s, so a run must be over by 28.
    pub const CAPS: Self = Self {
        wall_time: Duration::from_secs(28),
        cpu_time: Duration::from_secs(28),
        memory_bytes: 512 * MIB,
        event_bytes: 4 * MIB,
        reply_bytes: 4 * MIB,
        log_bytes: MIB,
        host_calls: 1_000_000,
        host_call_bytes: 16 * MIB,
        handles: 10_000,
        http_calls: 1_000,
        http_request_bytes: 16 * MIB,
        http_response_bytes: 64 * MIB,
        kv_calls: 10_000,
        kv_data_bytes: 16 * MIB,
        conversation_value_chars: 100_000,
        user_value_chars: 100_000,
    };

    /// These limits, with what `overrides` sets put in their place.
    ///
    /// # Errors
    /// One [`LimitError`] for each value that is zero or above its cap.
    pub fn with(&self, overrides: &Overrides) -> Result<Self, Vec<LimitError>> {
        let mut errors = Vec::new();
        let mut time = |name, asked: Option<Duration>, inherited: Duration, cap: Duration| {
            let value = asked.unwrap_or(inherited);
            if value.is_zero() || value > cap {
                let (value, cap) = (humantime::format_duration(value), humantime::format_duration(cap));
                errors.push(LimitError { name, value: value.to_string(), cap: cap.to_string() });
            }
            value
        };
        let caps = Self::CAPS;
        let wall_time = time("wall_time", overrides.wall_time, self.wall_time, caps.wall_time);
        let cpu_time = time("cpu_time", overrides.cpu_time, self.cpu_time, caps.cpu_time);
        let mut bytes = |name, asked: Option<ByteSize>, inherited: u64, cap: u64| {
            let value = asked.map_or(inherited, |size| size.as_u64());
            if value == 0 || value > cap {
                errors.push(LimitError { name, value: ByteSize(value).to_string(), cap: ByteSize(cap).to_string() });
            }
            value
        };
        let memory_bytes = bytes("memory", overrides.memory, self.memory_bytes, caps.memory_bytes);
        let event_bytes = bytes("event", overrides.event, self.event_bytes, caps.event_bytes);
        let reply_bytes = bytes("reply", overrides.reply, self.reply_bytes, caps.reply_bytes);
        let log_bytes = bytes("log", overrides.log, self.log_bytes, caps.log_bytes);
        let host_call_bytes = bytes("host_call", overrides.host_call, self.host_call_bytes, caps.host_call_bytes);
        let http_request_bytes =
            bytes("http_request", overrides.http_request, self.http_request_bytes, caps.http_request_bytes);
        let http_response_bytes =
            bytes("http_response", overrides.http_response, self.http_response_bytes, caps.http_response_bytes);
        let kv_data_bytes = bytes("kv_data", overrides.kv_data, self.kv_data_bytes, caps.kv_data_bytes);
        let mut count = |name, asked: Option<u64>, inherited: u64, cap: u64| {
            let value = asked.unwrap_or(inherited);
            if value == 0 || value > cap {
                errors.push(LimitError { name, value: value.to_string(), cap: cap.to_string() });
            }
            value
        };
        let host_calls = count("host_calls", overrides.host_calls, self.host_calls, caps.host_calls);
        let handles = count("handles", overrides.handles, self.handles, caps.handles);
        let http_calls = count("http_calls", overrides.http_calls, self.http_calls, caps.http_calls);
        let kv_calls = count("kv_calls", overrides.kv_calls, self.kv_calls, caps.kv_calls);
        let conversation_value_chars = count(
            "conversation_value_chars",
            overrides.conversation_value_chars,
            self.conversation_value_chars,
            caps.conversation_value_chars,
        );
        let user_value_chars =
            count("user_value_chars", overrides.user_value_chars, self.user_value_chars, caps.user_value_chars);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            wall_time,
            cpu_time,
            memory_bytes,
            event_bytes,
            reply_bytes,
            log_bytes,
            host_calls,
            host_call_bytes,
            handles,
            http_calls,
            http_request_bytes,
            http_response_bytes,
            kv_calls,
            kv_data_bytes,
            conversation_value_chars,
            user_value_chars,
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The limits that somebody sets by hand; what is absent is inherited. Times read `10s`, sizes `64 MiB` or a number of bytes;
/// written, sizes are numbers of bytes, for the short form rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// See [`Limits::wall_time`].
    #[serde(with = "humantime_serde::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("1s 500ms"))]
    pub wall_time: Option<Duration>,
    /// See [`Limits::cpu_time`].
    #[serde(with = "humantime_serde::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("1s 500ms"))]
    pub cpu_time: Option<Duration>,
    /// See [`Limits::memory_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub memory: Option<ByteSize>,
    /// See [`Limits::event_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub event: Option<ByteSize>,
    /// See [`Limits::reply_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub reply: Option<ByteSize>,
    /// See [`Limits::log_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub log: Option<ByteSize>,
    /// See [`Limits::host_calls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_calls: Option<u64>,
    /// See [`Limits::host_call_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub host_call: Option<ByteSize>,
    /// See [`Limits::handles`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handles: Option<u64>,
    /// See [`Limits::http_calls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_calls: Option<u64>,
    /// See [`Limits::http_request_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub http_request: Option<ByteSize>,
    /// See [`Limits::http_response_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub http_response: Option<ByteSize>,
    /// See [`Limits::kv_calls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_calls: Option<u64>,
    /// See [`Limits::kv_data_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit)]
    pub kv_data: Option<ByteSize>,
    /// See [`Limits::conversation_value_chars`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_value_chars: Option<u64>,
    /// See [`Limits::user_value_chars`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_value_chars: Option<u64>,
}

fn limit() -> Schema {
    size("See `Limits`.")
}

/// A limit that nobody may set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the limit `{name}` is {value}: it must be above zero and at most {cap}")]
pub struct LimitError {
    name: &'static str,
    value: String,
    cap: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_inherited() {
        let overrides = Overrides { memory: Some(ByteSize::mib(128)), ..Overrides::default() };
        let limits = Limits::DEFAULT.with(&overrides).unwrap();
        assert_eq!(limits, Limits { memory_bytes: 128 * MIB, ..Limits::DEFAULT });
    }

    #[test]
    fn every_value_out_of_range_is_named_at_once() {
        let overrides = Overrides {
            wall_time: Some(Duration::from_secs(40)),
            memory: Some(ByteSize::gib(1)),
            handles: Some(0),
            ..Overrides::default()
        };
        let errors = Limits::DEFAULT.with(&overrides).unwrap_err();
        let text: Vec<String> = errors.iter().map(LimitError::to_string).collect();
        assert_eq!(
            text,
            [
                "the limit `wall_time` is 40s: it must be above zero and at most 28s",
                "the limit `memory` is 1.0 GiB: it must be above zero and at most 512.0 MiB",
                "the limit `handles` is 0: it must be above zero and at most 10000",
            ]
        );
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let overrides = Overrides {
            wall_time: Some(Duration::from_millis(1500)),
            memory: Some(ByteSize(1_500_001)),
            handles: Some(7),
            ..Overrides::default()
        };
        let written = serde_json::to_string(&overrides).unwrap();
        assert_eq!(written, r#"{"wall_time":"1s 500ms","memory":1500001,"handles":7}"#);
        assert_eq!(serde_json::from_str::<Overrides>(&written).unwrap(), overrides);
    }

    #[test]
    fn the_caps_are_within_themselves() {
        assert_eq!(Limits::CAPS.with(&Overrides::default()), Ok(Limits::CAPS));
        assert_eq!(Limits::DEFAULT.with(&Overrides::default()), Ok(Limits::DEFAULT));
    }
}
