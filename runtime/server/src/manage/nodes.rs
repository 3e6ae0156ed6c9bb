//! What serves, and what is wrong with what does not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use model::{ArtifactId, Limits, NodeId, TenantId};
use serde::Serialize;

use crate::config::OnBreak;
use crate::directory::{Condition, Live};
use crate::state::{Reload, State};

/// The body of `GET /v1/nodes`.
#[derive(Serialize)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// How the files were last taken over, the start included; `null` while the server starts.
    last_reload: Option<Reload>,
}

#[derive(Serialize)]
struct Node {
    tenant: TenantId,
    node: NodeId,
    condition: Condition,
    /// The SHA-256 of the code that serves.
    artifact: Option<ArtifactId>,
    artifact_path: String,
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

/// `GET /v1/nodes`
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Json<Nodes> {
    let directory = state.directory.load_full();
    Json(Nodes {
        nodes: directory.nodes().into_iter().map(|live| Node::of(live)).collect(),
        last_reload: state.last_reload.load_full().map(|reload| Reload::clone(&reload)),
    })
}

impl Node {
    fn of(live: &Live) -> Self {
        Self {
            tenant: live.tenant.clone(),
            node: live.node.clone(),
            condition: live.condition(),
            artifact: live.serving(),
            loaded: live.code.as_ref().is_some_and(|code| code.is_loaded()),
            artifact_path: live.artifact.display().to_string(),
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
