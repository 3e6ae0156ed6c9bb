//! Revisions: made, compared, promoted, rolled back.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use model::{ArtifactId, ConfigKey, Grant, Node, NodeId, Revision, RevisionNumber, Settings, TenantId};
use serde::{Deserialize, Serialize};
use storage::{ConfigPlace, NewRevision, StorageError};
use utoipa::{IntoParams, ToSchema};

use super::artifacts::{inspection_of, names};
use super::auth::Caller;
use super::idempotency::Maker;
use super::input::{Body, Path, Query, Seen};
use super::output::{Created, Done, Tagged};
use super::problem::Problem;
use crate::state::State;
use crate::stored;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1000;

/// A page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page<C: ToSchema> {
    /// Where the page before ended: its `next`.
    cursor: Option<C>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl<C: ToSchema> Page<C> {
    /// Where to begin, and how many to give.
    pub(super) fn bounds(self) -> Result<(Option<C>, u32), Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if limit == 0 || limit > MAX_LIMIT {
            return Err(Problem::invalid(format!("`limit` is {limit}: it must be from 1 to {MAX_LIMIT}")));
        }
        Ok((self.cursor, limit))
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Revisions {
    revisions: Vec<Revision>,
    /// The cursor of the next page; `null` on the last.
    next: Option<RevisionNumber>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRevision)]
pub(super) struct Wanted {
    artifact: ArtifactId,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Against {
    /// Absent: the live one.
    against: Option<RevisionNumber>,
}

/// What one revision has that the other has not.
#[derive(Serialize, ToSchema)]
pub(super) struct Diff {
    from: RevisionNumber,
    to: RevisionNumber,
    same_artifact: bool,
    imports_added: Vec<String>,
    imports_removed: Vec<String>,
    grants_added: Vec<Grant>,
    grants_removed: Vec<Grant>,
    settings_from: Settings,
    settings_to: Settings,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Promotion {
    revision: RevisionNumber,
    /// What it may reach that the live revision may not; all of that has to be said.
    #[serde(default)]
    grants: Vec<Grant>,
}

/// `GET …/revisions`: the newest first.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Query(page): Query<Page<RevisionNumber>>,
) -> Result<Json<Revisions>, Problem> {
    let (before, limit) = page.bounds()?;
    state.stored.storage.node(&tenant, &node).await?;
    let revisions = state.stored.storage.revisions(&tenant, &node, before, limit).await?;
    let is_full = revisions.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = revisions.last().filter(|_| is_full).map(|last| last.number);
    Ok(Json(Revisions { revisions, next }))
}

/// `POST …/revisions`: the node's next one. It runs once it is promoted.
pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Json<Revision>>, Problem> {
    let new = NewRevision { artifact: wanted.artifact, settings: wanted.settings, note: wanted.note };
    let revision = state.stored.storage.create_revision(&tenant, &node, &new, maker.once(made)).await?;
    Ok(made(&revision))
}

fn made(revision: &Revision) -> Created<Json<Revision>> {
    Created(Json(revision.clone()))
}

/// `GET …/revisions/{revision}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, node, number)): Path<(TenantId, NodeId, RevisionNumber)>,
) -> Result<Json<Revision>, Problem> {
    Ok(Json(state.stored.storage.revision(&tenant, &node, number).await?))
}

/// `DELETE …/revisions/{revision}`: what is neither live, nor where a roll-back leads, nor the newest.
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, node, number)): Path<(TenantId, NodeId, RevisionNumber)>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_revision(&tenant, &node, number, &caller.actor).await?;
    Ok(Done)
}

/// `GET …/revisions/{revision}/diff?against=…`
pub(super) async fn diff(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, node, number)): Path<(TenantId, NodeId, RevisionNumber)>,
    Query(query): Query<Against>,
) -> Result<Json<Diff>, Problem> {
    let storage = &state.stored.storage;
    let live = storage.node(&tenant, &node).await?.live;
    let from = query
        .against
        .or(live)
        .ok_or_else(|| Problem::conflict("nothing is live yet: name the revision to compare with, `?against=1`"))?;
    let (from, to) = (storage.revision(&tenant, &node, from).await?, storage.revision(&tenant, &node, number).await?);
    let before = names(&inspection_of(&storage.artifact(&tenant, &from.artifact).await?)?);
    let after = names(&inspection_of(&storage.artifact(&tenant, &to.artifact).await?)?);
    Ok(Json(Diff {
        from: from.number,
        to: to.number,
        same_artifact: from.artifact == to.artifact,
        imports_added: after.difference(&before).cloned().collect(),
        imports_removed: before.difference(&after).cloned().collect(),
        grants_added: beyond(&to.settings, &from.settings),
        grants_removed: beyond(&from.settings, &to.settings),
        settings_from: from.settings,
        settings_to: to.settings,
    }))
}

