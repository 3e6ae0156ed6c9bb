//! The secrets of a node's door: set, listed by their ids, removed; never given back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{NodeId, TenantId, WebhookSecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::auth::Caller;
use super::idempotency::Maker;
use super::input::{Body, Path};
use super::keys::after_now;
use super::output::{Created, Done};
use super::problem::Problem;
use crate::signature::Secret;
use crate::state::State;
use crate::stored;

/// A secret that can be guessed protects nothing.
const MIN_SECRET_BYTES: usize = 16;

#[derive(Serialize, ToSchema)]
pub(super) struct Secrets {
    secrets: Vec<WebhookSecret>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSecret)]
pub(super) struct Wanted {
    #[schema(value_type = String, min_length = 16)]
    secret: Zeroizing<String>,
    /// How long the secret that the node has already is still good, such as `24h`.
    #[serde(default, with = "humantime_serde::option")]
    #[schema(value_type = Option<String>)]
    retire_older_in: Option<Duration>,
}

/// `GET …/secrets`: the oldest first, at most two.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
) -> Result<Json<Secrets>, Problem> {
    state.stored.storage.node(&tenant, &node).await?;
    Ok(Json(Secrets { secrets: state.stored.storage.secrets(&tenant, &node).await? }))
}

/// `POST …/secrets`
pub(super) async fn add(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Json<WebhookSecret>>, Problem> {
    if wanted.secret.len() < MIN_SECRET_BYTES {
        return Err(Problem::invalid(format!(
            "the secret is too short: use at least {MIN_SECRET_BYTES} characters, such as the output of `openssl rand -hex 32`"
        )));
    }
    let storage = &state.stored.storage;
    let door = storage.node(&tenant, &node).await?.door;
    let secret = Secret::new(&wanted.secret).map_err(|why| Problem::invalid(why.to_string()))?;
    secret.serves(&door.schemes).map_err(|why| Problem::invalid(why.to_string()))?;
    let retire_at = wanted.retire_older_in.map(after_now).transpose()?;
    let older = storage.secrets(&tenant, &node).await?;
    if retire_at.is_none() && older.iter().any(|secret| secret.retires_at.is_none()) {
        return Err(Problem::conflict(format!(
            "the node {node} has a secret already: say how long that one is still good, with `retire_older_in`, such as \"24h\""
        )));
    }
    let made = storage.add_secret(&tenant, &node, &wanted.secret, retire_at, maker.once(told)).await?;
    stored::refresh(&state, &tenant, &node).await?;
    Ok(told(&made))
}

fn told(secret: &WebhookSecret) -> Created<Json<WebhookSecret>> {
    Created(Json(secret.clone()))
}

/// `DELETE …/secrets/{id}`
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, node, secret)): Path<(TenantId, NodeId, String)>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_secret(&tenant, &node, &secret, &caller.actor).await?;
    stored::refresh(&state, &tenant, &node).await?;
    Ok(Done)
}
