//! `Idempotency-Key`: what makes something makes it once, and a request that comes again gets the answer that the first one got.
//!
//! The header is that of the IETF's draft of this name. The claim, and the answer that is kept with the change, are storage's; what a
//! request is, and what of an answer is kept, is decided here.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest as _, FromRequestParts, Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use storage::{By, IdempotencyClaim, IdempotencyStanding};
use tracing::warn;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use zeroize::Zeroizing;

use super::auth::Caller;
use super::description::{Draft, Input};
use super::problem::{Problem, RequestId};
use crate::state::State;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Says of an answer that an earlier request got it first.
const REPEATED: HeaderName = HeaderName::from_static("x-codenode-repeated");
const MAX_KEY_BYTES: usize = 255;
/// What there may be among the headers of an answer that its caller goes by.
const KEPT_HEADERS: [HeaderName; 3] = [CONTENT_TYPE, ETAG, CACHE_CONTROL];

/// Whoever makes something, once if the request says so: a handler that takes it stands behind [`keep`].
pub(super) struct Maker {
    caller: Caller,
    claim: Option<IdempotencyClaim>,
}

/// An answer, as it is kept.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Maker {
    /// For storage: who makes the change, and what the request is answered with once that is made.
    pub(super) fn once<'a, T, R: IntoResponse>(&'a self, answer: impl Fn(&T) -> R + Send + Sync + 'a) -> By<'a, T> {
        match &self.claim {
            Some(claim) => By::once(claim, move |made| {
                written(answer(made).into_response()).map(|(text, _)| text).unwrap_or_default()
            }),
            None => By::from(&self.caller.actor),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Maker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Problem::internal("nobody asked for the caller's key"))?;
        Ok(Self { caller, claim: parts.extensions.remove() })
    }
}

impl Input for Maker {
    fn describe(draft: &mut Draft) {
        let key = Object::builder()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_KEY_BYTES))
            .pattern(Some("^[!-~]*$"));
        let parameter = ParameterBuilder::new()
            .name(HEADER.as_str())
            .parameter_in(ParameterIn::Header)
            .description(Some(
                "Makes it safe to ask again: of several requests of one caller with the same key, one is carried out, and the others get its \
                 answer, for 24 hours. A fresh UUID for each thing to be made.",
            ))
            .required(Required::False)
            .schema(Some(key));
        draft.takes([parameter.build()]);
        draft.takes_idempotency_key();
        // The last one: as many keys as there may be are kept already.
        draft.fails(&[
            StatusCode::BAD_REQUEST,
            StatusCode::CONFLICT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::FORBIDDEN,
        ]);
    }
}

/// Lets a request with a key through if it is the first, and answers others as that was answered.
pub(super) async fn keep(
    Shared(state): Shared<Arc<State>>,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = digest_of_key(request.headers())? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::too_large("the body is larger than this path takes")
        } else {
            Problem::invalid(rejection.body_text())
        }
    })?;
    let claim = IdempotencyClaim::new(&caller.actor, key, fingerprint(&parts, &body), Timestamp::now());
    match state.stored.storage.claim_idempotency(&claim).await? {
        IdempotencyStanding::Ours => {}
        IdempotencyStanding::Answered(answer) => return repeated(&answer),
        IdempotencyStanding::Taken => return Err(Problem::request_under_way()),
        IdempotencyStanding::OfAnother => return Err(Problem::key_of_another_request()),
    }
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(claim.clone());
    // Goes on though its caller leaves, who may be about to ask again.
    let carried_out = tokio::spawn(async move { settle(&state, &claim, &id, next.run(request).await).await });
    carried_out.await.map_err(Problem::internal)
}

/// Keeps what changed nothing, and forgets what failed on our side. What was changed has been kept with the change.
pub(super) async fn settle(state: &State, claim: &IdempotencyClaim, id: &str, mut response: Response) -> Response {
    let storage = &state.stored.storage;
    let status = response.status();
    let settled = if status.is_server_error() {
        storage.release_idempotency(claim).await
    } else if status.is_success() {
        Ok(())
    } else {
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            problem.write(id, &mut response);
        }
        match written(response) {
            Some((answer, rewritten)) => {
                response = rewritten;
                storage.answer_idempotency(claim, &answer).await
            }
            None => return Problem::internal("an answer was not there at once").into_response(),
        }
    };
    if let Err(error) = settled {
        warn!(%error, "an idempotency key waits until its claim runs out");
    }
    response
}

/// Of the one key that the request shows, if it shows any: what callers put into their keys is not ours to keep.
fn digest_of_key(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let mut shown = headers.get_all(HEADER).iter();
    let Some(key) = shown.next() else { return Ok(None) };
    let key = key.as_bytes();
    let is_key = (1..=MAX_KEY_BYTES).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if is_key && shown.next().is_none() {
        return Ok(Some(Sha256::digest(key).into()));
    }
    Err(Problem::invalid(format!(
        "`idempotency-key` must be one key of 1 to {MAX_KEY_BYTES} visible ASCII characters, such as a fresh UUID"
    )))
}

/// What tells a request from another: its method, its path and its body.
fn fingerprint(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let mut digest = Sha256::new();
    digest.update(format!("{} {path}\n", parts.method));
    digest.update(Sha256::digest(body));
    digest.finalize().into()
}

/// An answer's text, and the answer once more.
fn written(response: Response) -> Option<(Zeroizing<String>, Response)> {
    let (parts, body) = response.into_parts();
    // Ours are there at once.
    let Poll::Ready(Ok(body)) = pin!(to_bytes(body, usize::MAX)).poll(&mut Context::from_waker(Waker::noop())) else {
        return None;
    };
    let header = |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: KEPT_HEADERS.iter().filter_map(header).collect(),
        body: String::from_utf8(body.to_vec()).ok()?,
    };
    let text = Zeroizing::new(serde_json::to_string(&answer).ok()?);
    Some((text, Response::from_parts(parts, Body::from(body))))
}

fn repeated(text: &str) -> Result<Response, Problem> {
    let Answer { status, headers, body } = serde_json::from_str(text).map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).map_err(Problem::internal)?;
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(Problem::internal)?;
        response.headers_mut().insert(name, value.parse().map_err(Problem::internal)?);
    }
    response.headers_mut().insert(REPEATED, HeaderValue::from_static("true"));
    Ok(response)
}
