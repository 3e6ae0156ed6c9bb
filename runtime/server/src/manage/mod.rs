//! The management side: health for everybody, the API and metrics for whoever shows a key.
//!
//! It knows nothing of the front door.

mod api;
mod artifacts;
mod audit;
mod auth;
mod description;
mod health;
mod input;
mod keys;
mod metrics;
mod nodes;
mod output;
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
use http::StatusCode;
use model::Role;

pub(crate) use auth::WrongKeys;

use crate::state::State;
use api::{Api, Finished};
use auth::Guard;
use problem::Problem;

/// A JSON body, of callers who may send it: the largest event there can be, and what stands around it in a test run. Artifacts have a
/// limit of their own.
const BODY_BYTES: usize = (4 << 20) + (64 << 10);

/// Something is there already, or is in another state than it must be.
const CONFLICT: &[StatusCode] = &[StatusCode::CONFLICT];
/// What the query names is not there, or not for this caller.
const ABSENT: &[StatusCode] = &[StatusCode::NOT_FOUND];
/// The artifact cannot run.
const REFUSED: &[StatusCode] = &[StatusCode::UNPROCESSABLE_ENTITY];

/// The management side.
pub(crate) fn router(state: Arc<State>) -> Router {
    let api = table_of_contents(Arc::clone(&state));
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
        .merge(api.router)
        .route("/metrics", metrics)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .fallback(|| async { Problem::not_found("there is nothing here: GET /v1 lists the paths of the API") })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn(problem::with_request_id))
        .with_state(state)
}

/// Every path of the API, with the least role that may call it. What is of a tenant's takes a key of that tenant's, or an operator's.
fn table_of_contents(state: Arc<State>) -> Finished {
    use Role::{Admin, Deploy, Operator, Read};
    const TENANT: &str = "/v1/tenants/{tenant}";
    const KEYS: &str = "/v1/tenants/{tenant}/keys";
    const ARTIFACTS: &str = "/v1/tenants/{tenant}/artifacts";
    const NODES: &str = "/v1/tenants/{tenant}/nodes";
    const NODE: &str = "/v1/tenants/{tenant}/nodes/{node}";
    const DOOR: &str = "/v1/tenants/{tenant}/nodes/{node}/door";
    const REVISIONS: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions";
    const REVISION: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions/{revision}";
    const DIFF: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions/{revision}/diff";
    const PROMOTE: &str = "/v1/tenants/{tenant}/nodes/{node}/promote";
    const ROLL_BACK: &str = "/v1/tenants/{tenant}/nodes/{node}/roll-back";
    const TEST: &str = "/v1/tenants/{tenant}/nodes/{node}/test";
    const USAGE: &str = "/v1/tenants/{tenant}/usage";
    const SECRETS: &str = "/v1/tenants/{tenant}/nodes/{node}/secrets";
    const SECRET: &str = "/v1/tenants/{tenant}/nodes/{node}/secrets/{id}";
    Api::new(state)
        .get("/v1", Read, "The paths of the API", description::contents)
        .open("/v1/openapi.json", "The API as an OpenAPI document", description::document)
        .open("/v1/docs", "The same as a page", description::page)
        .get("/v1/tenants", Operator, "All tenants, the oldest first", tenants::list)
        .post("/v1/tenants", Operator, "Make a tenant", tenants::create)
        .or(CONFLICT)
        .get(TENANT, Read, "One tenant", tenants::show)
        .delete(TENANT, Operator, "Remove a tenant with its keys, nodes, revisions and secrets", tenants::delete)
        .get("/v1/keys", Operator, "The keys of operators", keys::list_operators)
        .post("/v1/keys", Operator, "Make a key for an operator", keys::create_operators)
        .delete("/v1/keys/{id}", Operator, "Remove a key of an operator's", keys::delete_operators)
        .get(KEYS, Admin, "The keys of a tenant", keys::list)
        .post(KEYS, Admin, "Make a key for a tenant", keys::create)
        .delete("/v1/tenants/{tenant}/keys/{id}", Admin, "Remove a key of a tenant's", keys::delete)
        .get(ARTIFACTS, Read, "The newest artifacts, 200 at most", artifacts::list)
        .post(ARTIFACTS, Deploy, "Upload, inspect and compile an artifact", artifacts::upload)
        .or(REFUSED)
        .get("/v1/tenants/{tenant}/artifacts/{artifact}", Read, "One artifact", artifacts::show)
        .get(NODES, Read, "The nodes of a tenant, the oldest first", nodes::list)
        .post(NODES, Admin, "Make a node", nodes::create)
        .or(CONFLICT)
        .get(NODE, Read, "One node", nodes::show)
        .delete(NODE, Admin, "Remove a node with its revisions and secrets", nodes::delete)
        .put(DOOR, Admin, "Say which events a node takes", nodes::set_door)
        .get(REVISIONS, Read, "The revisions of a node, the newest first", revisions::list)
        .post(REVISIONS, Deploy, "Make the next revision of a node, which runs once it is promoted", revisions::create)
        .get(REVISION, Read, "One revision", revisions::show)
        .get(DIFF, Read, "What a revision has that another one has not", revisions::diff)
        .or(CONFLICT)
        .post(PROMOTE, Deploy, "Make a revision live; this host serves it when the answer comes", revisions::promote)
        .or(REFUSED)
        .post(ROLL_BACK, Deploy, "Go back to the revision that was live before", revisions::roll_back)
        .or(CONFLICT)
        .post(TEST, Deploy, "Try a revision on an event, without touching live traffic", trial::run)
        .or(CONFLICT)
        .or(REFUSED)
        .get(SECRETS, Read, "The secrets of a node's door, by their ids", secrets::list)
        .post(SECRETS, Admin, "Give a node's door a secret", secrets::add)
        .or(CONFLICT)
        .delete(SECRET, Admin, "Remove a secret: what is signed with it is refused from now on", secrets::delete)
        .get("/v1/tenants/{tenant}/audit", Read, "Who changed what of a tenant's, the newest first", audit::list)
        .get("/v1/audit", Operator, "Who changed what, the newest first", audit::list_all)
        .get(USAGE, Read, "What a tenant used, in whole hours, and has stored now", runs::usage)
        .get("/v1/runs", Read, "The newest runs, of the key's tenant or of all", runs::list)
        .or(ABSENT)
        .get("/v1/runs/{id}", Read, "One run, with its reply and its log", runs::show)
        .get("/v1/nodes", Read, "What serves on this host", serving::list)
        .finished()
}

#[cfg(test)]
mod tests;
