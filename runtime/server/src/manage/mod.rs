//! The management side: health for everybody, the API and metrics for whoever shows a key.
//!
//! It knows nothing of the front door.

mod api;
mod artifacts;
mod audit;
mod auth;
mod config;
mod connections;
mod description;
mod entries;
mod health;
mod idempotency;
mod input;
mod keys;
mod messages;
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
use api::{Api, DELETE, Finished, GET, POST, PUT};
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
    let api = Api::new(state)
        .on(GET, "/v1", Role::Read, "The paths of the API", description::contents)
        .open("/v1/openapi.json", "The API as an OpenAPI document", description::document)
        .open("/v1/docs", "The same as a page", description::page);
    what_happened(what_is_said(what_is_kept(what_is_set(connected(a_node(artifacts_and_nodes(tenants_and_keys(
        api,
    ))))))))
    .finished()
}

fn tenants_and_keys(api: Api) -> Api {
    use Role::{Admin, Operator, Read};
    const TENANT: &str = "/v1/tenants/{tenant}";
    const QUOTA: &str = "/v1/tenants/{tenant}/quota";
    const KEYS: &str = "/v1/tenants/{tenant}/keys";
    const KEY: &str = "/v1/tenants/{tenant}/keys/{id}";
    api.on(GET, "/v1/tenants", Operator, "All tenants, the oldest first", tenants::list)
        .on(POST, "/v1/tenants", Operator, "Make a tenant", tenants::create)
        .or(CONFLICT)
        .on(GET, TENANT, Read, "One tenant", tenants::show)
        .on(PUT, QUOTA, Operator, "Say what a tenant may use", tenants::set_quota)
        .on(DELETE, TENANT, Operator, "Remove a tenant with its keys, nodes, revisions and secrets", tenants::delete)
        .on(GET, "/v1/keys", Operator, "The keys of operators", keys::list_operators)
        .on(POST, "/v1/keys", Operator, "Make a key for an operator", keys::create_operators)
        .on(DELETE, "/v1/keys/{id}", Operator, "Remove a key of an operator's", keys::delete_operators)
        .on(GET, KEYS, Admin, "The keys of a tenant", keys::list)
        .on(POST, KEYS, Admin, "Make a key for a tenant", keys::create)
        .on(DELETE, KEY, Admin, "Remove a key of a tenant's", keys::delete)
}

fn artifacts_and_nodes(api: Api) -> Api {
    use Role::{Admin, Deploy, Read};
    const ARTIFACTS: &str = "/v1/tenants/{tenant}/artifacts";
    const ARTIFACT: &str = "/v1/tenants/{tenant}/artifacts/{artifact}";
    const NODES: &str = "/v1/tenants/{tenant}/nodes";
    const NODE: &str = "/v1/tenants/{tenant}/nodes/{node}";
    api.on(GET, ARTIFACTS, Read, "The newest artifacts, 200 at most", artifacts::list)
        .on(POST, ARTIFACTS, Deploy, "Upload, inspect and compile an artifact", artifacts::upload)
        .or(REFUSED)
        .on(GET, ARTIFACT, Read, "One artifact", artifacts::show)
        .on(DELETE, ARTIFACT, Deploy, "Remove an artifact that no revision runs", artifacts::delete)
        .or(CONFLICT)
        .on(GET, NODES, Read, "The nodes of a tenant, the oldest first", nodes::list)
        .on(POST, NODES, Admin, "Make a node", nodes::create)
        .or(CONFLICT)
        .on(GET, NODE, Read, "One node", nodes::show)
        .on(DELETE, NODE, Admin, "Remove a node with its revisions and secrets", nodes::delete)
}

fn a_node(api: Api) -> Api {
    use Role::{Admin, Deploy, Read};
    const DOOR: &str = "/v1/tenants/{tenant}/nodes/{node}/door";
    const REVISIONS: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions";
    const REVISION: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions/{revision}";
    const DIFF: &str = "/v1/tenants/{tenant}/nodes/{node}/revisions/{revision}/diff";
    const PROMOTE: &str = "/v1/tenants/{tenant}/nodes/{node}/promote";
    const ROLL_BACK: &str = "/v1/tenants/{tenant}/nodes/{node}/roll-back";
    const TEST: &str = "/v1/tenants/{tenant}/nodes/{node}/test";
    const SECRETS: &str = "/v1/tenants/{tenant}/nodes/{node}/secrets";
    const SECRET: &str = "/v1/tenants/{tenant}/nodes/{node}/secrets/{id}";
    api.on(PUT, DOOR, Admin, "Say which events a node takes", nodes::set_door)
        .on(GET, REVISIONS, Read, "The revisions of a node, the newest first", revisions::list)
        .on(POST, REVISIONS, Deploy, "Make the next revision, which runs once it is promoted", revisions::create)
        .on(GET, REVISION, Read, "One revision", revisions::show)
        .on(DELETE, REVISION, Deploy, "Remove a revision that is not needed any more", revisions::delete)
        .or(CONFLICT)
        .on(GET, DIFF, Read, "What a revision has that another one has not", revisions::diff)
        .or(CONFLICT)
        .on(POST, PROMOTE, Deploy, "Make a revision live, here before the answer comes", revisions::promote)
        .or(REFUSED)
        .on(POST, ROLL_BACK, Deploy, "Go back to the revision that was live before", revisions::roll_back)
        .or(CONFLICT)
        .on(POST, TEST, Deploy, "Try a revision on an event, without touching live traffic", trial::run)
        .or(CONFLICT)
        .or(REFUSED)
        .on(GET, SECRETS, Read, "The secrets of a node's door, by their ids", secrets::list)
        .on(POST, SECRETS, Admin, "Give a node's door a secret", secrets::add)
        .or(CONFLICT)
        .on(DELETE, SECRET, Admin, "Remove a secret: what is signed with it is refused from now on", secrets::delete)
}

