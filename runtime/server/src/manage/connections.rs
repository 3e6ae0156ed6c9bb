//! A tenant's connections: set, listed, tried, removed; their secrets are never given back.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{Connection, ConnectionName, ConnectionSettings, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::auth::Caller;
use super::input::{Body, Path, Seen};
use super::output::{Done, Tagged};
use super::problem::Problem;
use crate::connections::{Credential, Report, must_be_path};
use crate::state::State;
use crate::stored;

#[derive(Serialize, ToSchema)]
pub(super) struct Connections {
    connections: Vec<Connection>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection)]
pub(super) struct Wanted {
    settings: ConnectionSettings,
    /// Absent: the one that the connection has, which cannot be used elsewhere or in another way.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 4096)]
    secret: Option<Zeroizing<String>>,
}

/// `GET …/connections`: the oldest first.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Connections>, Problem> {
    state.stored.storage.tenant(&tenant).await?;
    Ok(Json(Connections { connections: state.stored.storage.connections(&tenant).await? }))
}

/// `GET …/connections/{connection}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, name)): Path<(TenantId, ConnectionName)>,
) -> Result<Tagged<Connection>, Problem> {
    Ok(Tagged(state.stored.storage.connection(&tenant, &name).await?))
}

/// `PUT …/connections/{connection}`: this host uses it as it is now when the answer comes.
pub(super) async fn set(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, name)): Path<(TenantId, ConnectionName)>,
    Seen(seen): Seen,
    Body(Wanted { settings, secret }): Body<Wanted>,
) -> Result<Tagged<Connection>, Problem> {
    match &secret {
        Some(secret) => drop(Credential::new(&settings, secret).map_err(Problem::invalid)?),
        // Storage keeps the secret for this very credential, which was good.
        None => must_be_path(&settings).map_err(Problem::invalid)?,
    }
    let secret = secret.as_ref().map(|secret| secret.as_str());
    let set = state.stored.storage.set_connection(&tenant, &name, &settings, secret, seen, &caller.actor).await;
    let connection = set.map_err(|error| Problem::of_precondition(error, seen.is_some()))?;
    stored::refresh_all(&state, Some(&tenant)).await?;
    Ok(Tagged(connection))
}

/// `DELETE …/connections/{connection}`
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, name)): Path<(TenantId, ConnectionName)>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_connection(&tenant, &name, &caller.actor).await?;
    stored::refresh_all(&state, Some(&tenant)).await?;
    Ok(Done)
}

/// `POST …/connections/{connection}/test`: one request, enabled or not; what comes back is told by its status alone.
pub(super) async fn test(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, name)): Path<(TenantId, ConnectionName)>,
) -> Result<Json<Report>, Problem> {
    state.stored.storage.connection(&tenant, &name).await?;
    let Some(connection) = state.reach.connections.find(&tenant, &name) else {
        return Err(Problem::conflict(format!("this host cannot use the connection {name}: set it anew")));
    };
    Ok(Json(connection.test(state.reach.gateway.client(&tenant)).await))
}
