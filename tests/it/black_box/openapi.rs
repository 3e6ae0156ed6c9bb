//! The API does what its document says: schemathesis makes up requests from `/v1/openapi.json`, good ones and bad ones, sends them to a real
//! server, and compares every answer with the document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::http;
use super::server::{SECRET, Server, TOKEN, event, guest};

/// What is tried, and what is put up with, with the reasons.
const CONFIG: &str = include_str!("schemathesis.toml");

#[test]
fn every_answer_is_one_that_the_document_tells_of() {
    // Connections to what is made up are tested too: no name of it is looked up anywhere.
    let server = Server::start("[egress]\nname_servers = [\"127.0.0.1:9\"]\n");
    let config = server.folder.path().join("schemathesis.toml");
    fs::write(&config, furnished(&server)).unwrap();
    let done = Command::new(schemathesis())
        .arg("--config-file")
        .arg(&config)
        .args(["run", "--no-color", &format!("http://{}/v1/openapi.json", server.management)])
        .current_dir(server.folder.path())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}\n{out}\n{err}", done.status);
    let failures = server.log_lines("a management request failed");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Makes one of everything that a path can name, and tells schemathesis what it is called.
fn furnished(server: &Server) -> String {
    let post = |path: &str, body: &Value| make(server, path, "application/json", body.to_string().as_bytes());
    for tenant in ["acme", "spare"] {
        post("/v1/tenants", &json!({ "id": tenant }));
    }
    for node in ["SHOP", "SPARE"] {
        post("/v1/tenants/acme/nodes", &json!({ "id": node }));
    }
    post("/v1/tenants/acme/nodes/SHOP/secrets", &json!({ "secret": SECRET }));
    for connection in ["crm", "spare"] {
        let settings = json!({ "origin": "http://127.0.0.1:9", "credential": { "kind": "bearer" } });
        let wanted = json!({ "settings": settings, "secret": SECRET });
        server.change("PUT", &format!("/v1/tenants/acme/connections/{connection}"), &wanted);
    }
    let [artifact, spare] = ["product-price", "order-status"].map(|name| {
        let code = fs::read(guest(name)).unwrap();
        let uploaded = make(server, "/v1/tenants/acme/artifacts", "application/octet-stream", &code);
        uploaded["artifact"].as_str().unwrap().to_owned()
    });
    for note in ["first", "second"] {
        let made = post("/v1/tenants/acme/nodes/SHOP/revisions", &json!({ "artifact": artifact, "note": note }));
        post("/v1/tenants/acme/nodes/SHOP/promote", &json!({ "revision": made["number"] }));
    }
    for path in ["/v1/tenants/acme/messages/greeting", "/v1/tenants/acme/messages/greeting?language=hi"] {
        server.change("PUT", path, &json!({ "text": "hello" }));
    }
    let run = server.send("SHOP", &event("product_name", "speaker"));
    server.record(&run);
    let run = run.header("x-codenode-run").unwrap();
    [("${TOKEN}", TOKEN), ("${ARTIFACT}", &artifact), ("${SPARE_ARTIFACT}", &spare), ("${RUN}", run)]
        .iter()
        .fold(CONFIG.to_owned(), |config, (name, value)| config.replace(name, value))
}

/// A POST that must go well.
fn make(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Value {
    let headers = [("authorization", &*server.authorization()), ("content-type", content_type)];
    let answer = http::exchange(server.management, &http::post(path, &headers, body)).expect("an answer");
    assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    answer.json()
}

fn schemathesis() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/toolchains/schemathesis/bin/schemathesis");
    assert!(program.is_file(), "{} is missing: run `cargo xtask test`, which installs it", program.display());
    program
}
