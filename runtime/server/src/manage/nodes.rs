//! Nodes, as they are stored: their doors, and which revision is live.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{Door, Node, NodeId, TenantId};
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
pub(super) struct Nodes {
    nodes: Vec<Node>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNode {
    id: NodeId,
    #[serde(default)]
    door: Door,
}

/// `GET /v1/tenants/{tenant}/nodes`: the oldest first.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Nodes>, Problem> {
    Ok(Json(Nodes { nodes: state.stored.storage.nodes(&tenant).await? }))
}

/// `POST /v1/tenants/{tenant}/nodes`
pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Path(tenant): Path<TenantId>,
    Body(new): Body<NewNode>,
) -> Result<Created<Tagged<Node>>, Problem> {
    let configured = state.directory.load_full();
    if configured.find(tenant.as_str(), new.id.as_str()).is_some_and(|live| !live.is_stored()) {
        return Err(Problem::conflict(format!(
            "the node {} is in this host's configuration file, which comes first: remove it there, or take another name",
            new.id
        )));
    }
    let quota = configured.quota(&tenant);
    let node = state.stored.storage.create_node(&tenant, &new.id, &new.door, &quota, maker.once(made)).await?;
    stored::refresh(&state, &tenant, &new.id).await?;
    Ok(made(&node))
}

fn made(node: &Node) -> Created<Tagged<Node>> {
    Created(Tagged(node.clone()))
}

/// `GET /v1/tenants/{tenant}/nodes/{node}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, id)): Path<(TenantId, NodeId)>,
) -> Result<Tagged<Node>, Problem> {
    Ok(Tagged(state.stored.storage.node(&tenant, &id).await?))
}

/// `PUT /v1/tenants/{tenant}/nodes/{node}/door`: which events it takes.
pub(super) async fn set_door(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, id)): Path<(TenantId, NodeId)>,
    Seen(seen): Seen,
    Body(door): Body<Door>,
) -> Result<Tagged<Node>, Problem> {
    let changed = state.stored.storage.set_door(&tenant, &id, &door, seen, &caller.actor).await;
    let node = changed.map_err(|error| Problem::of_precondition(error, seen.is_some()))?;
    stored::refresh(&state, &tenant, &id).await?;
    Ok(Tagged(node))
}

/// `DELETE /v1/tenants/{tenant}/nodes/{node}`: with its revisions and secrets.
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, id)): Path<(TenantId, NodeId)>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_node(&tenant, &id, &caller.actor).await?;
    stored::refresh(&state, &tenant, &id).await?;
    Ok(Done)
}
