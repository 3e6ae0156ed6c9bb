//! The event as a request to a guest that exports `wasi:http/incoming-handler`, and the guest's response as its reply.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use model::Event;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::failure::Stop;
use crate::host::Host;

/// Whom the request seems to be for; there is nobody of that name.
const AUTHORITY: &str = "codenode.invalid";

/// How a guest answered.
pub(crate) enum Answered {
    /// With a response.
    Response { status: StatusCode, body: Bytes },
    /// With an error in its place.
    Error(ErrorCode),
    /// It returned without either, or in the middle of its response.
    Nothing(&'static str),
}

type Sent = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Hands the event over, and collects the response while the guest still writes it.
pub(crate) async fn handle(proxy: &Proxy, store: &mut Store<Host>, event: &Event) -> wasmtime::Result<Answered> {
    let most_bytes = usize::try_from(store.data().limits.reply_bytes).unwrap_or(usize::MAX);
    let (sender, receiver) = oneshot::channel();
    let mut view = store.data_mut().wasi_http();
    let request = view.new_incoming_request(Scheme::Https, request(event))?;
    let out = view.new_response_outparam(sender)?;
    // What the guest has sent is there at once: that the task has done enough for now is no reason to say that it is not.
    let mut collecting = pin!(tokio::task::unconstrained(collect(receiver, most_bytes)));
    let mut calling = pin!(proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out));
    let mut collected = None;
    poll_fn(|context| {
        let called = calling.as_mut().poll(context)?;
        if collected.is_none()
            && let Poll::Ready(answered) = collecting.as_mut().poll(context)?
        {
            collected = Some(answered);
        }
        // A guest that has returned sends nothing more.
        called
            .map(|()| Ok(collected.take().unwrap_or(Answered::Nothing("it returned before its response was finished"))))
    })
    .await
}

fn request(event: &Event) -> Request<Full<Bytes>> {
    let body = Bytes::copy_from_slice(event.as_str().as_bytes());
    let mut headers = HeaderMap::new();
    for (name, value) in event.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers.insert(HOST, HeaderValue::from_static(AUTHORITY));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers;
    request
}

async fn collect(receiver: oneshot::Receiver<Sent>, most_bytes: usize) -> wasmtime::Result<Answered> {
    let response = match receiver.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Ok(Answered::Error(code)),
        Err(_dropped) => return Ok(Answered::Nothing("it returned without a response")),
    };
    let (head, body) = response.into_parts();
    match Limited::new(body, most_bytes).collect().await {
        Ok(body) => Ok(Answered::Response { status: head.status, body: body.to_bytes() }),
        Err(error) if error.is::<LengthLimitError>() => Err(Stop::ReplyTooLarge.into()),
        Err(_incomplete) => Ok(Answered::Nothing("its response ended before its end")),
    }
}
