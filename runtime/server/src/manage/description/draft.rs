//! One operation while it is described: what its handler takes and answers each add their part.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::handler::Handler;
use axum::{Extension, Json};
use http::StatusCode;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation as Described, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{Content, Header, Ref, RefOr, Required, Response, Schema};
use utoipa::{PartialSchema as _, ToSchema};

use crate::manage::problem::Problem;
use crate::state::State;

/// The parts of a description that are known so far.
pub(in crate::manage) struct Draft {
    /// The names in the path that no input has claimed yet, the last one first.
    names: Vec<String>,
    described: Described,
    answers: BTreeMap<StatusCode, Response>,
    failures: BTreeSet<StatusCode>,
    schemas: Vec<(String, RefOr<Schema>)>,
    /// Whether what is asked for may be asked for again, by a key.
    takes_idempotency_key: bool,
}

/// An operation that is described, and what it refers to.
pub(super) struct Parts {
    pub(super) described: Described,
    pub(super) failures: BTreeSet<StatusCode>,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

/// A handler that can be described by its type.
pub(in crate::manage) trait Operation<T>: Handler<T, Arc<State>> {
    fn describe(draft: &mut Draft);
}

/// What a handler takes.
pub(in crate::manage) trait Input {
    fn describe(draft: &mut Draft);
}

/// What a handler answers.
pub(in crate::manage) trait Output {
    /// `status` is that of the answer, unless the type has one of its own.
    fn describe(draft: &mut Draft, status: StatusCode);
}

impl Draft {
    /// Of the handler `name` at `path`; those of one file stand together.
    pub(in crate::manage) fn new(path: &str, summary: &str, name: &str) -> Self {
        let names = path.split('/').rev().filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut described = Described::new();
        let mut parts = name.rsplit("::");
        let (function, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        described.operation_id = Some(format!("{file}_{function}"));
        described.tags = Some(vec![file.to_owned()]);
        described.summary = Some(summary.to_owned());
        Self {
            names: names.map(str::to_owned).collect(),
            described,
            answers: BTreeMap::new(),
            failures: BTreeSet::new(),
            schemas: Vec::new(),
            takes_idempotency_key: false,
        }
    }

    /// The next name in the path is a `T`.
    pub(in crate::manage) fn names<T: ToSchema>(&mut self) {
        if let Some(name) = self.names.pop() {
            let schema = self.schema::<T>();
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
            self.takes([parameter.required(Required::True).schema(Some(schema)).build()]);
        }
    }

    pub(in crate::manage) fn takes(&mut self, parameters: impl IntoIterator<Item = Parameter>) {
        self.described.parameters.get_or_insert_default().extend(parameters.into_iter().map(Into::into));
    }

    /// One of the forms that the body may have.
    pub(in crate::manage) fn reads(&mut self, media_type: &str, schema: impl Into<RefOr<Schema>>) {
        let mut body = RequestBodyBuilder::new().required(Some(Required::True)).build();
        if let Some(RefOr::T(known)) = self.described.request_body.take() {
            body = known;
        }
        body.content.insert(media_type.to_owned(), Content::new(Some(schema)).into());
        self.described.request_body = Some(body.into());
    }

    pub(in crate::manage) fn answers(
        &mut self,
        status: StatusCode,
        media_type: &str,
        schema: impl Into<RefOr<Schema>>,
    ) {
        self.answer(status).content.insert(media_type.to_owned(), Content::new(Some(schema)).into());
    }

    pub(in crate::manage) fn answers_nothing(&mut self, status: StatusCode) {
        self.answer(status);
    }

    pub(in crate::manage) fn has_header(&mut self, status: StatusCode, name: &str, description: &str) {
        let header: Header = HeaderBuilder::new().schema(Some(String::schema())).description(Some(description)).build();
        self.answer(status).headers.insert(name.to_owned(), header.into());
    }

    /// With a [`Problem`].
    pub(in crate::manage) fn fails(&mut self, statuses: &[StatusCode]) {
        self.failures.extend(statuses);
    }

    pub(in crate::manage) const fn takes_idempotency_key(&mut self) {
        self.takes_idempotency_key = true;
    }

    pub(in crate::manage) const fn has_idempotency_key(&self) -> bool {
        self.takes_idempotency_key
    }

    /// A reference to a type's schema, which is kept.
    pub(in crate::manage) fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name();
        if name == String::name() {
            return String::schema();
        }
        T::schemas(&mut self.schemas);
        self.schemas.push((name.to_string(), T::schema()));
        Ref::from_schema_name(name).into()
    }

    pub(super) fn finished(mut self) -> Parts {
        let answers = self.answers.into_iter().map(|(status, answer)| (status, RefOr::T(answer)));
        let failures = self.failures.iter().map(|status| (*status, Ref::from_response_name(reason(*status)).into()));
        self.described.responses.responses =
            answers.chain(failures).map(|(status, answer)| (status.as_str().to_owned(), answer)).collect();
        Parts { described: self.described, failures: self.failures, schemas: self.schemas }
    }

    fn answer(&mut self, status: StatusCode) -> &mut Response {
        self.answers.entry(status).or_insert_with(|| Response::new(status.canonical_reason().unwrap_or_default()))
    }
}

/// The name of a problem's response: its status in words, which are one.
pub(super) fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().replace(' ', "")
}

macro_rules! operation {
    ($T:ty, $($input:ident),*) => {
        impl<H, Answering, O, M, $($input),*> Operation<$T> for H
        where
            H: FnOnce($($input),*) -> Answering + Handler<$T, Arc<State>>,
            Answering: Future<Output = O>,
            O: Output,
            $($input: Input),*
        {
            fn describe(draft: &mut Draft) {
                $($input::describe(draft);)*
                O::describe(draft, StatusCode::OK);
            }
        }
    };
}

operation!((M, A), A);
operation!((M, A, B), A, B);
operation!((M, A, B, C), A, B, C);
operation!((M, A, B, C, D), A, B, C, D);
operation!((M, A, B, C, D, E), A, B, C, D, E);
operation!((M, A, B, C, D, E, F), A, B, C, D, E, F);

/// The server's own.
impl<S> Input for Shared<S> {
    fn describe(_: &mut Draft) {}
}

/// What was put beside the request.
impl<T> Input for Extension<T> {
    fn describe(_: &mut Draft) {}
}

impl<T: ToSchema> Output for Json<T> {
    fn describe(draft: &mut Draft, status: StatusCode) {
        let schema = draft.schema::<T>();
        draft.answers(status, "application/json", schema);
    }
}

impl<T: Output> Output for Result<T, Problem> {
    fn describe(draft: &mut Draft, status: StatusCode) {
        T::describe(draft, status);
        draft.fails(&[
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::INSUFFICIENT_STORAGE,
        ]);
    }
}
