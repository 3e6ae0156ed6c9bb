//! `[deliveries]`: how long it is known that an event has been answered.

use std::time::Duration;

use model::Door;

use super::document::Section;

/// What is kept of deliveries that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliveries {
    /// An event with a `webhook-id` gets the recorded answer for so long.
    pub keep_time: Duration,
    /// What the answers of one tenant may take in storage; the oldest go first.
    pub keep_bytes: u64,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { keep_time: Duration::from_secs(86_400), keep_bytes: 64 << 20 }
    }
}

impl Deliveries {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let default = Self::default();
        let deliveries = Self {
            keep_time: section.duration_in("keep_time", Door::REPEAT_WINDOWS, default.keep_time),
            keep_bytes: section.size("keep_size", default.keep_bytes),
        };
        section.finish();
        deliveries
    }
}
