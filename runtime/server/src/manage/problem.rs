//! An error of the management API, in the form of RFC 9457: a stable `type`, a text for the caller, and the request's id.

use std::io::{self, ErrorKind};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use model::RevisionNumber;
use sandbox::PrepareError;
use serde::Serialize;
use storage::StorageError;
use tracing::error;
use utoipa::ToSchema;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Under which the operator finds a request in the log.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) String);

/// What went wrong and what to do, for the caller; for the operator it is in the log, under the request's id.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// The last part of its `type`, which never changes: `urn:codenode:problem:<kind>`.
    kind: &'static str,
    detail: String,
    /// One line for each thing that is wrong, where there may be several.
    problems: Vec<String>,
    /// For the operator alone.
    cause: Option<String>,
}

/// What went wrong, in the form of RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Written<'a> {
    /// `urn:codenode:problem:…`: its last part never changes.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'a str,
    status: u16,
    /// What is wrong and what to do.
    detail: &'a str,
    /// Under which the operator finds it in the log.
    request_id: &'a str,
    /// One line for each thing that is wrong, where there may be several.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    problems: &'a [String],
}

impl Problem {
    pub(super) const MEDIA_TYPE: &str = "application/problem+json";

    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), problems: Vec::new(), cause: None }
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", detail)
    }

    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this path takes other methods: see `allow`")
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The first request with the same idempotency key has not been answered yet.
    pub(super) fn request_under_way() -> Self {
        let detail = "a request with this `idempotency-key` is under way: ask again in a moment, with the same key, for its answer";
        Self::new(StatusCode::CONFLICT, "idempotency-key-in-use", detail)
    }

    pub(super) fn key_of_another_request() -> Self {
        let detail = "this `idempotency-key` came with another request: take a fresh one for each thing to be made";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
    }

    /// A revision may reach more than the live one, and nobody has said so.
    pub(super) fn new_grants(revision: RevisionNumber, grants: Vec<String>) -> Self {
        let detail = format!(
            "revision {revision} may reach what the live one may not: if that is meant, say so as `grants` (--grant on the command line): {}",
            grants.join("; ")
        );
        Self { problems: grants, ..Self::new(StatusCode::CONFLICT, "new-grants", detail) }
    }

    pub(super) fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail)
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    pub(super) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
    }

    pub(super) fn too_many_requests(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail)
    }

    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }

    /// The artifact's own fault.
    pub(super) fn refused(problems: Vec<String>) -> Self {
        let detail = format!("the artifact {}", problems.join("; and it "));
        Self { problems, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "artifact-refused", detail) }
    }

    /// A fault of ours, of which the caller hears only that it is one.
    pub(super) fn internal(cause: impl ToString) -> Self {
        let detail = "codenode failed; its operator finds why in the log, under this request's id";
        let problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        Self { cause: Some(cause.to_string()), ..problem }
    }

    /// A disk of this host, or of the database, is full.
    fn full(cause: String) -> Self {
        let detail = "the disk of the server's storage is full, so nothing has changed; nodes that are live go on serving: have its operator make \
                      room, then try again";
        Self { cause: Some(cause), ..Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage-full", detail) }
    }

    /// Where the caller said which state it has seen, a conflict is a failed precondition.
    pub(super) fn of_precondition(error: StorageError, has_precondition: bool) -> Self {
        let problem = Self::from(error);
        if has_precondition && problem.status == StatusCode::CONFLICT {
            Self { status: StatusCode::PRECONDITION_FAILED, kind: "precondition-failed", ..problem }
        } else {
            problem
        }
    }

    /// As the body of its own answer.
    pub(super) fn write(&self, request_id: &str, response: &mut Response) {
        *response.body_mut() = Body::from(serde_json::to_vec(&self.written(request_id)).unwrap_or_default());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Self::MEDIA_TYPE));
    }

    fn written<'a>(&'a self, request_id: &'a str) -> Written<'a> {
        Written {
            kind: format!("urn:codenode:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            request_id,
            problems: &self.problems,
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let text = error.to_string();
        match error {
            StorageError::NotFound(_) => Self::not_found(text),
            StorageError::Exists(_) => Self::new(StatusCode::CONFLICT, "exists", text),
            StorageError::Conflict(_) => Self::conflict(text),
            StorageError::OverQuota(_) => Self::new(StatusCode::FORBIDDEN, "over-quota", text),
            StorageError::Invalid(_) => Self::invalid(text),
            StorageError::Unavailable { .. } => {
                let detail = "storage does not answer, so nothing has changed; nodes that are live go on serving: try again soon";
                let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage-unavailable", detail);
                Self { cause: Some(text), ..problem }
            }
            StorageError::Full { .. } => Self::full(text),
            StorageError::Damaged(_) => Self::internal(text),
        }
    }
}

impl From<PrepareError> for Problem {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Refused(problems) => Self::refused(problems),
            PrepareError::Busy => Self::busy(error.to_string()),
            PrepareError::NoRunner(language, _) => {
                let problem = format!(
                    "is {language}, which this server has nothing to run with: have its operator install what runs it"
                );
                Self { cause: Some(error.to_string()), ..Self::refused(vec![problem]) }
            }
            PrepareError::Host(error) => {
                let text = format!("{error:#}");
                let is_full =
                    |error: &io::Error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
                if error.chain().filter_map(|cause| cause.downcast_ref()).any(is_full) {
                    Self::full(text)
                } else {
                    Self::internal(text)
                }
            }
        }
    }
}

/// The body is written by whoever knows the request's id: [`with_request_id`].
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every request an id, which its answer carries, and writes what went wrong.
pub(super) async fn with_request_id(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if let Some(cause) = &problem.cause {
            error!(request = id, %method, path, cause, "a management request failed");
        }
        problem.write(&id, &mut response);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
