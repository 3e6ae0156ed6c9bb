//! Tenants, as they are stored. Those of the configuration file are not among them.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{Tenant, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::input::{Body, Path};
use super::output::{Created, Done};
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
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewTenant>,
) -> Result<Created<Json<Tenant>>, Problem> {
    let tenant = state.stored.storage.create_tenant(&new.id, &caller.actor).await?;
    Ok(Created(Json(tenant)))
}

/// `GET /v1/tenants/{tenant}`
pub(super) async fn show(Shared(state): Shared<Arc<State>>, Path(id): Path<TenantId>) -> Result<Json<Tenant>, Problem> {
    Ok(Json(state.stored.storage.tenant(&id).await?))
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