fn connected(api: Api) -> Api {
    use Role::{Admin, Deploy, Read};
    const CONNECTIONS: &str = "/v1/tenants/{tenant}/connections";
    const CONNECTION: &str = "/v1/tenants/{tenant}/connections/{connection}";
    const TEST: &str = "/v1/tenants/{tenant}/connections/{connection}/test";
    api.on(GET, CONNECTIONS, Read, "The connections of a tenant, the oldest first", connections::list)
        .on(GET, CONNECTION, Read, "One connection, without what is secret", connections::show)
        .on(PUT, CONNECTION, Admin, "Make a connection, or change it", connections::set)
        .on(DELETE, CONNECTION, Admin, "Remove a connection: nothing goes out by it from now on", connections::delete)
        .on(POST, TEST, Deploy, "Try a connection on the path that it names for that", connections::test)
        .or(CONFLICT)
}

fn what_is_set(api: Api) -> Api {
    use Role::{Admin, Read};
    const CONFIG: &str = "/v1/tenants/{tenant}/config";
    const KEY: &str = "/v1/tenants/{tenant}/config/{key}";
    api.on(GET, CONFIG, Read, "What is set for handlers, without what is secret", config::list)
        .on(GET, KEY, Read, "What is set under a key", config::show)
        .on(PUT, KEY, Admin, "Set a value, or a secret, which handlers read from then on", config::set)
        .on(DELETE, KEY, Admin, "Remove a value: no handler reads it from now on", config::delete)
}

fn what_is_kept(api: Api) -> Api {
    use Role::{Deploy, Read};
    const ENTRIES: &str = "/v1/tenants/{tenant}/entries";
    const ENTRY: &str = "/v1/tenants/{tenant}/entry";
    api.on(GET, ENTRIES, Read, "The keys of a bucket, in order", entries::list)
        .on(GET, ENTRY, Read, "What is kept under a key", entries::show)
        .on(PUT, ENTRY, Deploy, "Keep something under a key", entries::set)
        .on(DELETE, ENTRY, Deploy, "Remove what is kept under a key", entries::delete)
}

fn what_is_said(api: Api) -> Api {
    use Role::{Deploy, Read};
    const MESSAGES: &str = "/v1/tenants/{tenant}/messages";
    const MESSAGE: &str = "/v1/tenants/{tenant}/messages/{key}";
    const HISTORY: &str = "/v1/tenants/{tenant}/messages/{key}/history";
    const RESTORE: &str = "/v1/tenants/{tenant}/messages/{key}/restore";
    const FILE: &str = "/v1/tenants/{tenant}/message-file";
    api.on(GET, MESSAGES, Read, "The messages of a tenant, in the order of their names", messages::list)
        .on(GET, MESSAGE, Read, "One message", messages::show)
        .on(PUT, MESSAGE, Deploy, "Write a message, which handlers read from their next run on", messages::set)
        .on(DELETE, MESSAGE, Deploy, "Remove a message, which can be restored for 30 days", messages::delete)
        .on(GET, HISTORY, Read, "What a message is and was, the newest first", messages::history)
        .on(POST, RESTORE, Deploy, "Give a message the text of an earlier version", messages::restore)
        .on(GET, FILE, Read, "All messages of a tenant as a file", messages::export)
        .on(PUT, FILE, Deploy, "Write the messages of a file, all of them or none", messages::import)
}

fn what_happened(api: Api) -> Api {
    use Role::{Operator, Read};
    const AUDIT: &str = "/v1/tenants/{tenant}/audit";
    const USAGE: &str = "/v1/tenants/{tenant}/usage";
    api.on(GET, AUDIT, Read, "Who changed what of a tenant's, the newest first", audit::list)
        .on(GET, "/v1/audit", Operator, "Who changed what, the newest first", audit::list_all)
        .on(GET, USAGE, Read, "What a tenant used, in whole hours, and has stored now", runs::usage)
        .on(GET, "/v1/runs", Read, "The newest runs, of the key's tenant or of all", runs::list)
        .or(ABSENT)
        .on(GET, "/v1/runs/{id}", Read, "One run, with its reply and its log", runs::show)
        .on(GET, "/v1/nodes", Read, "What serves on this host", serving::list)
}

#[cfg(test)]
mod tests;
