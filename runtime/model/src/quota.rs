//! What a tenant may use: at once, over time, of a host that is full, and of storage.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::Schema;

use crate::size::{as_bytes, size};

/// The ceilings of a tenant. Every value is at least one, and at most its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Runs at once, events that wait for one included.
    pub runs: u32,
    /// Runs that may begin in a second, on average; `None`: as many as come.
    pub runs_per_second: Option<u32>,
    /// Runs that may begin at once after a quiet time; `None`: those of one second.
    pub runs_per_burst: Option<u32>,
    /// CPU time of all runs in an hour, on average; `None`: as much as the runs take.
    #[serde(with = "humantime_serde::option")]
    pub cpu_per_hour: Option<Duration>,
    /// On a host that is full, a tenant of weight two is served twice as often as one of weight one.
    pub weight: u32,
    /// Nodes that are stored.
    pub nodes: u32,
    /// Artifacts that are stored.
    pub artifacts: u32,
    /// Bytes of all its artifacts that are stored.
    pub artifact_bytes: u64,
    /// Entries of the key-value store, in all its buckets.
    pub kv_keys: u32,
    /// Bytes of all those, keys and values.
    pub kv_bytes: u64,
}

const GIB: u64 = 1 << 30;

impl Quota {
    /// What a tenant gets that asks for nothing.
    pub const DEFAULT: Self = Self {
        runs: 128,
        runs_per_second: None,
        runs_per_burst: None,
        cpu_per_hour: None,
        weight: 1,
        nodes: 1_000,
        artifacts: 1_000,
        artifact_bytes: 4 * GIB,
        kv_keys: 100_000,
        kv_bytes: GIB / 4,
    };

    /// What no configuration can exceed.
    pub const CAPS: Self = Self {
        runs: 10_000,
        runs_per_second: Some(1_000_000),
        runs_per_burst: Some(1_000_000),
        // That of 672 cores.
        cpu_per_hour: Some(Duration::from_secs(28 * 24 * 3_600)),
        weight: 1_000,
        nodes: 100_000,
        artifacts: 100_000,
        artifact_bytes: 1_024 * GIB,
        kv_keys: 1_000_000,
        kv_bytes: 16 * GIB,
    };

    /// This quota, with what `overrides` sets put in its place.
    ///
    /// # Errors
    /// One [`QuotaError`] for each value that is zero or above its cap.
    pub fn with(&self, overrides: &Overrides) -> Result<Self, Vec<QuotaError>> {
        let quota = Self {
            runs: overrides.runs.unwrap_or(self.runs),
            runs_per_second: overrides.runs_per_second.or(self.runs_per_second),
            runs_per_burst: overrides.runs_per_burst.or(self.runs_per_burst),
            cpu_per_hour: overrides.cpu_per_hour.or(self.cpu_per_hour),
            weight: overrides.weight.unwrap_or(self.weight),
            nodes: overrides.nodes.unwrap_or(self.nodes),
            artifacts: overrides.artifacts.unwrap_or(self.artifacts),
            artifact_bytes: overrides.artifact_size.map_or(self.artifact_bytes, |size| size.as_u64()),
            kv_keys: overrides.kv_keys.unwrap_or(self.kv_keys),
            kv_bytes: overrides.kv_size.map_or(self.kv_bytes, |size| size.as_u64()),
        };
        let errors: Vec<QuotaError> = quota.out_of_range().collect();
        if errors.is_empty() { Ok(quota) } else { Err(errors) }
    }

