use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::TenantId;
use crate::quota::Overrides;

/// The owner of nodes, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tenant {
    /// Its name in every path.
    pub id: TenantId,
    /// What it may use, as far as that is not what the host gives to everybody.
    pub quota: Overrides,
    /// Counts the changes of the tenant's own settings, from 1: what an `ETag` says.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
}
