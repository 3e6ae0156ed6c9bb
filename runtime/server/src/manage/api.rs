//! The routes of the API, each with the role that it takes and its part of the description: none can be added without them.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};
use http::{Method, StatusCode};
use model::Role;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;

use super::auth::{self, Guard};
use super::description::{Description, Document, Draft, Operation};
use super::idempotency;
use crate::state::State;

/// A router that grows route by route.
pub(super) struct Api {
    state: Arc<State>,
    router: Router<Arc<State>>,
    routes: Vec<Route>,
    drafts: Vec<(HttpMethod, Draft)>,
}

/// The API, complete.
pub(super) struct Finished {
    pub(super) router: Router<Arc<State>>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests compare it with the document"))]
    pub(super) routes: Vec<Route>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests compare it with the routes and with the golden file"))]
    pub(super) document: Value,
}

/// One line of the table of contents.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Route {
    #[serde(serialize_with = "name")]
    #[schema(value_type = String)]
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// The least role that may call it; `null`: everybody may.
    pub(super) role: Option<Role>,
    /// What it does.
    pub(super) summary: &'static str,
}

fn name<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

/// How axum, the document and the table call a method.
pub(super) struct Verb(MethodFilter, HttpMethod, Method);

pub(super) const GET: Verb = Verb(MethodFilter::GET, HttpMethod::Get, Method::GET);
pub(super) const POST: Verb = Verb(MethodFilter::POST, HttpMethod::Post, Method::POST);
pub(super) const PUT: Verb = Verb(MethodFilter::PUT, HttpMethod::Put, Method::PUT);
pub(super) const DELETE: Verb = Verb(MethodFilter::DELETE, HttpMethod::Delete, Method::DELETE);

impl Api {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, router: Router::new(), routes: Vec::new(), drafts: Vec::new() }
    }

    /// A route for those with the role.
    pub(super) fn on<T: 'static, H: Operation<T>>(
        self,
        verb: Verb,
        path: &'static str,
        role: Role,
        summary: &'static str,
        handler: H,
    ) -> Self {
        self.route(verb, path, Some(role), summary, handler)
    }

    /// A GET for everybody, key or not.
    pub(super) fn open<T: 'static, H: Operation<T>>(
        self,
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        self.route(GET, path, None, summary, handler)
    }

    /// Says of the last route what it may answer beside what its handler's type tells: what is found wrong in the state of things.
    pub(super) fn or(mut self, statuses: &[StatusCode]) -> Self {
        if let Some((_, draft)) = self.drafts.last_mut() {
            draft.fails(statuses);
        }
        self
    }

    /// All of it, with the document in the hands of the handlers that show it.
    pub(super) fn finished(self) -> Finished {
        let mut document = Document::default();
        for (route, (method, draft)) in self.routes.iter().zip(self.drafts) {
            document.add(route, method, draft);
        }
        let document = document.finished();
        let description = Description::new(self.routes.clone(), &document);
        let router = self.router.layer(Extension(Arc::new(description)));
        Finished { router, routes: self.routes, document }
    }

    fn route<T: 'static, H: Operation<T>>(
        mut self,
        verb: Verb,
        path: &'static str,
        role: Option<Role>,
        summary: &'static str,
        handler: H,
    ) -> Self {
        let Verb(filter, documented, method) = verb;
        let mut draft = Draft::new(path, summary, std::any::type_name::<H>());
        H::describe(&mut draft);
        let mut handled: MethodRouter<Arc<State>> = on(filter, handler);
        if draft.has_idempotency_key() {
            handled = handled.route_layer(from_fn_with_state(Arc::clone(&self.state), idempotency::keep));
        }
        if let Some(role) = role {
            let guard = Guard { state: Arc::clone(&self.state), role };
            handled = handled.route_layer(from_fn_with_state(guard, auth::check));
            draft.fails(auth::failures(role));
        }
        self.router = self.router.route(path, handled);
        self.routes.push(Route { method, path, role, summary });
        self.drafts.push((documented, draft));
        self
    }
}
