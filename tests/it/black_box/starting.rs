//! What keeps a server from starting, and what it clears away when it does.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::server::{CODENODE, SECRET, Server, event};

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

#[test]
fn a_server_that_starts_removes_compiled_code_of_a_release_that_has_not_run_for_long() {
    let folder = Server::with_guests(&["product-price"]).kill();
    let compiled = folder.path().join(".codenode/compiled");
    let releases = || fs::read_dir(&compiled).unwrap().count();
    assert_eq!(releases(), 1);
    for (name, days) in [("0123456789abcdef", 8), ("fedcba9876543210", 6)] {
        let old = compiled.join(name);
        fs::create_dir(&old).unwrap();
        fs::write(old.join("code.cwasm"), "code").unwrap();
        File::open(&old).unwrap().set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }
    let server = Server::start_again_in(folder);
    assert_eq!(server.wait_for_log("removed compiled code of releases")["releases"], 1);
    assert_eq!(releases(), 2);
    assert_eq!(server.send("product-price", &event("product_name", "speaker")).status, 200);
}
