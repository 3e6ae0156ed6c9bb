//! The management side: health for everybody, runs, nodes and metrics for whoever shows the token.
//!
//! It knows nothing of the front door.

mod auth;
mod health;
mod metrics;
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
    let metrics = Router::new().route("/metrics", get(metrics::show));
    let metrics = if state.open_metrics {
        metrics
    } else {
        metrics.route_layer(from_fn_with_state(Arc::clone(&state), auth::require_token))
    };
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(api)
        .merge(metrics)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .fallback(|| async {
            Problem::not_found("there is nothing here; see /v1/runs, /v1/nodes, /metrics, /healthz and /readyz")
        })
        .with_state(state)
}

#[cfg(test)]
mod tests;