/// `POST …/promote`: the code is compiled and loaded before the pointer moves, and this host serves it when the answer comes.
pub(super) async fn promote(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Seen(seen): Seen,
    Body(wanted): Body<Promotion>,
) -> Result<Tagged<Node>, Problem> {
    let storage = &state.stored.storage;
    let revision = storage.revision(&tenant, &node, wanted.revision).await?;
    must_be_said(&state, &tenant, &node, &revision, &wanted.grants).await?;
    must_be_there(&state, &tenant, &node, &revision).await?;
    let _warm = stored::ready(&state, revision.artifact).await?;
    let promoted = storage.promote(&tenant, &node, wanted.revision, seen, &caller.actor).await;
    let promoted = promoted.map_err(|error| Problem::of_precondition(error, seen.is_some()))?;
    stored::refresh(&state, &tenant, &node).await?;
    Ok(Tagged(promoted))
}

/// Nothing is granted by the way: whoever promotes says what is new.
async fn must_be_said(
    state: &State,
    tenant: &TenantId,
    node: &NodeId,
    revision: &Revision,
    said: &[Grant],
) -> Result<(), Problem> {
    let storage = &state.stored.storage;
    let before = match storage.node(tenant, node).await?.live {
        Some(live) => storage.revision(tenant, node, live).await?.settings,
        None => Settings::default(),
    };
    let new = beyond(&revision.settings, &before);
    let unsaid: Vec<String> = new.iter().filter(|grant| !said.contains(grant)).map(ToString::to_string).collect();
    if unsaid.is_empty() { Ok(()) } else { Err(Problem::new_grants(revision.number, unsaid)) }
}

/// What is granted and is not there would break the first event.
async fn must_be_there(state: &State, tenant: &TenantId, node: &NodeId, revision: &Revision) -> Result<(), Problem> {
    let missing = |what: String| {
        let number = revision.number;
        Problem::conflict(format!(
            "revision {number} is granted the {what}, and there is none of that name: set it first"
        ))
    };
    for grant in &revision.settings.grants {
        match grant {
            Grant::Connection(name) => match state.stored.storage.connection(tenant, name).await {
                Err(StorageError::NotFound(_)) => return Err(missing(format!("connection {name}"))),
                found => drop(found?),
            },
            Grant::Secret(key) if !is_secret(state, tenant, node, key).await? => {
                return Err(missing(format!("secret {key}")));
            }
            Grant::Http(_) | Grant::KeyValue(_) | Grant::State(_) | Grant::Config | Grant::Secret(_) => {}
        }
    }
    Ok(())
}

/// Whether what a node reads under a key is secret.
async fn is_secret(state: &State, tenant: &TenantId, node: &NodeId, key: &ConfigKey) -> Result<bool, Problem> {
    for node in [Some(node), None] {
        match state.stored.storage.config_entry(ConfigPlace { tenant, node }, key).await {
            Err(StorageError::NotFound(_)) => {}
            found => return Ok(found?.value.is_none()),
        }
    }
    Ok(false)
}

/// What these settings grant and the others do not.
fn beyond(settings: &Settings, others: &Settings) -> Vec<Grant> {
    settings.grants.iter().filter(|grant| !others.grants.contains(grant)).cloned().collect()
}

/// `POST …/roll-back`: to the revision that was live before. Done twice, it leads back.
pub(super) async fn roll_back(
    Shared(state): Shared<Arc<State>>,
    maker: Maker,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Seen(seen): Seen,
) -> Result<Tagged<Node>, Problem> {
    let rolled_back = state.stored.storage.roll_back(&tenant, &node, seen, maker.once(as_it_is)).await;
    let rolled_back = rolled_back.map_err(|error| Problem::of_precondition(error, seen.is_some()))?;
    stored::refresh(&state, &tenant, &node).await?;
    Ok(as_it_is(&rolled_back))
}

fn as_it_is(node: &Node) -> Tagged<Node> {
    Tagged(node.clone())
}
