//! What comes in: names in paths, queries, headers and bodies, each with an answer of its own when it is wrong, and a description of itself.

use std::convert::Infallible;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::{Json, extract};
use http::StatusCode;
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::request::Parts;
use model::{ArtifactId, ConfigKey, ConnectionName, MessageKey, NodeId, RevisionNumber, TenantId};
use sandbox::source::Language;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{IntoParams, ToSchema};

use super::description::{Draft, Input};
use super::problem::Problem;
use crate::message_file::{File, MessageFormat};

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

/// What the names in a path are, in their order.
pub(super) trait Names {
    fn describe(draft: &mut Draft);
}

macro_rules! names {
    ($T:ty: $($name:ty),*) => {
        impl Names for $T {
            fn describe(draft: &mut Draft) {
                $(draft.names::<$name>();)*
            }
        }
    };
}

names!(TenantId: TenantId);
names!(String: String);
names!((TenantId, String): TenantId, String);
names!((TenantId, MessageKey): TenantId, MessageKey);
names!((TenantId, NodeId): TenantId, NodeId);
names!((TenantId, ConfigKey): TenantId, ConfigKey);
names!((TenantId, ConnectionName): TenantId, ConnectionName);
names!((TenantId, ArtifactId): TenantId, ArtifactId);
names!((TenantId, NodeId, RevisionNumber): TenantId, NodeId, RevisionNumber);
names!((TenantId, NodeId, String): TenantId, NodeId, String);

impl<T: Names> Input for Path<T> {
    fn describe(draft: &mut Draft) {
        T::describe(draft);
        draft.fails(&[StatusCode::NOT_FOUND]);
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

impl<T: IntoParams> Input for Query<T> {
    fn describe(draft: &mut Draft) {
        let mut parameters = T::into_params(|| Some(ParameterIn::Query));
        parameters.iter_mut().filter_map(|parameter| parameter.schema.as_mut()).for_each(never_null);
        draft.takes(parameters);
        draft.fails(&[StatusCode::BAD_REQUEST]);
    }
}

/// What is optional in a query is absent: there is no way to write `null`.
fn never_null(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::OneOf(choices)) = schema
        && let Some(only) = choices.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
    {
        *schema = only.clone();
    } else if let RefOr::T(Schema::Object(object)) = schema
        && let SchemaType::Array(types) = &object.schema_type
        && let Some(only) = types.iter().find(|kind| **kind != Type::Null)
    {
        object.schema_type = SchemaType::Type(only.clone());
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
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_large("the body is larger than this path takes"))
            }
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

impl<T: ToSchema> Input for Body<T> {
    fn describe(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        draft.reads("application/json", schema);
        draft.fails(&[StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
}

/// The version that the caller says it has seen, by `If-Match: "<version>"`; `*` is any.
pub(super) struct Seen(pub(super) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(tag) = parts.headers.get(IF_MATCH) else { return Ok(Self(None)) };
        if tag == "*" {
            return Ok(Self(None));
        }
        let version = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
        let wrong =
            || Problem::invalid("`if-match` must be the `etag` of an earlier answer, such as \"3\" with its quotes");
        version.map(|version| Self(Some(version))).ok_or_else(wrong)
    }
}

impl Input for Seen {
    fn describe(draft: &mut Draft) {
        let tag = Object::builder().schema_type(Type::String).pattern(Some(r#"^("[0-9]{1,19}"|\*)$"#));
        let parameter = ParameterBuilder::new()
            .name(IF_MATCH.as_str())
            .parameter_in(ParameterIn::Header)
            .description(Some("The `etag` of an earlier answer: nothing is changed if it has changed since."))
            .required(Required::False)
            .schema(Some(tag));
        draft.takes([parameter.build()]);
        draft.fails(&[StatusCode::BAD_REQUEST, StatusCode::PRECONDITION_FAILED]);
    }
}

/// The bytes of an artifact or, by its media type, of a source; they are read when there is room for them.
pub(super) struct Artifact {
    pub(super) body: axum::body::Body,
    pub(super) language: Option<Language>,
}

/// Media types of sources: RFC 9239 for JavaScript; Python and TypeScript have none of their own.
const SOURCES: [(&str, Language); 5] = [
    ("text/x-python", Language::Python),
    ("text/javascript", Language::JavaScript),
    ("application/javascript", Language::JavaScript),
    ("text/typescript", Language::TypeScript),
    ("application/typescript", Language::TypeScript),
];

impl<S: Send + Sync> FromRequest<S> for Artifact {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let source = SOURCES.iter().find(|(name, _)| name.eq_ignore_ascii_case(essence));
        let language = source.map(|(_, language)| *language);
        Ok(Self { body: request.into_body(), language })
    }
}

impl Input for Artifact {
    fn describe(draft: &mut Draft) {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        let bytes = Object::builder().schema_type(Type::String).format(Some(format)).build();
        // Any bytes may be a text: what a source is only its language knows.
        for media_type in SOURCES.iter().map(|(media_type, _)| *media_type).chain(["application/octet-stream"]) {
            draft.reads(media_type, bytes.clone());
        }
        draft.fails(&[StatusCode::BAD_REQUEST, StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE]);
    }
}

/// Messages as a file, which its handler reads when it has room for them; what it is, its media type says.
pub(super) struct MessageFile {
    pub(super) format: MessageFormat,
    pub(super) body: axum::body::Body,
}

impl<S: Send + Sync> FromRequest<S> for MessageFile {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let said = request.headers().get(CONTENT_TYPE).and_then(|said| said.to_str().ok()).unwrap_or_default();
        let media_type = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let format = match media_type.as_str() {
            "application/json" => MessageFormat::Json,
            "text/csv" => MessageFormat::Csv,
            _ => {
                let detail = "send JSON or CSV, with content-type: application/json or text/csv";
                return Err(Problem::unsupported_media_type(detail));
            }
        };
        Ok(Self { format, body: request.into_body() })
    }
}

impl Input for MessageFile {
    fn describe(draft: &mut Draft) {
        let schema = draft.schema::<File>();
        draft.reads("application/json", schema);
        let table = Object::builder().schema_type(Type::String).description(Some(
            "UTF-8, with or without a mark of that. The header names the columns `key`, `language`, `text` and `description`, of which the second \
             and the last may be absent.",
        ));
        draft.reads("text/csv", table);
        draft.fails(&[
            StatusCode::BAD_REQUEST,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ]);
    }
}
