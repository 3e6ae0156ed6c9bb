//! The management side: health for everybody, the API and metrics for whoever shows a key.
//!
//! It knows nothing of the front door.

mod api;
mod artifacts;
mod audit;
mod auth;
mod health;
mod input;
mod keys;
mod metrics;
mod nodes;
mod problem;
mod revisions;
mod runs;
mod secrets;
mod serving;
mod tenants;
mod trial;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use model::Role;

pub(crate) use auth::WrongKeys;

use crate::state::State;
use api::{Api, Route};
use auth::Guard;
use problem::Problem;

/// A JSON body, of callers who may send it: the largest event there can be, and what stands around it in a test run. Artifacts have a
/// limit of their own.
const BODY_BYTES: usize = (4 << 20) + (64 << 10);

/// The management side.
pub(crate) fn router(state: Arc<State>) -> Router {
    let (api, _) = table_of_contents(Arc::clone(&state));
    let metrics = get(metrics::show);
    let metrics = if state.open_metrics {
        metrics
    } else {
        let guard = Guard { state: Arc::clone(&state), role: Role::Operator };
        metrics.route_layer(from_fn_with_state(guard, auth::check))
    };
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/readyz/front-door", get(health::takes_events))
        .merge(api)
        .route("/metrics", metrics)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .fallback(|| async { Problem::not_found("there is nothing here: GET /v1 lists the paths of the API") })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn(problem::with_request_id))
        .with_state(state)
}

/// Every path of the API, with the least role that may call it. What is of a tenant's takes a key of that tenant's, or an operator's.
fn table_of_contents(state: Arc<State>) -> (Router<Arc<State>>, Vec<Route>) {
    use Role::{Admin, Deploy, Operator, Read};
    const TENANT: &str = "/v1/tenants/{tenant}";
    const KEYS: &str = "/v1/tenants/{tenant}/keys";
    const ARTIFACTS: &str = "/v1/tenants/{tenant}/artifacts";
    const NODES: &str = "/v1/tenants/{tenant}/nodes";
    const NODE: &str = "/v1/tenants/{tenant}/nodes/{node}";
    const REVISIONS: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions";
    const REVISION: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions/{revision}";
    const SECRETS: &str = "/v1/tenants/{tenant}/nodes/{node}/secrets";
    Api::new(state)
        .get("/v1/tenants", Operator, tenants::list)
        .post("/v1/tenants", Operator, tenants::create)
        .get(TENANT, Read, tenants::show)
        .delete(TENANT, Operator, tenants::delete)
        .get("/v1/keys", Operator, keys::list_operators)
        .post("/v1/keys", Operator, keys::create_operators)
        .delete("/v1/keys/{key}", Operator, keys::delete_operators)
        .get(KEYS, Admin, keys::list)
        .post(KEYS, Admin, keys::create)
        .delete("/v1/tenants/{tenant}/keys/{key}", Admin, keys::delete)
        .get(ARTIFACTS, Read, artifacts::list)
        .post(ARTIFACTS, Deploy, artifacts::upload)
        .get("/v1/tenants/{tenant}/artifacts/{artifact}", Read, artifacts::show)
        .get(NODES, Read, nodes::list)
        .post(NODES, Admin, nodes::create)
        .get(NODE, Read, nodes::show)
        .delete(NODE, Admin, nodes::delete)
        .put("/v1/tenants/{tenant}/nodes/{node}/door", Admin, nodes::set_door)
        .get(REVISIONS, Read, revisions::list)
        .post(REVISIONS, Deploy, revisions::create)
        .get(REVISION, Read, revisions::show)
        .get("/v1/tenants/{tenant}/nodes/{node}/revisions/{revision}/diff", Read, revisions::diff)
        .post("/v1/tenants/{tenant}/nodes/{node}/promote", Deploy, revisions::promote)
        .post("/v1/tenants/{tenant}/nodes/{node}/roll-back", Deploy, revisions::roll_back)
        .post("/v1/tenants/{tenant}/nodes/{node}/test", Deploy, trial::run)
        .get(SECRETS, Read, secrets::list)
        .post(SECRETS, Admin, secrets::add)
        .delete("/v1/tenants/{tenant}/nodes/{node}/secrets/{secret}", Admin, secrets::delete)
        .get("/v1/tenants/{tenant}/audit", Read, audit::list)
        .get("/v1/audit", Operator, audit::list_all)
        .get("/v1/tenants/{tenant}/usage", Read, runs::usage)
        .get("/v1/runs", Read, runs::list)
        .get("/v1/runs/{id}", Read, runs::show)
        .get("/v1/nodes", Read, serving::list)
        .with_contents("/v1")
}

#[cfg(test)]
mod tests;
