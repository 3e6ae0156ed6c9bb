//! The management side: health for everybody, runs and nodes for whoever shows the token.
//!
//! It knows nothing of the front door.

mod auth;
mod health;
mod nodes;
mod problem;
mod runs;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::state::State;
use problem::Problem;

/// The table of contents of the management API.
pub(crate) fn router(state: Arc<State>) -> Router {
    let api = Router::new()
        .route("/v1/runs", get(runs::list))
        .route("/v1/runs/{id}", get(runs::show))
        .route("/v1/nodes", get(nodes::list))
        .route_layer(from_fn_with_state(Arc::clone(&state), auth::require_token));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(api)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .fallback(|| async {
            Problem::not_found("there is nothing here; see /v1/runs, /v1/nodes, /healthz and /readyz")
        })
        .with_state(state)
}

#[cfg(test)]
mod tests;
