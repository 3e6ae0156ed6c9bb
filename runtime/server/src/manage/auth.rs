//! Who may look: whoever shows the token.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::problem::Problem;
use crate::state::State;

/// Lets a request through that shows the management token.
pub(super) async fn require_token(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(token) = state.token.load_full() else {
        return Err(Problem::unauthorized(
            "no management token is configured: set `token` in [management] of the configuration, or CODENODE_MANAGEMENT_TOKEN",
        ));
    };
    if bearer(request.headers()).is_some_and(|shown| token.matches(shown)) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::unauthorized("show the management token: authorization: Bearer …"))
    }
}

/// The one bearer token that the request shows.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, token) = only.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
