//! What handlers keep, read and set by hand: in a node's bucket, or without a node in the one that all nodes of its tenant share. What is remembered
//! of users and conversations is read and deleted here, too.

use std::string::FromUtf8Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use model::{Bucket, Details, NewValue, NodeId, TenantId};
use sandbox::key_value::{MAX_KEY_BYTES, MAX_LIFETIME, MAX_VALUE_BYTES};
use serde::{Deserialize, Serialize};
use storage::EntryWrite;
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::input::{Body, Path, Query};
use super::output::Done;
use super::problem::Problem;
use crate::key_values::Buckets;
use crate::state::State;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Absent: the bucket that all nodes of the tenant share.
    node: Option<NodeId>,
    /// What is remembered of users or of conversations, in the place of a node's bucket.
    #[param(inline)]
    bucket: Option<Details>,
    /// What the keys begin with.
    prefix: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EntryKeys)]
pub(super) struct Keys {
    /// In the order of their bytes.
    keys: Vec<String>,
    /// The cursor of the next page; `null` on the last.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Absent: the bucket that all nodes of the tenant share.
    node: Option<NodeId>,
    /// What is remembered of users or of conversations, in the place of a node's bucket.
    #[param(inline)]
    bucket: Option<Details>,
    #[param(min_length = 1, max_length = 512)]
    key: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPlace {
    /// Absent: the bucket that all nodes of the tenant share.
    node: Option<NodeId>,
    #[param(min_length = 1, max_length = 512)]
    key: String,
}

/// What is kept under a key.
#[derive(Serialize, ToSchema)]
pub(super) struct Entry {
    key: String,
    value: Value,
    /// `null`: it is kept until it is deleted.
    expires_at: Option<Timestamp>,
}

/// A value: as text, or in base64 where it is none.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EntryValue)]
pub(super) enum Value {
    Text(String),
    Base64(String),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEntry)]
pub(super) struct Wanted {
    value: Value,
    /// How long it is kept, such as `5m`; absent: until it is deleted.
    #[serde(default, with = "humantime_serde::option")]
    #[schema(value_type = Option<String>)]
    ttl: Option<Duration>,
}

/// `GET …/entries`
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(listing): Query<Listing>,
) -> Result<Json<Keys>, Problem> {
    let limit = listing.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(Problem::invalid(format!("`limit` is {limit}: it must be from 1 to {MAX_LIMIT}")));
    }
    let bucket = bucket(listing.node.as_ref(), listing.bucket)?;
    let buckets = buckets(&state, &tenant, listing.node.as_ref()).await?;
    let place = buckets.place(bucket)?;
    let (prefix, after) = (listing.prefix.unwrap_or_default(), listing.cursor);
    let keys = state.stored.storage.entry_keys(place, &prefix, after.as_deref(), limit, Timestamp::now()).await?;
    let is_full = keys.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = keys.last().filter(|_| is_full).cloned();
    Ok(Json(Keys { keys, next }))
}

/// `GET …/entry`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
    Query(Place { node, bucket: of, key }): Query<Place>,
) -> Result<Json<Entry>, Problem> {
    let bucket = bucket(node.as_ref(), of)?;
    let buckets = buckets(&state, &tenant, node.as_ref()).await?;
    let keys = [key];
    let found = state.stored.storage.entries(buckets.place(bucket)?, &keys, Timestamp::now()).await?;
    let [key] = keys;
    let Some(entry) = found.into_iter().next().flatten() else {
        return Err(Problem::not_found(format!("there is no entry {}", key.escape_debug())));
    };
    let base64 = |error: FromUtf8Error| Value::Base64(STANDARD.encode(error.as_bytes()));
    let value = String::from_utf8(entry.value).map_or_else(base64, Value::Text);
    Ok(Json(Entry { key, value, expires_at: entry.expires_at }))
}

/// `PUT …/entry`
pub(super) async fn set(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(tenant): Path<TenantId>,
    Query(NewPlace { node, key }): Query<NewPlace>,
    Body(wanted): Body<Wanted>,
) -> Result<Done, Problem> {
    let bucket = bucket(node.as_ref(), None)?;
    must_be_key(&key)?;
    let value = wanted.value.bytes()?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(Problem::invalid(format!("the value has {} bytes: the most is {MAX_VALUE_BYTES}", value.len())));
    }
    if wanted.ttl.is_some_and(|ttl| ttl < Duration::from_secs(1) || ttl > MAX_LIFETIME) {
        let most = humantime::format_duration(MAX_LIFETIME);
        return Err(Problem::invalid(format!("`ttl` must be from 1s to {most}")));
    }
    let buckets = buckets(&state, &tenant, node.as_ref()).await?;
    buckets.take_room(bucket, &key, (key.len() + value.len()) as u64).await?;
    let now = Timestamp::now();
    let expires_at = wanted.ttl.map(|ttl| now.checked_add(ttl).unwrap_or(Timestamp::MAX));
    let (bucket, value) = (buckets.place(bucket)?.name.to_owned(), NewValue::Bytes(value));
    let write = EntryWrite { bucket, key, value, expires_at };
    state.stored.storage.write_entry_by_hand(&tenant, node.as_ref(), &write, &caller.actor, now).await?;
    Ok(Done)
}

/// `DELETE …/entry`
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(tenant): Path<TenantId>,
    Query(Place { node, bucket: of, key }): Query<Place>,
) -> Result<Done, Problem> {
    let bucket = bucket(node.as_ref(), of)?;
    let buckets = buckets(&state, &tenant, node.as_ref()).await?;
    let bucket = buckets.place(bucket)?.name.to_owned();
    let write = EntryWrite { bucket, key, value: NewValue::Nothing, expires_at: None };
    let (storage, now) = (&state.stored.storage, Timestamp::now());
    storage.write_entry_by_hand(&tenant, node.as_ref(), &write, &caller.actor, now).await?;
    Ok(Done)
}

impl Value {
    fn bytes(self) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(base64) => {
                STANDARD.decode(base64).map_err(|error| Problem::invalid(format!("`base64` is none: {error}")))
            }
        }
    }
}

fn bucket(node: Option<&NodeId>, of: Option<Details>) -> Result<Bucket, Problem> {
    match (node, of) {
        (None, None) => Ok(Bucket::Tenant),
        (Some(_), None) => Ok(Bucket::Node),
        (None, Some(details)) => Ok(details.bucket()),
        (Some(_), Some(details)) => Err(Problem::not_found(format!(
            "there is no bucket `{details}` of a node: it is of all nodes of the tenant, so leave `node` out"
        ))),
    }
}

/// The buckets of a node that there is, or of a tenant that there is.
async fn buckets(state: &State, tenant: &TenantId, node: Option<&NodeId>) -> Result<Buckets, Problem> {
    let directory = state.directory.load_full();
    let is_configured = match node {
        Some(node) => directory.find(tenant.as_str(), node.as_str()).is_some_and(|live| !live.is_stored()),
        None => directory.nodes().into_iter().any(|live| !live.is_stored() && live.tenant == *tenant),
    };
    match node {
        _ if is_configured => {}
        Some(node) => drop(state.stored.storage.node(tenant, node).await?),
        None => drop(state.stored.storage.tenant(tenant).await?),
    }
    Ok(state.reach.key_values.buckets(tenant, node, &directory.quota(tenant)))
}

fn must_be_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Problem::invalid(format!("a key has 1 to {MAX_KEY_BYTES} bytes, and this one has {}", key.len())));
    }
    if key.contains("?ttl=") {
        return Err(Problem::invalid("a key cannot hold `?ttl=`: say `ttl` in the body"));
    }
    Ok(())
}
