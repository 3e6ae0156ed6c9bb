//! What serves on this host, and what is wrong with what does not.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::{Extension, Json};
use jiff::Timestamp;
use model::{ArtifactId, Limits, NodeId, OnBreak, RevisionNumber, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use crate::directory::{self, Condition, Live};
use crate::state::{self, State};

/// The body of `GET /v1/nodes`.
#[derive(Serialize, ToSchema)]
#[schema(as = ServingNodes)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// How the files were last taken over, the start included; `null` while the server starts.
    last_reload: Option<Reload>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ServingNode)]
struct Node {
    tenant: TenantId,
    node: NodeId,
    condition: Condition,
    /// The SHA-256 of the code that serves.
    artifact: Option<ArtifactId>,
    /// Where it comes from: the file that the configuration names, or storage.
    source: Source,
    /// Whether its code is mapped now; if not, the next event maps it.
    loaded: bool,
    problems: Vec<String>,
    allow_unsigned: bool,
    limits: Limits,
    end_node: bool,
    human_assistance: bool,
    on_break: &'static str,
    /// Of the tenant: runs under way and events that wait.
    tenant_runs: u32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    File(String),
    /// The live revision; `null` where none is promoted.
    Revision(Option<RevisionNumber>),
}

/// `GET /v1/nodes`: of the caller's tenant, or all for an operator.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, Extension(caller): Extension<Caller>) -> Json<Nodes> {
    let directory = state.directory.load_full();
    let nodes = directory.nodes().into_iter();
    let nodes = nodes.filter(|live| caller.tenant.as_ref().is_none_or(|own| *own == live.tenant));
    Json(Nodes {
        nodes: nodes.map(|live| Node::of(live)).collect(),
        last_reload: state.last_reload.load_full().map(|reload| Reload::of(&reload)),
    })
}

/// How a reload went.
#[derive(Serialize, ToSchema)]
struct Reload {
    at: Timestamp,
    /// Whether the new configuration serves. A node's own artifact may be bad all the same.
    taken_over: bool,
    /// What is wrong, nodes included.
    problems: Vec<String>,
}

impl Source {
    fn of(live: &Live) -> Self {
        match &live.source {
            directory::Source::File(path) => Self::File(path.display().to_string()),
            directory::Source::Stored { revision, .. } => Self::Revision(*revision),
        }
    }
}

impl Reload {
    fn of(reload: &state::Reload) -> Self {
        Self { at: reload.at, taken_over: reload.taken_over, problems: reload.problems.clone() }
    }
}

impl Node {
    fn of(live: &Live) -> Self {
        Self {
            tenant: live.tenant.clone(),
            node: live.node.clone(),
            condition: live.condition(),
            artifact: live.serving(),
            loaded: live.code.as_ref().is_some_and(|code| code.is_loaded()),
            source: Source::of(live),
            problems: live.problems.clone(),
            allow_unsigned: live.allow_unsigned,
            limits: live.limits,
            end_node: live.end_node,
            human_assistance: live.human_assistance,
            on_break: match live.on_break {
                OnBreak::Fail => "fail",
                OnBreak::Say(_) => "say",
            },
            tenant_runs: live.share.taken(),
        }
    }
}
