//! Tenants, as they are stored. Those of the configuration file are not among them.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::quota::Overrides;
use model::{Tenant, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::idempotency::Maker;
use super::input::{Body, Path, Seen};
use super::output::{Created, Done, Tagged};
use super::problem::Problem;
use crate::state::State;
use crate::stored;

#[derive(Serialize, ToSchema)]
pub(super) struct Tenants {
    tenants: Vec<Tenant>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    id: TenantId,
}

/// `GET /v1/tenants`: the oldest first.
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Json<Tenants>, Problem> {
    Ok(Json(Tenants { tenants: state.stored.storage.tenants().await? }))
}

/// `POST /v1/tenants`
pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Body(new): Body<NewTenant>,
) -> Result<Created<Tagged<Tenant>>, Problem> {
    let tenant = state.stored.storage.create_tenant(&new.id, maker.once(made)).await?;
    Ok(made(&tenant))
}

fn made(tenant: &Tenant) -> Created<Tagged<Tenant>> {
    Created(Tagged(tenant.clone()))
}

/// `GET /v1/tenants/{tenant}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<TenantId>,
) -> Result<Tagged<Tenant>, Problem> {
    Ok(Tagged(state.stored.storage.tenant(&id).await?))
}

/// `PUT /v1/tenants/{tenant}/quota`: what it may use, as far as that is not what the host gives to everybody.
pub(super) async fn set_quota(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<TenantId>,
    Seen(seen): Seen,
    Body(quota): Body<Overrides>,
) -> Result<Tagged<Tenant>, Problem> {
    let changed = state.stored.storage.set_quota(&id, &quota, seen, &caller.actor).await;
    let tenant = changed.map_err(|error| Problem::of_precondition(error, seen.is_some()))?;
    stored::refresh_all(&state, Some(&id)).await?;
    Ok(Tagged(tenant))
}

/// Sees that there is such a tenant: in storage, or in this host's configuration file.
///
/// # Errors
/// There is none.
pub(super) async fn must_be_known(state: &State, tenant: &TenantId) -> Result<(), Problem> {
    let directory = state.directory.load_full();
    if directory.nodes().into_iter().any(|live| !live.is_stored() && live.tenant == *tenant) {
        return Ok(());
    }
    state.stored.storage.tenant(tenant).await?;
    Ok(())
}

/// `DELETE /v1/tenants/{tenant}`: with its keys, nodes, revisions and secrets.
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<TenantId>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_tenant(&id, &caller.actor).await?;
    stored::refresh_all(&state, Some(&id)).await?;
    Ok(Done)
}
