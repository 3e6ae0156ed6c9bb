//! The routes of the API, each with the role that it takes: none can be added without one.

use std::sync::Arc;

use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, Router};
use http::Method;
use model::Role;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::auth::{self, Guard};
use crate::state::State;

/// A router that grows route by route.
pub(super) struct Api {
    state: Arc<State>,
    router: Router<Arc<State>>,
    routes: Vec<Route>,
}

/// One line of the table of contents.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Route {
    #[serde(serialize_with = "name")]
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// The least role that may call it.
    pub(super) role: Role,
}

fn name<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

impl Api {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, router: Router::new(), routes: Vec::new() }
    }

    pub(super) fn get<T: 'static>(self, path: &'static str, role: Role, handler: impl Handler<T, Arc<State>>) -> Self {
        self.on(Method::GET, MethodFilter::GET, path, role, handler)
    }

    pub(super) fn post<T: 'static>(self, path: &'static str, role: Role, handler: impl Handler<T, Arc<State>>) -> Self {
        self.on(Method::POST, MethodFilter::POST, path, role, handler)
    }

    pub(super) fn put<T: 'static>(self, path: &'static str, role: Role, handler: impl Handler<T, Arc<State>>) -> Self {
        self.on(Method::PUT, MethodFilter::PUT, path, role, handler)
    }

    pub(super) fn delete<T: 'static>(
        self,
        path: &'static str,
        role: Role,
        handler: impl Handler<T, Arc<State>>,
    ) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, path, role, handler)
    }

    /// The router, with the table of contents at `path`, for everybody who has a key.
    pub(super) fn with_contents(self, path: &'static str) -> (Router<Arc<State>>, Vec<Route>) {
        let lines: Arc<[Route]> = self.routes.clone().into();
        let contents = move || async move { Json(json!({ "routes": *lines })) };
        let Self { router, routes, .. } = self.get(path, Role::Read, contents);
        (router, routes)
    }

    fn on<T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        role: Role,
        handler: impl Handler<T, Arc<State>>,
    ) -> Self {
        let guard = Guard { state: Arc::clone(&self.state), role };
        let guarded: MethodRouter<Arc<State>> = on(filter, handler).route_layer(from_fn_with_state(guard, auth::check));
        self.router = self.router.route(path, guarded);
        self.routes.push(Route { method, path, role });
        self
    }
}
