//! Who changed what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use model::{AuditEntry, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use super::input::{Path, Query};
use super::problem::Problem;
use super::revisions::Page;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Audit {
    entries: Vec<AuditEntry>,
    /// The cursor of the next page; `null` on the last.
    next: Option<u64>,
}

/// `GET /v1/tenants/{tenant}/audit`: the newest first.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(page): Query<Page<u64>>,
) -> Result<Json<Audit>, Problem> {
    read(&state, Some(&tenant), page).await
}

/// `GET /v1/audit`: of all tenants, and of the host's own affairs.
pub(super) async fn list_all(
    Shared(state): Shared<Arc<State>>,
    Query(page): Query<Page<u64>>,
) -> Result<Json<Audit>, Problem> {
    read(&state, None, page).await
}

async fn read(state: &State, tenant: Option<&TenantId>, page: Page<u64>) -> Result<Json<Audit>, Problem> {
    let (before, limit) = page.bounds()?;
    let entries = state.stored.storage.audit(tenant, before, limit).await?;
    let is_full = entries.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = entries.last().filter(|_| is_full).map(|last| last.sequence);
    Ok(Json(Audit { entries, next }))
}
