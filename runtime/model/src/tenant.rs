use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::TenantId;

/// The owner of nodes, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tenant {
    /// Its name in every path.
    pub id: TenantId,
    /// When it was made.
    pub created_at: Timestamp,
}
