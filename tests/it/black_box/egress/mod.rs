//! Requests of handlers: what arrives, what never leaves, and what a hostile service can do.

mod addresses;
mod hostile;
mod http2;
mod limits;
mod rude;
mod unsent;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::caller::{plan, results};
use super::http::Answer;
use super::server::{Server, node};
use super::service::{Received, Service, response};

/// What lets a test's handler reach the services of this machine.
const OPEN: &str = "[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n";

/// A server whose one node is granted these, with further keys for it and further sections.
fn server(grants: &[String], keys: &str, sections: &str) -> Server {
    let grants: Vec<String> = grants.iter().map(|grant| format!("{grant:?}")).collect();
    let keys = format!("grants = [{}]\n{keys}", grants.join(", "));
    Server::start(&(node("caller", "caller", &keys) + sections))
}

fn grant(service: &Service) -> String {
    format!("http:http://{}", service.address)
}

fn call(server: &Server, requests: &Value) -> Vec<Value> {
    results(&server.send("caller", &plan("each", requests)))
}

/// The one call of a run's record.
fn recorded(server: &Server, answer: &Answer) -> Value {
    let record = server.record(answer);
    let calls = record["http_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1, "{record}");
    calls[0].clone()
}

#[test]
fn a_granted_request_arrives_as_it_was_meant_and_is_recorded_without_its_query() {
    let seen: Arc<Mutex<Vec<Received>>> = Arc::default();
    let service = {
        let seen = Arc::clone(&seen);
        Service::http(move |request| {
            seen.lock().unwrap().push(Received { head: request.head.clone(), body: request.body.clone() });
            response(201, "x-more: 1\r\n", b"{\"made\":true}")
        })
    };
    let server = server(&[grant(&service)], "", OPEN);
    let request = json!([{
        "method": "POST", "url": service.url("/leads?token=hidden"), "body": "{\"a\":1}", "headers": [["x-own", "yes"]],
    }]);
    let answer = server.send("caller", &plan("each", &request));
    assert_eq!(results(&answer)[0]["body"], "{\"made\":true}");

    let seen = seen.lock().unwrap();
    assert!(seen[0].head.starts_with("POST /leads?token=hidden HTTP/1.1\r\n"), "{}", seen[0].head);
    assert_eq!(seen[0].header("host"), Some(service.address.to_string().as_str()));
    assert_eq!((seen[0].header("x-own"), seen[0].header("content-length")), (Some("yes"), Some("7")));
    assert_eq!(seen[0].body, b"{\"a\":1}");

    let record = server.record(&answer);
    let mut shown = record["http_calls"][0].clone();
    for measured in ["after_micros", "wall_micros"] {
        assert!(shown[measured].as_u64().is_some(), "{shown}");
        shown[measured] = json!(0);
    }
    let origin = format!("http://{}", service.address);
    assert_eq!(
        shown,
        json!({
            "method": "POST", "origin": origin, "path": "/leads", "status": 201, "refused": null, "failed": null,
            "request_bytes": 7, "response_bytes": 13, "after_micros": 0, "wall_micros": 0,
        })
    );
    let used = &record["usage"];
    assert_eq!([&used["http_calls"], &used["http_request_bytes"], &used["http_response_bytes"]], [1, 7, 13]);
    assert!(!record.to_string().contains("hidden"), "a query may hold a secret");
}

#[test]
fn what_is_not_granted_never_leaves() {
    let (granted, other) = (Service::http(|_| response(200, "", b"ok")), Service::canary("127.0.0.1:0"));
    let server = server(&[format!("{} GET", grant(&granted))], "", OPEN);
    let port = granted.address.port();
    let urls = [
        other.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.:{port}x/"),
        format!("http://127.0.0.1:{port}@{}/", other.address),
        format!("http://user:password@127.0.0.1:{port}/"),
        "ftp://127.0.0.1/".to_owned(),
        "http:///etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://127.0.0.1:{port}/{}", "x".repeat(70 << 10)),
    ];
    let requests: Vec<Value> = urls.iter().map(|url| json!({ "url": url })).collect();
    for (url, result) in urls.iter().zip(call(&server, &json!(requests))) {
        assert!(
            result["error"] == "refused" || result["error"] == "invalid" || result["error"] == "failed",
            "{url}: {result}"
        );
    }
    let posted = call(&server, &json!([{ "method": "POST", "url": granted.url("/") }]));
    assert_eq!(posted[0]["error"], "refused", "{posted:?}");
    assert_eq!((granted.connections(), other.connections()), (0, 0));

    let answer = server.send("caller", &plan("each", &json!([{ "url": other.url("/x?y") }])));
    let why = recorded(&server, &answer)["refused"].as_str().unwrap().to_owned();
    assert!(why.contains("is not granted: it takes the grant http:http://127.0.0.1:"), "{why}");
    assert_eq!(call(&server, &json!([{ "url": granted.url("/") }]))[0]["status"], 200);

    let long = format!("http://{}.test/", ["a"; 60].join("aaaaaaaa."));
    let answer = server.send("caller", &plan("each", &json!([{ "url": long }])));
    let why = recorded(&server, &answer)["refused"].as_str().unwrap().to_owned();
    assert!(why.len() < 520 && why.ends_with('…'), "{why}");
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let canary = Service::canary("127.0.0.1:0");
    let target = canary.url("/");
    let service = Service::http(move |_| response(307, &format!("location: {target}\r\n"), b""));
    let server = server(&[grant(&service), grant(&canary)], "", OPEN);
    let result = call(&server, &json!([{ "url": service.url("/") }]));
    assert_eq!((&result[0]["status"], &result[0]["location"]), (&json!(307), &json!(canary.url("/"))));
    assert_eq!(canary.connections(), 0);
}

#[test]
fn who_passes_on_the_failure_of_a_service_breaks_as_upstream_failed() {
    let service = Service::http(|request| {
        let status = if request.head.starts_with("GET /missing") { 404 } else { 503 };
        response(status, "", b"later")
    });
    let server = server(&[grant(&service)], "", OPEN);
    for (path, cause) in [("/down", "upstream_failed"), ("/missing", "exception")] {
        let answer = server.send("caller", &plan("pass_on", &json!([{ "url": service.url(path) }])));
        assert_eq!(answer.status, 502);
        let record = server.record(&answer);
        assert_eq!(record["cause"], cause, "{record}");
        assert!(record["detail"].as_str().unwrap().starts_with("the service answered with status"), "{record}");
    }
}
