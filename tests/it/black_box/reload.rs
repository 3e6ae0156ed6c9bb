//! Changes while the server runs: taken over without a restart, or refused without harm.

use std::fs;

use rustix::process::Signal;

use super::server::{SECRET, Server, event, guest, node};

fn node_at(artifact: &str) -> String {
    format!("[tenants.acme.nodes.n]\nartifact = {artifact:?}\nsecrets = [{SECRET:?}]\n")
}

fn replies_of(server: &Server) -> String {
    server.send("n", &event("text", "hello")).body
}

#[test]
fn a_changed_artifact_is_live_without_a_restart() {
    let server = Server::start(&node_at("handler.wasm"));
    assert_eq!(server.send("n", &event("product_name", "speaker")).cause(), Some("unavailable"));
    let put = |name: &str| {
        let (draft, place) = (server.folder.path().join("draft"), server.folder.path().join("handler.wasm"));
        fs::copy(guest(name), &draft).unwrap();
        fs::rename(draft, place).unwrap();
    };
    put("echo-command");
    server.wait_for("the first handler", || replies_of(&server).contains("hello").then_some(()));
    put("order-status");
    server.wait_for("the second handler", || {
        server.send("n", &event("product_id", "71")).body.contains("CAROUSEL").then_some(())
    });
}

#[test]
fn a_changed_file_is_live_by_the_watch_and_by_sighup() {
    let server = Server::start(&node("n", "product-price", ""));
    server.rewrite_config(&(node("n", "product-price", "") + &node("second", "echo-command", "")));
    server.wait_for("the second node", || {
        (server.send("second", &event("product_name", "speaker")).status == 200).then_some(())
    });
    server.rewrite_config(&node("second", "echo-command", ""));
    server.signal(Signal::HUP);
    server.wait_for("the first node's end", || {
        (server.send("n", &event("product_name", "speaker")).status == 401).then_some(())
    });
}

#[test]
fn a_bad_new_file_leaves_the_old_state_serving_and_says_so() {
    let server = Server::start(&node("n", "product-price", ""));
    server.rewrite_config(&node("n", "product-price", "limts = { memory = \"1 MiB\" }"));
    server.wait_for("word of the bad file", || {
        let nodes = server.manage("/v1/nodes").body;
        (nodes.contains("limts") && nodes.contains("limits")).then_some(())
    });
    assert_eq!(server.send("n", &event("product_name", "speaker")).status, 200);
    server.rewrite_config(&node("n", "echo-command", ""));
    server.wait_for("the mended file", || replies_of(&server).contains("hello").then_some(()));
}

#[test]
fn a_bad_new_artifact_leaves_the_old_one_serving() {
    let server = Server::start(&node_at("handler.wasm"));
    let place = server.folder.path().join("handler.wasm");
    fs::copy(guest("echo-command"), &place).unwrap();
    server.wait_for("the handler", || replies_of(&server).contains("hello").then_some(()));
    fs::write(&place, b"not wasm").unwrap();
    server.wait_for("word of the bad artifact", || {
        server.manage("/v1/nodes").body.contains("is not WebAssembly").then_some(())
    });
    assert!(replies_of(&server).contains("hello"));
}
