//! A handler of `wasi:http` as anybody would write one, without an SDK of ours: it replies with what it was asked, or misbehaves as the entity `way`
//! says. Natively there is nothing here, for there is no host.
#![cfg(target_arch = "wasm32")]

use serde_json::{Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// As much as a stream takes at once.
const CHUNK_BYTES: usize = 4096;

struct Responder;

wasip2::http::proxy::export!(Responder);

impl Guest for Responder {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let asked = asked(&request);
        let event = read(&request);
        println!("asked with {} bytes", event.len());
        let event: Value = serde_json::from_slice(&event).unwrap_or_default();
        let entity = |name: &str| {
            let value = event.pointer(&format!("/entities/{name}/0/entity_value"));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        match entity("way").as_str() {
            "" => respond(out, 200, &reply(&asked.to_string())),
            "status" => respond(out, entity("status").parse().unwrap_or(500), entity("says").as_bytes()),
            "silent" => drop(out),
            "error" => ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("as it was asked".to_owned())))),
            "half" => respond_half(out),
            "long" => respond(out, 200, &reply(&"x".repeat(entity("bytes").parse().unwrap_or(0)))),
            "endless" => respond_endlessly(out),
            "loops" => loop {
                std::hint::black_box(());
            },
            "loops after its response" => {
                respond(out, 200, &reply("done"));
                loop {
                    std::hint::black_box(());
                }
            }
            _ => std::process::abort(),
        }
    }
}

fn asked(request: &IncomingRequest) -> Value {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<(String, String)> =
        request.headers().entries().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let (method, scheme) = (format!("{:?}", request.method()), format!("{:?}", request.scheme()));
    json!({ "method": method, "scheme": scheme, "path": request.path_with_query(), "authority": request.authority(), "headers": headers })
}

fn reply(text: &str) -> Vec<u8> {
    json!({ "response": [text] }).to_string().into_bytes()
}

fn read(request: &IncomingRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(body) = request.consume() else { return bytes };
    if let Ok(stream) = body.stream() {
        // Its end is an error too.
        while let Ok(more) = stream.blocking_read(CHUNK_BYTES as u64) {
            bytes.extend(more);
        }
    }
    bytes
}

fn respond(out: ResponseOutparam, status: u16, body: &[u8]) {
    let Some(outgoing) = begin(out, status) else { return };
    if let Ok(stream) = outgoing.write() {
        write(&stream, body);
    }
    let _ = OutgoingBody::finish(outgoing, None);
}

fn respond_half(out: ResponseOutparam) {
    if let Some(outgoing) = begin(out, 200) {
        if let Ok(stream) = outgoing.write() {
            write(&stream, b"{\"response\":");
        }
        std::mem::forget(outgoing);
    }
}

fn respond_endlessly(out: ResponseOutparam) {
    if let Some(outgoing) = begin(out, 200) {
        if let Ok(stream) = outgoing.write() {
            while write(&stream, &[b' '; CHUNK_BYTES]) {}
        }
        std::mem::forget(outgoing);
    }
}

/// Sends the head at once; the body follows.
fn begin(out: ResponseOutparam, status: u16) -> Option<OutgoingBody> {
    let fields = Fields::new();
    let _ = fields.append("content-type", b"application/json");
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(status);
    let body = response.body().ok();
    ResponseOutparam::set(out, Ok(response));
    body
}

/// Whether all of it was taken.
fn write(stream: &OutputStream, bytes: &[u8]) -> bool {
    bytes.chunks(CHUNK_BYTES).all(|chunk| stream.blocking_write_and_flush(chunk).is_ok())
}
