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
}

impl Default for Door {
    fn default() -> Self {
        Self { schemes: vec![Scheme::Sha1, Scheme::Sha256], allow_unsigned: false }
    }
}
