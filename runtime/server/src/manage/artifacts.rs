//! Artifacts: uploaded, inspected and compiled in one request, which is answered with all that is known of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use bytes::Bytes;
use jiff::Timestamp;
use model::{Actor, ArtifactId, Family, Grant, NodeId, TenantId};
use sandbox::{Import, Inspection, Kind, MAX_ARTIFACT_BYTES};
use serde::{Deserialize, Serialize};
use storage::{Artifact, NewArtifact};
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::input::{self, Path, Query};
use super::output::{Done, Kept};
use super::problem::Problem;
use crate::listen::{BodyError, read_body};
use crate::state::State;

/// For the whole of an artifact to arrive.
const UPLOAD_TIME: Duration = Duration::from_secs(120);
const LISTED: u32 = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct For {
    /// The node that it is for: the answer then says what it imports that the live revision does not.
    node: Option<NodeId>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Artifacts {
    artifacts: Vec<Described>,
}

/// What is known of an artifact.
#[derive(Serialize, ToSchema)]
#[schema(as = Artifact)]
pub(super) struct Described {
    /// The SHA-256 of its bytes, which is its name.
    artifact: ArtifactId,
    bytes: u64,
    kind: Option<Kind>,
    imports: Vec<Import>,
    /// The capabilities that it can use; each takes a grant of its revision's.
    needs: BTreeSet<Family>,
    functions: u64,
    created_at: Timestamp,
    created_by: Actor,
}

/// The answer to an upload.
#[derive(Serialize, ToSchema)]
pub(super) struct Uploaded {
    #[serde(flatten)]
    described: Described,
    /// Whether the tenant had not uploaded these bytes before.
    is_new: bool,
    /// What it imports and the node's live revision does not; `null` where no node was named, or nothing is live.
    new_imports: Option<Vec<String>>,
    /// What it needs and nothing is granted of to the node's live revision; `null` like `new_imports`.
    new_needs: Option<BTreeSet<Family>>,
}

/// `GET /v1/tenants/{tenant}/artifacts`: the newest first, 200 at most.
pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Artifacts>, Problem> {
    let artifacts = state.stored.storage.artifacts(&tenant, LISTED).await?;
    let artifacts = artifacts.iter().map(Described::of).collect::<Result<_, _>>()?;
    Ok(Json(Artifacts { artifacts }))
}

/// `GET /v1/tenants/{tenant}/artifacts/{artifact}`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, id)): Path<(TenantId, ArtifactId)>,
) -> Result<Json<Described>, Problem> {
    Ok(Json(Described::of(&state.stored.storage.artifact(&tenant, &id).await?)?))
}

/// `DELETE /v1/tenants/{tenant}/artifacts/{artifact}`: where no revision runs it.
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path((tenant, id)): Path<(TenantId, ArtifactId)>,
) -> Result<Done, Problem> {
    state.stored.storage.delete_artifact(&tenant, &id, &caller.actor).await?;
    Ok(Done)
}

/// `POST /v1/tenants/{tenant}/artifacts?node=…`: the body is the artifact or, by its media type, a source. 201, or 200 where the tenant has it already.
///
/// An artifact that cannot run is refused with every reason, and is not kept.
pub(super) async fn upload(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Path(tenant): Path<TenantId>,
    Query(query): Query<For>,
    input::Artifact { body, language }: input::Artifact,
) -> Result<Kept<Uploaded>, Problem> {
    state.stored.storage.tenant(&tenant).await?;
    let Ok(_turn) = state.uploads.try_acquire() else {
        return Err(Problem::busy("too many artifacts are on their way in: try again in a moment"));
    };
    let live = match &query.node {
        Some(node) => live(&state, &tenant, node).await?,
        None => None,
    };
    let body = read_body(body, MAX_ARTIFACT_BYTES, UPLOAD_TIME).await?;
    let body = language.map_or_else(|| body.clone(), |language| Bytes::from(language.artifact(&body)));
    let inspection = inspect(body.clone()).await?;
    state.sandbox.prepare(&body).await?;
    let id = inspection.artifact.parse().map_err(Problem::internal)?;
    let new =
        NewArtifact { id, bytes: body, inspection: serde_json::to_string(&inspection).map_err(Problem::internal)? };
    let quota = state.directory.load().quota(&tenant);
    let (artifact, is_new) = state.stored.storage.add_artifact(&tenant, &new, &quota, &caller.actor).await?;
    let new_imports = live.as_ref().map(|live| names(&inspection).difference(&live.imports).cloned().collect());
    let new_needs = live.map(|live| inspection.needs().difference(&live.granted).copied().collect());
    let body = Uploaded { described: Described::of(&artifact)?, is_new, new_imports, new_needs };
    Ok(Kept { is_new, body })
}

/// What the sandbox finds; a refusal where it finds a problem.
async fn inspect(bytes: Bytes) -> Result<Inspection, Problem> {
    let inspection = tokio::task::spawn_blocking(move || sandbox::inspect(&bytes)).await.map_err(Problem::internal)?;
    if inspection.problems.is_empty() { Ok(inspection) } else { Err(Problem::refused(inspection.problems)) }
}

/// What the node's live revision imports, and may use.
struct Live {
    imports: BTreeSet<String>,
    granted: BTreeSet<Family>,
}

/// `None` where nothing is live.
async fn live(state: &State, tenant: &TenantId, node: &NodeId) -> Result<Option<Live>, Problem> {
    let storage = &state.stored.storage;
    let Some(live) = storage.node(tenant, node).await?.live else { return Ok(None) };
    let live = storage.revision(tenant, node, live).await?;
    let imports = names(&inspection_of(&storage.artifact(tenant, &live.artifact).await?)?);
    Ok(Some(Live { imports, granted: live.settings.grants.iter().map(Grant::family).collect() }))
}

/// What was found when the artifact was uploaded.
pub(super) fn inspection_of(artifact: &Artifact) -> Result<Inspection, Problem> {
    serde_json::from_str(&artifact.inspection).map_err(Problem::internal)
}

/// The names of an artifact's imports.
pub(super) fn names(inspection: &Inspection) -> BTreeSet<String> {
    inspection.imports.iter().map(|import| import.name.clone()).collect()
}

impl Described {
    fn of(artifact: &Artifact) -> Result<Self, Problem> {
        let inspection = inspection_of(artifact)?;
        Ok(Self {
            artifact: artifact.id,
            bytes: artifact.bytes,
            kind: inspection.kind,
            needs: inspection.needs(),
            imports: inspection.imports,
            functions: inspection.functions,
            created_at: artifact.created_at,
            created_by: artifact.created_by.clone(),
        })
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => {
                Self::too_large(format!("an artifact may have {} MiB at most", MAX_ARTIFACT_BYTES >> 20))
            }
            BodyError::TimedOut => Self::too_slow("the artifact did not arrive in time"),
            BodyError::Broken => Self::invalid("the body ended early or was framed wrongly"),
        }
    }
}
