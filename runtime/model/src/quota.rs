//! What a tenant may use: at once, over time, and of a host that is full.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
}

impl Quota {
    /// What a tenant gets that asks for nothing.
    pub const DEFAULT: Self =
        Self { runs: 128, runs_per_second: None, runs_per_burst: None, cpu_per_hour: None, weight: 1 };

    /// What no configuration can exceed.
    pub const CAPS: Self = Self {
        runs: 10_000,
        runs_per_second: Some(1_000_000),
        runs_per_burst: Some(1_000_000),
        // That of 672 cores.
        cpu_per_hour: Some(Duration::from_secs(28 * 24 * 3_600)),
        weight: 1_000,
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
        let caps = Self::CAPS;
        [
            count("runs", Some(self.runs), Some(caps.runs)),
            count("runs_per_second", self.runs_per_second, caps.runs_per_second),
            count("runs_per_burst", self.runs_per_burst, caps.runs_per_burst),
            time("cpu_per_hour", self.cpu_per_hour, caps.cpu_per_hour),
            count("weight", Some(self.weight), Some(caps.weight)),
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

/// The part of a quota that somebody sets by hand; what is absent is inherited. Times read `10m`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// See [`Quota::runs`].
    pub runs: Option<u32>,
    /// See [`Quota::runs_per_second`].
    pub runs_per_second: Option<u32>,
    /// See [`Quota::runs_per_burst`].
    pub runs_per_burst: Option<u32>,
    /// See [`Quota::cpu_per_hour`].
    #[serde(default, with = "humantime_serde::option")]
    pub cpu_per_hour: Option<Duration>,
    /// See [`Quota::weight`].
    pub weight: Option<u32>,
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
