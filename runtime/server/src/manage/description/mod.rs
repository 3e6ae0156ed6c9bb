//! The API's description of itself: OpenAPI 3.1, made of the handlers' own types while the routes are added.
//!
//! What a handler takes and answers is in its signature, so the document says what the code does. Only the summaries, and the conflicts
//! and refusals that a handler finds by itself, are said in the table of contents.

mod draft;
mod page;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::Components;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Info, OpenApi, Paths, Ref, Response};
use utoipa::{PartialSchema as _, ToSchema};

use super::api::Route;
use super::output::{self, Page};
use super::problem::{Problem, Written};

use draft::Parts;
pub(super) use draft::{Draft, Input, Operation, Output};

/// The name of the security scheme.
const KEY: &str = "key";
const ABOUT: &str = "Tenants, nodes, artifacts, revisions, secrets, keys and runs of codenode. What is of a tenant's takes a key of that \
                     tenant's, or an operator's. An error is `application/problem+json` (RFC 9457); every answer carries `x-request-id`, \
                     under which the operator finds the error in the log. A key shown wrongly too often is answered 429, and a server whose \
                     storage does not answer 503, both with `retry-after`; one whose disk is full refuses changes with 507.";

/// What is said of the API, in the three forms in which it is served.
pub(super) struct Description {
    routes: Vec<Route>,
    json: Bytes,
    page: Page,
}

/// The paths of the API.
#[derive(Serialize, ToSchema)]
pub(super) struct Contents {
    routes: Vec<Route>,
}

/// The document while it grows.
#[derive(Default)]
pub(super) struct Document {
    paths: Paths,
    components: Components,
    /// Which of the problems' statuses some operation refers to.
    failures: BTreeSet<StatusCode>,
}

impl Document {
    /// Adds one operation.
    pub(super) fn add(&mut self, route: &Route, method: HttpMethod, draft: Draft) {
        let Parts { described: mut operation, failures, schemas } = draft.finished();
        if let Some(role) = route.role {
            operation.security = Some(vec![SecurityRequirement::new(KEY, Vec::<String>::new())]);
            operation.description = Some(format!("Takes the role `{role}`, or one that may do more."));
        } else {
            operation.description = Some("Open to everybody.".to_owned());
        }
        self.failures.extend(failures);
        for (name, schema) in schemas.into_iter().chain([(Written::name().into_owned(), Written::schema())]) {
            let known = self.components.schemas.entry(name.clone()).or_insert_with(|| schema.clone());
            debug_assert!(*known == schema, "two schemas are called {name}");
        }
        let item = PathItem::new(method, operation);
        match self.paths.paths.get_mut(route.path) {
            Some(known) => known.merge_operations(item),
            None => drop(self.paths.paths.insert(route.path.to_owned(), item)),
        }
    }

    /// The whole document, as JSON.
    pub(super) fn finished(mut self) -> Value {
        for status in self.failures {
            let mut response = Response::new(status.canonical_reason().unwrap_or_default());
            let content = Content::new(Some(Ref::from_schema_name(Written::name())));
            response.content.insert(Problem::MEDIA_TYPE.to_owned(), content.into());
            self.components.responses.insert(draft::reason(status), response.into());
        }
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A key, which is shown once when it is made, or the management token of the configuration.",
        ));
        self.components.add_security_scheme(KEY, SecurityScheme::Http(bearer.build()));
        let mut info = Info::new("codenode", env!("CARGO_PKG_VERSION"));
        info.description = Some(ABOUT.to_owned());
        let mut document = OpenApi::new(info, self.paths);
        document.components = Some(self.components);
        let mut document = json!(document);
        for_callers(&mut document);
        document
    }
}

impl Description {
    pub(super) fn new(routes: Vec<Route>, document: &Value) -> Self {
        let style = STANDARD.encode(Sha256::digest(page::STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let page = Page { html: page::write(document), policy };
        Self { routes, json: Bytes::from(format!("{document:#}\n")), page }
    }
}

/// `GET /v1`
pub(super) async fn contents(Extension(description): Extension<Arc<Description>>) -> Json<Contents> {
    Json(Contents { routes: description.routes.clone() })
}

/// `GET /v1/openapi.json`
pub(super) async fn document(Extension(description): Extension<Arc<Description>>) -> output::Document {
    output::Document(description.json.clone())
}

/// `GET /v1/docs`: the document for readers, whose browser fetches nothing else.
pub(super) async fn page(Extension(description): Extension<Arc<Description>>) -> Page {
    description.page.clone()
}

/// The documentation of our types speaks to whoever reads the code: it links to other items, and calls `None` what is `null` in JSON.
fn for_callers(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('`') => {
            *text = text.replace("[`", "`").replace("`]", "`").replace("`None`", "`null`");
        }
        Value::Array(items) => items.iter_mut().for_each(for_callers),
        Value::Object(fields) => {
            with_maximum(fields);
            fields.values_mut().for_each(for_callers);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a number of ours may be at most; and its format, as the OpenAPI registry writes it.
fn with_maximum(schema: &mut Map<String, Value>) {
    let (format, maximum) = match schema.get("format").and_then(Value::as_str) {
        Some("u-int32") => ("uint32", Value::from(u32::MAX)),
        Some("u-int64") => ("uint64", Value::from(u64::MAX)),
        Some(_) | None => return,
    };
    schema.insert("format".to_owned(), Value::from(format));
    schema.entry("maximum").or_insert(maximum);
}
