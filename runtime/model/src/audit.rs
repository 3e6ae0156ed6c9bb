use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Actor, TenantId};

/// One change that somebody made, for whoever asks later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Rises with every change.
    pub sequence: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: Actor,
    /// Whom it concerns; `None` for the host's own affairs.
    pub tenant: Option<TenantId>,
    /// What was done, such as `revision.promote`.
    pub action: String,
    /// What to, such as `ORDER_STATUS revision 3`; never a secret.
    pub subject: String,
}
