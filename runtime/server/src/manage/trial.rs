//! A test run: any revision on an event, under its production limits, without touching live traffic.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use model::{Event, Limits, NodeId, Revision, RevisionNumber, Run, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::input::{Body, Path};
use super::problem::Problem;
use crate::state::State;
use crate::stored;
use crate::values::Own;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Trial)]
pub(super) struct Wanted {
    /// Handed to the handler byte for byte.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
    /// Absent: the live one.
    revision: Option<RevisionNumber>,
}

/// All that is known of the run. It is not among the records of the node.
#[derive(Serialize, ToSchema)]
pub(super) struct Tried {
    revision: RevisionNumber,
    limits: Limits,
    #[serde(flatten)]
    run: Run,
}

/// `POST …/test`
pub(super) async fn run(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, node)): Path<(TenantId, NodeId)>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Tried>, Problem> {
    let revision = revision(&state, &tenant, &node, wanted.revision).await?;
    let code = stored::ready(&state, revision.artifact).await?;
    let directory = state.directory.load_full();
    let limits = directory.limits(&revision.settings).map_err(|errors| Problem::internal(format!("{errors:?}")))?;
    let event =
        Event::parse(wanted.event.get().as_bytes().to_vec()).map_err(|why| Problem::invalid(why.to_string()))?;
    let share = directory.share_of(&tenant);
    let _permit = state.gate.admit(&share).await.map_err(|full| Problem::busy(full.to_string()))?;
    // Dropped with the request: a caller who leaves ends the run.
    let Revision { number, settings, .. } = &revision;
    let grants = state.reach.grants(&tenant, &node, &directory.quota(&tenant), &settings.grants, Own::of(settings));
    let mut run = state.sandbox.run(&code, &event, &limits, &grants, &CancellationToken::new()).await;
    grants.redact(&mut run);
    share.charge(run.usage.cpu_time);
    Ok(Json(Tried { revision: *number, limits, run }))
}

async fn revision(
    state: &State,
    tenant: &TenantId,
    node: &NodeId,
    wanted: Option<RevisionNumber>,
) -> Result<Revision, Problem> {
    let storage = &state.stored.storage;
    let live = storage.node(tenant, node).await?.live;
    let number = wanted.or(live).ok_or_else(|| Problem::conflict("nothing is live yet: name a revision to test"))?;
    Ok(storage.revision(tenant, node, number).await?)
}
