//! Programs of others, unmodified, that know nothing of codenode: they read JSON from standard input and write what they make of it. `cargo xtask guests`
//! installs those of crates.io; those of Shopify are in `tests/fixtures/shopify`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::server::{SECRET, Server, guest};

/// From crates.io, in the versions of `xtask/src/third_party.rs`.
const INSTALLED: [&str; 6] = ["canon", "jaq", "jsonice", "jsonxf", "pjs", "yj"];
const SHOPIFYS: [&str; 4] = ["exit_code", "log_truncation_function", "messagepack-valid", "noop"];

fn programs() -> Vec<(&'static str, PathBuf)> {
    let shopifys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/shopify");
    let shopifys = SHOPIFYS.map(|name| (name, shopifys.join(name).with_extension("wasm")));
    INSTALLED.map(|name| (name, guest(&format!("third-party-{name}")))).into_iter().chain(shopifys).collect()
}

/// A server with a node for each, under the limits of production.
fn server() -> Server {
    let node = |(name, program): (&str, PathBuf)| {
        format!("[tenants.acme.nodes.{name}]\nartifact = {program:?}\nsecrets = [{SECRET:?}]\n")
    };
    Server::start(&programs().into_iter().map(node).collect::<String>())
}

/// What comes of an event, by each program, one a line.
fn told(server: &Server, event: &[u8]) -> String {
    let told = |(name, _)| {
        let answer = server.send(name, event);
        match answer.cause() {
            None => format!("{name}: {}", answer.json()),
            Some(cause) => format!("{name}: {cause}: {}", server.record(&answer)["detail"].as_str().unwrap()),
        }
    };
    programs().into_iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn programs_that_hand_their_input_on_reply_what_the_event_says() {
    let server = server();
    let event = json!({ "code": 3, "response": ["नमस्ते 😊 \"71\""], "status": true });
    insta::assert_snapshot!(told(&server, event.to_string().as_bytes()), @r#"
    canon: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    jaq: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    jsonice: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    jsonxf: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    pjs: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    yj: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    exit_code: exit: it exited with code 3
    log_truncation_function: reply_empty: the reply has no message: `response` is absent
    messagepack-valid: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    noop: {"code":3,"response":["नमस्ते 😊 \"71\""],"status":true}
    "#);
}

#[test]
fn programs_whose_output_is_no_reply_are_told_why() {
    let server = server();
    let event = include_bytes!("../../../examples/product-price/event.json");
    insta::assert_snapshot!(told(&server, event), @"
    canon: reply_empty: the reply has no message: `response` is absent
    jaq: reply_empty: the reply has no message: `response` is absent
    jsonice: reply_empty: the reply has no message: `response` is absent
    jsonxf: reply_empty: the reply has no message: `response` is absent
    pjs: reply_empty: the reply has no message: `response` is absent
    yj: reply_empty: the reply has no message: `response` is absent
    exit_code: trap: wasm `unreachable` instruction executed
    log_truncation_function: reply_empty: the reply has no message: `response` is absent
    messagepack-valid: reply_empty: the reply has no message: `response` is absent
    noop: reply_empty: the reply has no message: `response` is absent
    ");
    let wrong = json!({ "code": 0, "response": "no list" });
    let told = told(&server, wrong.to_string().as_bytes());
    assert_eq!(told.matches("reply_wrong_shape: ").count(), 8, "{told}");
}
