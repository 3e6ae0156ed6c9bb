use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{NodeId, Outcome, Run};

/// What many runs used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Used {
    /// Runs that are over, and events that were turned away.
    pub runs: u64,
    /// Those of them that failed.
    pub bot_breaks: u64,
    /// Wall time, waiting included.
    pub wall_micros: u64,
    /// Time spent computing.
    pub cpu_micros: u64,
    /// JSON texts of events.
    pub event_bytes: u64,
    /// JSON texts of replies.
    pub reply_bytes: u64,
    /// Log text kept.
    pub log_bytes: u64,
}

impl Used {
    /// Counts one more run.
    pub fn add(&mut self, run: &Run) {
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let usage = &run.usage;
        *self += Self {
            runs: 1,
            bot_breaks: u64::from(matches!(run.outcome, Outcome::BotBreak(_))),
            wall_micros: micros(usage.wall_time),
            cpu_micros: micros(usage.cpu_time),
            event_bytes: usage.event_bytes,
            reply_bytes: usage.reply_bytes,
            log_bytes: usage.log_bytes,
        };
    }
}

impl std::ops::AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        self.runs = self.runs.saturating_add(more.runs);
        self.bot_breaks = self.bot_breaks.saturating_add(more.bot_breaks);
        self.wall_micros = self.wall_micros.saturating_add(more.wall_micros);
        self.cpu_micros = self.cpu_micros.saturating_add(more.cpu_micros);
        self.event_bytes = self.event_bytes.saturating_add(more.event_bytes);
        self.reply_bytes = self.reply_bytes.saturating_add(more.reply_bytes);
        self.log_bytes = self.log_bytes.saturating_add(more.log_bytes);
    }
}

/// What a tenant used in some time, and has stored now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TenantUsage {
    /// By node; those without a run are absent.
    pub nodes: BTreeMap<NodeId, Used>,
    /// Artifacts that are stored.
    pub artifacts: u64,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// Entries of the key-value store; those that have expired count until they are removed.
    pub kv_keys: u64,
    /// Their bytes, keys and values.
    pub kv_bytes: u64,
}
