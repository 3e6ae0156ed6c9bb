//! What a tenant sets for its handlers to read: for all of its nodes, or for one. What is secret of it is never given back.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{ConfigEntry, ConfigKey, ConfigValue, NodeId, TenantId};
use serde::{Deserialize, Serialize};
use storage::{ConfigPlace, ConfigWrite};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::auth::Caller;
use super::input::{Body, Path, Query, Seen};
use super::output::{Done, Tagged};
use super::problem::Problem;
use crate::state::State;
use crate::stored;
use crate::values::Secret;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Absent: what is set for all nodes of the tenant that have no value of their own.
    node: Option<NodeId>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Config {
    /// In the order of the keys.
    config: Vec<ConfigEntry>,
}

/// A value, or a secret: that one nobody reads back but the handlers that are granted it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NewConfigEntry)]
pub(super) enum Wanted {
    Value(ConfigValue),
    Secret(SecretText),
}

#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 8, max_length = 4096)]
pub(super) struct SecretText(Zeroizing<String>);

/// `GET …/config`
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(Place { node }): Query<Place>,
) -> Result<Json<Config>, Problem> {
    let place = ConfigPlace { tenant: &tenant, node: node.as_ref() };
    Ok(Json(Config { config: state.stored.storage.config(place).await? }))
}

/// `GET …/config/{key}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, key)): Path<(TenantId, ConfigKey)>,
    Query(Place { node }): Query<Place>,
) -> Result<Tagged<ConfigEntry>, Problem> {
    let place = ConfigPlace { tenant: &tenant, node: node.as_ref() };
    Ok(Tagged(state.stored.storage.config_entry(place, &key).await?))
}

/// `PUT …/config/{key}`: handlers on this host read it when the answer comes.
pub(super) async fn set(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, key)): Path<(TenantId, ConfigKey)>,
    Query(Place { node }): Query<Place>,
    Seen(seen): Seen,
    Body(wanted): Body<Wanted>,
) -> Result<Tagged<ConfigEntry>, Problem> {
    let place = ConfigPlace { tenant: &tenant, node: node.as_ref() };
    let write = match &wanted {
        Wanted::Value(value) => ConfigWrite::Open(value),
        Wanted::Secret(SecretText(secret)) => {
            Secret::new(key.clone(), secret.clone()).map_err(Problem::invalid)?;
            ConfigWrite::Secret(secret)
        }
    };
    let set = state.stored.storage.set_config(place, &key, write, seen, &caller.actor).await;
    let entry = set.map_err(|error| Problem::of_precondition(error, seen.is_some()))?;
    stored::refresh_all(&state, Some(&tenant)).await?;
    Ok(Tagged(entry))
}

/// `DELETE …/config/{key}`
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, key)): Path<(TenantId, ConfigKey)>,
    Query(Place { node }): Query<Place>,
) -> Result<Done, Problem> {
    let place = ConfigPlace { tenant: &tenant, node: node.as_ref() };
    state.stored.storage.delete_config(place, &key, &caller.actor).await?;
    stored::refresh_all(&state, Some(&tenant)).await?;
    Ok(Done)
}
