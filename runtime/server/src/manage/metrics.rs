//! `GET /metrics`: the counters, for Prometheus.

use std::sync::Arc;

use axum::extract::State as Shared;
use http::header::CONTENT_TYPE;
use http::{HeaderName, StatusCode};

use crate::metrics;
use crate::state::State;

/// `GET /metrics`
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
) -> Result<([(HeaderName, &'static str); 1], String), StatusCode> {
    let page = metrics::write(&state).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page))
}
