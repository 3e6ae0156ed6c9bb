//! What runs sources: a part of the host that tenants cannot replace, that never waits for their runs, and that a host may lack.

use std::thread;

use serde_json::json;
use tempfile::TempDir;

use super::hosts::{NODE, Shared};
use super::http;
use super::server::{SECRET, event, guest};
use super::service::{Service, response};
use super::source_nodes::{PRICE, deploy, deploy_line, said, sandbox, server, server_with};

#[test]
fn what_runs_sources_is_nothing_to_upload() {
    let (_server, shell) = server();
    let runner = guest("../runners/python");
    let line = format!("deploy {} --node N", runner.display());
    let refused = shell.type_in(&line, b"").exits(1).err();
    assert!(refused.contains("is a runner of codenode's own: upload the source"), "{refused}");
}

#[test]
fn a_source_is_compiled_though_every_run_of_the_host_is_taken() {
    let (server, shell) = server_with(&format!("{}runs = 1\n", sandbox()));
    let (service, held) = Service::held(|_| response(200, "", b"\"here\""));
    let waits = format!(
        "import requests\n\ndef handle(event):\n    return {{'response': [requests.get('http://{}/').json()]}}\n",
        service.address
    );
    deploy(&shell, &waits, &format!("--grant http:http://{}", service.address));
    thread::scope(|scope| {
        let run = scope.spawn(|| server.send("N", &event("a", "b")));
        held.during(|| deploy(&shell, PRICE, ""));
        assert_eq!(run.join().unwrap().json()["response"], json!(["here"]));
    });
    assert_eq!(said(&server, &event("product_name", "speaker")), "The speaker costs ₹1500.");
}

#[test]
fn a_server_without_a_runner_says_so_and_serves_all_else() {
    let folder = TempDir::new().unwrap();
    let (server, shell) = server_with(&format!("[sandbox]\nrunners = {:?}\n", folder.path()));
    let refused = shell.type_in(&deploy_line(&shell, PRICE, ""), b"").exits(1).err();
    assert!(refused.contains("is Python, which this server has nothing to run with: have its operator"), "{refused}");
    assert!(!refused.contains(folder.path().to_str().unwrap()), "a tenant is not told where: {refused}");
    shell.does(&format!("deploy {} --node N", guest("product-price").display()));
    assert_eq!(server.send("N", &event("product_name", "speaker")).status, 200);
}

#[test]
fn sources_run_on_every_host() {
    let shared = Shared::fresh();
    let (one, two) = (shared.host_at(&shared.database, &sandbox()), shared.host_at(&shared.database, &sandbox()));
    one.change("POST", "/v1/tenants", &json!({ "id": "acme" }));
    one.change("POST", "/v1/tenants/acme/nodes", &json!({ "id": "N" }));
    one.change("POST", &format!("{NODE}/secrets"), &json!({ "secret": SECRET }));
    let token = one.authorization();
    let headers = [("authorization", token.as_str()), ("content-type", "text/x-python")];
    let request = http::request("POST", "/v1/tenants/acme/artifacts", &headers, PRICE.as_bytes());
    let uploaded = http::exchange(one.management, &request).expect("an answer");
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    let artifact = uploaded.json()["artifact"].clone();
    one.change("POST", &format!("{NODE}/revisions"), &json!({ "artifact": artifact }));
    one.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 1 }));
    for host in [&one, &two] {
        host.wait_for("the source", || {
            let answer = host.send("N", &event("product_name", "speaker"));
            (answer.status == 200 && answer.body.contains("1500")).then_some(())
        });
    }
}
