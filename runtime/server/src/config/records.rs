//! `[records]`: how long it is kept what ran.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Section;

/// As humantime counts it, in seconds.
const YEAR: u64 = 31_557_600;
const KEEP_TIMES: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(YEAR);
/// No host lags behind the changes by a day.
const AUDIT_KEEP_TIMES: RangeInclusive<Duration> = Duration::from_secs(86_400)..=Duration::from_secs(10 * YEAR);
/// Quicker, and each record would cost a transaction; slower, and a host that is killed loses much.
const WRITE_INTERVALS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
/// There is always room for the longest record: a reply of 4 MiB and a log of 1 MiB.
const WAITING_BYTES: RangeInclusive<u64> = (8 << 20)..=(4 << 30);

/// What is kept of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// A record older than this is removed.
    pub keep_time: Duration,
    /// A line of the audit log older than this is removed.
    pub audit_keep_time: Duration,
    /// What one tenant's records may take in storage; the oldest go first.
    pub keep_bytes: u64,
    /// As long may a record wait before it is written; those that are read are written first.
    pub write_interval: Duration,
    /// What records that wait to be written may take in memory; more are dropped, and counted.
    pub waiting_bytes: u64,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            keep_time: Duration::from_secs(7 * 86_400),
            audit_keep_time: Duration::from_secs(400 * 86_400),
            keep_bytes: 256 << 20,
            write_interval: Duration::from_secs(1),
            waiting_bytes: 32 << 20,
        }
    }
}

impl Records {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let records = Self {
            keep_time: section.duration_in("keep_time", KEEP_TIMES, default.keep_time),
            audit_keep_time: section.duration_in("audit_keep_time", AUDIT_KEEP_TIMES, default.audit_keep_time),
            keep_bytes: section.size("keep_size", default.keep_bytes),
            write_interval: section.duration_in("write_interval", WRITE_INTERVALS, default.write_interval),
            waiting_bytes: section.size_in("waiting_size", WAITING_BYTES, default.waiting_bytes),
        };
        section.finish();
        records
    }
}
