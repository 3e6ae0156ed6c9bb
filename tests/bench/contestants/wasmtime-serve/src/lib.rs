//! The price of a product as a component for `wasmtime serve`, world `wasi:http/proxy`.
//!
//! It calls the bindings of the crate `wasip2` as they are: an executor on top (`wstd`) takes time and does nothing for a handler that reads
//! one body and writes another.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use wasip2::cli::environment::get_environment;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

/// More than any event has, so that one read takes it all.
const READ_BYTES: u64 = 64 * 1024;

/// Made once for each instance, which `wasmtime serve` may use for one request or for many.
static KEY: LazyLock<Option<Hmac<Sha1>>> = LazyLock::new(|| {
    let (_, secret) = get_environment().into_iter().find(|(name, _)| name == "SECRET")?;
    Hmac::new_from_slice(secret.as_bytes()).ok()
});

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    entities: Entities,
}

#[derive(Default, Deserialize)]
struct Entities {
    #[serde(default)]
    product_name: Vec<Entity>,
}

#[derive(Deserialize)]
struct Entity {
    entity_value: String,
}

#[derive(Serialize)]
struct Reply {
    status: bool,
    response: [&'static str; 1],
}

#[derive(Serialize)]
struct Refusal {
    error: &'static str,
}

struct Handler;

wasip2::http::proxy::export!(Handler);

impl wasip2::exports::http::incoming_handler::Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match answer(&request) {
            Ok(reply) => send(out, 200, &reply),
            Err((status, error)) => send(out, status, &Refusal { error }),
        }
    }
}

fn answer(request: &IncomingRequest) -> Result<Reply, (u16, &'static str)> {
    let body = read(request).ok_or((400, "the body cannot be read"))?;
    if !is_signed(request, &body) {
        return Err((401, "the signature is missing or wrong"));
    }
    let event: Event = serde_json::from_slice(&body).map_err(|_| (400, "the body is not an event"))?;
    let product = event.entities.product_name.first().map(|entity| entity.entity_value.as_str());
    Ok(match product {
        Some("speaker") => Reply { status: true, response: ["The price of the speaker is ₹1500."] },
        Some("powerbank") => Reply { status: true, response: ["The price of the powerbank is ₹1000."] },
        _ => Reply { status: false, response: ["Sorry, we don't sell that."] },
    })
}

fn read(request: &IncomingRequest) -> Option<Vec<u8>> {
    let incoming = request.consume().ok()?;
    let stream = incoming.stream().ok()?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(chunk) if body.is_empty() => body = chunk,
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Some(body),
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
    }
}

fn is_signed(request: &IncomingRequest, body: &[u8]) -> bool {
    let signature = request.headers().get("x-hub-signature");
    let Some(hex) = signature.first().and_then(|value| value.strip_prefix(b"sha1=")) else { return false };
    let mut claimed = [0; 20];
    let (Ok(()), Some(key)) = (hex::decode_to_slice(hex, &mut claimed), KEY.as_ref()) else { return false };
    key.clone().chain_update(body).verify(&claimed.into()).is_ok()
}

/// Nobody is left to tell, should the client have gone.
fn send(out: ResponseOutparam, status: u16, body: &impl Serialize) {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let headers = Fields::new();
    let _ = headers.append("content-type", b"application/json");
    let _ = headers.append("content-length", bytes.len().to_string().as_bytes());
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    let Ok(outgoing) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = outgoing.write() {
        let _ = stream.blocking_write_and_flush(&bytes);
    }
    let _ = OutgoingBody::finish(outgoing, None);
}
