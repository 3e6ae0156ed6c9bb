//! What comes in: names in paths, queries and JSON bodies, each with an answer of its own when it is wrong.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::{Json, extract};
use http::HeaderMap;
use http::header::IF_MATCH;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The names in the path. What cannot be a name is the name of nothing.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let extract::Path(names) = extract::Path::from_request_parts(parts, state).await.map_err(|rejection| {
            Problem::not_found(format!("there is nothing of that name: {}", rejection.body_text()))
        })?;
        Ok(Self(names))
    }
}

/// The query; what it may hold is in its type, and nothing else is taken.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = extract::Query::from_request_parts(parts, state).await;
        query.map(|extract::Query(query)| Self(query)).map_err(|rejection| Problem::invalid(rejection.body_text()))
    }
}

/// A JSON body; what it may hold is in its type, and nothing else is taken.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::unsupported_media_type("send JSON, with content-type: application/json"))
            }
            Err(rejection) if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_large("the body is larger than this path takes"))
            }
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

/// The version that the caller says it has seen, by `If-Match: "<version>"`.
pub(super) fn seen_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(tag) = headers.get(IF_MATCH) else { return Ok(None) };
    if tag == "*" {
        return Ok(None);
    }
    let version = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    let wrong =
        || Problem::invalid("`if-match` must be the `etag` of an earlier answer, such as \"3\" with its quotes");
    version.map(Some).ok_or_else(wrong)
}
