//! What goes out, where it is more than JSON with the status 200: types, so that the API's description can tell.

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, StatusCode};
use model::{ConfigEntry, Connection, MessageText, Node, Tenant};
use serde::Serialize;
use utoipa::openapi::schema::{Object, Type};
use utoipa::{PartialSchema as _, ToSchema};

use super::description::{Draft, Output};
use crate::message_file::{File, MessageFormat};

/// 201 with what was made.
pub(super) struct Created<T>(pub(super) T);

/// 201 with what was made, or 200 with what was there already.
pub(super) struct Kept<T> {
    pub(super) is_new: bool,
    pub(super) body: T,
}

/// 204.
pub(super) struct Done;

/// What has a version, with that as the `etag`, for the `if-match` of the next change.
pub(super) struct Tagged<T>(pub(super) T);

/// What counts its changes.
pub(super) trait Versioned {
    fn version(&self) -> u64;
}

/// What no cache may keep.
pub(super) struct Unstored<T>(pub(super) T);

/// A tenant's messages as a file.
pub(super) struct MessageFile {
    pub(super) format: MessageFormat,
    pub(super) bytes: Bytes,
}

/// The OpenAPI document.
pub(super) struct Document(pub(super) Bytes);

/// A page for browsers, and what it may load.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, self.0).into_response()
    }
}

impl<T: Output> Output for Created<T> {
    fn describe(draft: &mut Draft, _: StatusCode) {
        T::describe(draft, StatusCode::CREATED);
    }
}

impl<T: Serialize> IntoResponse for Kept<T> {
    fn into_response(self) -> Response {
        let status = if self.is_new { StatusCode::CREATED } else { StatusCode::OK };
        (status, Json(self.body)).into_response()
    }
}

impl<T: ToSchema> Output for Kept<T> {
    fn describe(draft: &mut Draft, _: StatusCode) {
        Json::<T>::describe(draft, StatusCode::OK);
        Json::<T>::describe(draft, StatusCode::CREATED);
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Output for Done {
    fn describe(draft: &mut Draft, _: StatusCode) {
        draft.answers_nothing(StatusCode::NO_CONTENT);
    }
}

impl Versioned for Node {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Versioned for ConfigEntry {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Versioned for Connection {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Versioned for Tenant {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Versioned for MessageText {
    fn version(&self) -> u64 {
        self.version
    }
}

impl<T: Serialize + Versioned> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(ETAG, format!("\"{}\"", self.0.version()))], Json(self.0)).into_response()
    }
}

impl<T: ToSchema> Output for Tagged<T> {
    fn describe(draft: &mut Draft, status: StatusCode) {
        Json::<T>::describe(draft, status);
        draft.has_header(status, ETAG.as_str(), "The version, for the `if-match` of the next change.");
    }
}

impl<T: IntoResponse> IntoResponse for Unstored<T> {
    fn into_response(self) -> Response {
        ([(CACHE_CONTROL, "no-store")], self.0).into_response()
    }
}

impl<T: Output> Output for Unstored<T> {
    fn describe(draft: &mut Draft, status: StatusCode) {
        T::describe(draft, status);
    }
}

impl IntoResponse for MessageFile {
    fn into_response(self) -> Response {
        let name = format!("attachment; filename=\"messages.{}\"", self.format.ending());
        let headers: [(HeaderName, &str); 2] = [(CONTENT_TYPE, self.format.media_type()), (CONTENT_DISPOSITION, &name)];
        (headers, self.bytes).into_response()
    }
}

impl Output for MessageFile {
    fn describe(draft: &mut Draft, status: StatusCode) {
        let schema = draft.schema::<File>();
        draft.answers(status, "application/json", schema);
        draft.answers(status, "text/csv", String::schema());
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

impl Output for Document {
    fn describe(draft: &mut Draft, status: StatusCode) {
        draft.answers(status, "application/json", Object::with_type(Type::Object));
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, String); 2] =
            [(CONTENT_SECURITY_POLICY, self.policy), (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned())];
        (headers, Html(self.html)).into_response()
    }
}

impl Output for Page {
    fn describe(draft: &mut Draft, status: StatusCode) {
        draft.answers(status, "text/html", String::schema());
    }
}
