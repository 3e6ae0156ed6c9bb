//! What nodes cost that nobody calls: little memory, no descriptor, no mapping.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::http::Answer;
use super::server::{SECRET, Server, event};
use crate::support::guest;

/// The room that the sandbox has, and a folder with this many nodes, each with code of its own.
fn nodes(count: usize, folder: &Path) -> String {
    let mut config = "[sandbox]\nloaded = 2\n".to_owned();
    for at in 0..count {
        let artifact = folder.join(format!("{at}.wasm"));
        fs::write(&artifact, guest::numbered(at)).unwrap();
        write!(config, "[tenants.acme.nodes.n{at}]\nartifact = {artifact:?}\nsecrets = [{SECRET:?}]\n").unwrap();
    }
    config
}

fn send(server: &Server, at: usize) -> Answer {
    server.send(&format!("n{at}"), &event("text", "hello"))
}

/// Which nodes are loaded, by the management side.
fn loaded(server: &Server) -> Vec<String> {
    let nodes = server.manage("/v1/nodes").json()["nodes"].as_array().unwrap().clone();
    let loaded = nodes.into_iter().filter(|node| node["loaded"] == true);
    loaded.map(|node| node["node"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_idle_node_costs_less_than_32_kib_and_no_descriptor() {
    const NODES: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let cost = |count: usize| {
        let server = Server::start(&nodes(count, folder.path()));
        (0..count).for_each(|at| assert_eq!(send(&server, at).body, guest::number(at)));
        assert_eq!(loaded(&server).len(), 2);
        (server.anonymous_bytes(), server.descriptors())
    };
    let (few, many) = (cost(2), cost(2 + NODES));
    let each = many.0.saturating_sub(few.0) / NODES as u64;
    assert!(each <= 32 << 10, "{each} bytes for each idle node: {few:?}, {many:?}");
    assert!(many.1 <= few.1 + 2, "descriptors: {few:?}, {many:?}");
}

#[test]
fn code_that_somebody_removed_while_it_was_idle_is_compiled_anew_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&nodes(3, folder.path()));
    (0..3).for_each(|at| assert_eq!(send(&server, at).body, guest::number(at)));
    assert_eq!(loaded(&server), ["n1", "n2"]);
    fs::remove_dir_all(server.folder.path().join(".codenode")).unwrap();
    let broken = send(&server, 0);
    assert_eq!((broken.status, broken.cause()), (503, Some("unavailable")));
    let detail = server.record(&broken)["outcome"]["bot_break"]["detail"].clone();
    assert!(detail.as_str().unwrap().contains("is gone from the cache"), "{detail}");
    server.wait_for("the node to come back", || (send(&server, 0).body == guest::number(0)).then_some(()));
    assert_eq!(send(&server, 1).body, guest::number(1));
}
