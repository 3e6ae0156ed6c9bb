//! Whether the process lives, and whether the front door answers. Open to everybody, so it names no tenant, node or path.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use http::StatusCode;
use serde_json::{Value, json};

use crate::directory::Condition;
use crate::state::{Phase, State};

/// `GET /healthz`
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz/front-door`: whether events are taken, which needs no storage. For load balancers: a database that is away makes all hosts not ready
/// at once, and they serve all the same.
pub(super) async fn takes_events(Shared(state): Shared<Arc<State>>) -> (StatusCode, Json<Value>) {
    let (status, word) = standing(&state);
    (status, Json(json!({ "status": word })))
}

fn standing(state: &State) -> (StatusCode, &'static str) {
    match state.phase() {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Phase::Serving => (StatusCode::OK, "ready"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    }
}

/// `GET /readyz`: 503 before the front door opens, while the server drains, and while storage does not answer: what is live serves then,
/// but changes do not come through.
pub(super) async fn ready(Shared(state): Shared<Arc<State>>) -> (StatusCode, Json<Value>) {
    let (status, word) = if state.phase() == Phase::Serving && state.stored.trouble().is_some() {
        (StatusCode::SERVICE_UNAVAILABLE, "storage-unavailable")
    } else {
        standing(&state)
    };
    let directory = state.directory.load_full();
    let nodes = directory.nodes();
    let count = |condition: Condition| nodes.iter().filter(|live| live.condition() == condition).count();
    let last_reload = state
        .last_reload
        .load_full()
        .map(|reload| json!({ "at": reload.at, "taken_over": reload.taken_over, "problems": reload.problems.len() }));
    let body = json!({
        "status": word,
        "nodes": {
            "live": count(Condition::Live),
            "outdated": count(Condition::Outdated),
            "unavailable": count(Condition::Unavailable),
        },
        "behind": state.stored.behind(),
        "last_reload": last_reload,
    });
    (status, Json(body))
}
