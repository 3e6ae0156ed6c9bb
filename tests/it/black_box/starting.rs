//! What keeps a server from starting.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::server::{CODENODE, SECRET, Server};

#[test]
fn a_server_without_the_master_key_of_its_secrets_does_not_start_and_names_the_key() {
    let server = Server::start("");
    server.change("POST", "/v1/tenants", &json!({ "id": "acme" }));
    server.change("POST", "/v1/tenants/acme/nodes", &json!({ "id": "N" }));
    server.change("POST", "/v1/tenants/acme/nodes/N/secrets", &json!({ "secret": SECRET }));
    let folder = server.kill();
    let key = folder.path().join(".codenode/master.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    let serve = || {
        let mut command = Command::new(CODENODE);
        command.args(["serve", "--config", "codenode.toml"]).current_dir(folder.path());
        command.output().unwrap()
    };
    let refused = serve();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("secrets are sealed with the master key"), "{said}");
    assert!(said.contains("which is not configured: add it back"), "{said}");

    fs::write(&key, right).unwrap();
    Server::start_again_in(folder);
}