    fn out_of_range(&self) -> impl Iterator<Item = QuotaError> {
        let count = |name, value: Option<u32>, cap: Option<u32>| {
            let wrong = value.is_some_and(|value| value == 0 || Some(value) > cap);
            let text = |count: Option<u32>| count.unwrap_or_default().to_string();
            wrong.then(|| QuotaError { name, value: text(value), cap: text(cap) })
        };
        let time = |name, value: Option<Duration>, cap: Option<Duration>| {
            let wrong = value.is_some_and(|value| value.is_zero() || Some(value) > cap);
            let text = |time: Option<Duration>| humantime::format_duration(time.unwrap_or_default()).to_string();
            wrong.then(|| QuotaError { name, value: text(value), cap: text(cap) })
        };
        let size = |name, value: u64, cap: u64| {
            let wrong = value == 0 || value > cap;
            wrong.then(|| QuotaError { name, value: ByteSize(value).to_string(), cap: ByteSize(cap).to_string() })
        };
        let caps = Self::CAPS;
        [
            count("runs", Some(self.runs), Some(caps.runs)),
            count("runs_per_second", self.runs_per_second, caps.runs_per_second),
            count("runs_per_burst", self.runs_per_burst, caps.runs_per_burst),
            time("cpu_per_hour", self.cpu_per_hour, caps.cpu_per_hour),
            count("weight", Some(self.weight), Some(caps.weight)),
            count("nodes", Some(self.nodes), Some(caps.nodes)),
            count("artifacts", Some(self.artifacts), Some(caps.artifacts)),
            size("artifact_size", self.artifact_bytes, caps.artifact_bytes),
            count("kv_keys", Some(self.kv_keys), Some(caps.kv_keys)),
            size("kv_size", self.kv_bytes, caps.kv_bytes),
        ]
        .into_iter()
        .flatten()
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The part of a quota that somebody sets by hand; what is absent is inherited. Times read `10m`, sizes `4 GiB` or a number of bytes; written,
/// sizes are numbers of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = QuotaOverrides)]
pub struct Overrides {
    /// See [`Quota::runs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub runs: Option<u32>,
    /// See [`Quota::runs_per_second`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000000)]
    pub runs_per_second: Option<u32>,
    /// See [`Quota::runs_per_burst`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000000)]
    pub runs_per_burst: Option<u32>,
    /// See [`Quota::cpu_per_hour`].
    #[serde(with = "humantime_serde::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("10m"))]
    pub cpu_per_hour: Option<Duration>,
    /// See [`Quota::weight`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: Option<u32>,
    /// See [`Quota::nodes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100000)]
    pub nodes: Option<u32>,
    /// See [`Quota::artifacts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100000)]
    pub artifacts: Option<u32>,
    /// See [`Quota::artifact_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = sized)]
    pub artifact_size: Option<ByteSize>,
    /// See [`Quota::kv_keys`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000000)]
    pub kv_keys: Option<u32>,
    /// See [`Quota::kv_bytes`].
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = sized)]
    pub kv_size: Option<ByteSize>,
}

fn sized() -> Schema {
    size("See `Quota`.")
}

/// A quota that nobody may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the quota `{name}` is {value}: it must be above zero and at most {cap}")]
pub struct QuotaError {
    name: &'static str,
    value: String,
    cap: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_inherited() {
        let overrides: Overrides = serde_json::from_str(r#"{"runs_per_second": 5, "cpu_per_hour": "10m"}"#).unwrap();
        let quota = Quota::DEFAULT.with(&overrides).unwrap();
        let cpu_per_hour = Some(Duration::from_secs(600));
        assert_eq!(quota, Quota { runs_per_second: Some(5), cpu_per_hour, ..Quota::DEFAULT });
        assert_eq!(quota.with(&Overrides::default()), Ok(quota));
    }

    #[test]
    fn every_value_out_of_range_is_named_at_once() {
        let overrides = Overrides {
            runs: Some(0),
            runs_per_burst: Some(2_000_000),
            cpu_per_hour: Some(Duration::ZERO),
            weight: Some(1_001),
            ..Overrides::default()
        };
        let errors = Quota::DEFAULT.with(&overrides).unwrap_err();
        let text: Vec<String> = errors.iter().map(QuotaError::to_string).collect();
        assert_eq!(
            text,
            [
                "the quota `runs` is 0: it must be above zero and at most 10000",
                "the quota `runs_per_burst` is 2000000: it must be above zero and at most 1000000",
                "the quota `cpu_per_hour` is 0s: it must be above zero and at most 28days",
                "the quota `weight` is 1001: it must be above zero and at most 1000",
            ]
        );
    }

    #[test]
    fn the_caps_are_within_themselves() {
        assert_eq!(Quota::CAPS.with(&Overrides::default()), Ok(Quota::CAPS));
        assert_eq!(Quota::DEFAULT.with(&Overrides::default()), Ok(Quota::DEFAULT));
    }
}
