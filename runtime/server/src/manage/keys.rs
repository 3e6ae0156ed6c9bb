//! Keys of this API. The key itself is in one answer, the one to its making.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use jiff::{SignedDuration, Timestamp};
use model::{ApiKey, Role, TenantId};
use serde::{Deserialize, Serialize};
use storage::{NewKey, ShownKey};
use utoipa::ToSchema;

use super::auth::Caller;
use super::idempotency::Maker;
use super::input::{Body, Path};
use super::output::{Created, Done, Unstored};
use super::problem::Problem;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<ApiKey>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub(super) struct Wanted {
    role: Role,
    #[serde(default)]
    label: String,
    /// `90d`; absent: never.
    #[serde(default, with = "humantime_serde::option")]
    #[schema(value_type = Option<String>)]
    expires_in: Option<Duration>,
}

/// A fresh key, and its text, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = FreshKey)]
pub(super) struct Made {
    #[serde(flatten)]
    about: ApiKey,
    key: String,
}

type Shown = Created<Unstored<Json<Made>>>;

/// `GET /v1/tenants/{tenant}/keys`
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Keys>, Problem> {
    Ok(Json(Keys { keys: state.stored.storage.keys(Some(&tenant)).await? }))
}

/// `POST /v1/tenants/{tenant}/keys`: of a role that is no higher than the caller's.
pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Path(tenant): Path<TenantId>,
    Body(wanted): Body<Wanted>,
) -> Result<Shown, Problem> {
    if wanted.role == Role::Operator {
        return Err(Problem::invalid("an operator's key belongs to no tenant: make it at /v1/keys"));
    }
    make(&state, &maker, Some(tenant), wanted).await
}

/// `DELETE /v1/tenants/{tenant}/keys/{id}`
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, key)): Path<(TenantId, String)>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_key(Some(&tenant), &key, &caller.actor).await?;
    Ok(Done)
}

/// `GET /v1/keys`: the operators' own.
pub(super) async fn list_operators(Shared(state): Shared<Arc<State>>) -> Result<Json<Keys>, Problem> {
    Ok(Json(Keys { keys: state.stored.storage.keys(None).await? }))
}

/// `POST /v1/keys`: for an operator.
pub(super) async fn create_operators(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Body(wanted): Body<Wanted>,
) -> Result<Shown, Problem> {
    if wanted.role != Role::Operator {
        return Err(Problem::invalid(format!(
            "a key with the role `{}` belongs to a tenant: make it at /v1/tenants/{{tenant}}/keys",
            wanted.role
        )));
    }
    make(&state, &maker, None, wanted).await
}

/// `DELETE /v1/keys/{id}`
pub(super) async fn delete_operators(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(key): Path<String>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_key(None, &key, &caller.actor).await?;
    Ok(Done)
}

async fn make(state: &State, maker: &Maker, tenant: Option<TenantId>, wanted: Wanted) -> Result<Shown, Problem> {
    let expires_at = wanted.expires_in.map(after_now).transpose()?;
    let new = NewKey { tenant, role: wanted.role, label: wanted.label, expires_at };
    Ok(shown(&state.stored.storage.create_key(&new, maker.once(shown)).await?))
}

fn shown((about, key): &(ApiKey, ShownKey)) -> Shown {
    Created(Unstored(Json(Made { about: about.clone(), key: key.reveal().to_owned() })))
}

/// The moment that is so far away, if there is one.
pub(super) fn after_now(time: Duration) -> Result<Timestamp, Problem> {
    let later = SignedDuration::try_from(time).ok().and_then(|time| Timestamp::now().checked_add(time).ok());
    later.ok_or_else(|| Problem::invalid("the time is too far in the future: give one such as \"90d\""))
}
