use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{NodeId, RevisionNumber, Scheme, TenantId};

/// A step of a bot that runs code, as it is stored: its door, and which of its revisions is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Node {
    /// Its owner.
    pub tenant: TenantId,
    /// Its system name.
    pub id: NodeId,
    /// Who may send it events.
    pub door: Door,
    /// What runs; `None` until a revision is promoted.
    pub live: Option<RevisionNumber>,
    /// What was live before that: where a roll-back leads.
    pub previous: Option<RevisionNumber>,
    /// Counts the changes of the node, from 1: what an `ETag` says.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which events a node takes. It is the node's and no revision's: a roll-back must not bring back what was accepted then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Door {
    /// The signatures that are accepted; never empty.
    #[schema(min_items = 1)]
    pub schemes: Vec<Scheme>,
    /// Whether events without a signature are taken, as long as the node has no secret.
    pub allow_unsigned: bool,
    /// For how long an event with the same body is the same delivery: it gets the first one's answer and does not run again. For platforms that
    /// deliver again without saying so; an event with a `webhook-id` needs none.
    #[serde(with = "humantime_serde::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("10m"))]
    pub repeat_window: Option<Duration>,
}

impl Door {
    /// What [`repeat_window`](Self::repeat_window) may be.
    pub const REPEAT_WINDOWS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
}

impl Default for Door {
    fn default() -> Self {
        Self { schemes: vec![Scheme::Sha1, Scheme::Sha256], allow_unsigned: false, repeat_window: None }
    }
}
