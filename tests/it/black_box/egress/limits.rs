//! How many requests, bytes and connections there may be, and whose they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::caller::{plan, results};
use super::super::server::{Server, node, node_of};
use super::super::service::{Service, response};
use super::{OPEN, call, grant, recorded, server};

#[test]
fn calls_bytes_and_headers_have_their_limits() {
    let service = Service::http(|request| response(200, "", request.body.len().to_string().as_bytes()));
    let gone = Service::on("127.0.0.1:0", drop);
    let limits = "limits = { http_calls = 5, http_request = \"100 KiB\" }";
    let server = server(&[grant(&service), grant(&gone)], limits, OPEN);
    let url = service.url("/");
    let answer = server.send("caller", &plan("forever", &json!([{ "url": url }])));
    assert_eq!(answer.status, 502, "{}", answer.body);
    let record = server.record(&answer);
    assert_eq!((&record["cause"], service.connections() <= 5), (&json!("too_many_calls"), true), "{record}");
    assert!(record["detail"].as_str().unwrap().contains("more than 5 requests"), "{record}");
    assert_eq!(record["http_calls"].as_array().unwrap().len(), 5);

    let sent = json!([
        { "method": "POST", "url": url, "body_bytes": 90 << 10 },
        { "method": "POST", "url": url, "body_bytes": 90 << 10 },
        { "url": gone.url("/") },
    ]);
    let answer = server.send("caller", &plan("each", &sent));
    let errors = results(&answer).into_iter().map(|result| result["error"].clone()).collect::<Vec<_>>();
    assert_eq!(errors, [json!(null), json!("invalid"), json!("failed")]);
    let record = server.record(&answer);
    let why = |at: usize| record["http_calls"][at]["failed"].as_str().unwrap_or_default();
    assert!(why(0).is_empty() && why(1).contains("sends more than 100.0 KiB"), "{record}");
    assert!(why(2).contains("connection"), "what failed for another reason says so: {record}");

    for name in
        ["host", "transfer-encoding", "connection", "proxy-authorization", "te", "upgrade", "expect", "forwarded"]
    {
        let result = call(&server, &json!([{ "url": url, "headers": [[name, "x"]] }]));
        assert_eq!(result[0]["error"], "invalid", "{name}: {result:?}");
    }
}

#[test]
fn six_requests_are_under_way_at_once_and_the_rest_take_their_turn() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let service = {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Service::http(move |request| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
            now.fetch_sub(1, Ordering::SeqCst);
            response(200, "", &request.body)
        })
    };
    let server = server(&[grant(&service)], "", OPEN);
    let requests: Vec<Value> =
        (0..20).map(|at| json!({ "method": "POST", "url": service.url("/"), "body": at.to_string() })).collect();
    let results = results(&server.send("caller", &plan("all", &json!(requests))));
    let bodies: Vec<&str> = results.iter().map(|result| result["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, (0..20).map(|at| at.to_string()).collect::<Vec<_>>());
    let most = most.load(Ordering::SeqCst);
    assert!((2..=6).contains(&most), "{most} at once");
}

#[test]
fn a_tenant_has_so_many_connections_and_who_waits_too_long_for_one_is_told() {
    let silent = Service::canary("127.0.0.1:0");
    let egress = "[egress]\ntenant_connections = 1\nconnect_time = \"100ms\"\n";
    let server = server(&[grant(&silent)], "", &format!("{OPEN}{egress}"));
    let request = json!({ "url": silent.url("/"), "timeout_ms": 1_000 });
    let answer = server.send("caller", &plan("all", &json!([request, request])));
    let record = server.record(&answer);
    let mut why: Vec<&str> =
        record["http_calls"].as_array().unwrap().iter().map(|call| call["failed"].as_str().unwrap()).collect();
    why.sort_unstable();
    assert_eq!(why, ["there was no connection that could be opened within 100ms", "there was no response within 1s"]);
    assert_eq!(silent.connections(), 1);
}

#[test]
fn no_connection_is_shared_by_two_tenants() {
    let service = Service::http(|_| response(200, "", b"ok"));
    let grants = format!("grants = [{:?}]", grant(&service));
    let open = "private_networks = [\"127.0.0.0/8\"]\n";
    let nodes = node("caller", "caller", &grants) + &node_of("other", "caller", &grants);
    let server = Server::start(&format!("{nodes}{OPEN}[tenants.other]\n{open}"));
    let event = plan("each", &json!([{ "url": service.url("/") }]));
    for (tenant, connections) in [("acme", 1), ("acme", 1), ("other", 2), ("acme", 2), ("other", 2)] {
        assert_eq!(results(&server.send_to(tenant, "caller", &event))[0]["body"], "ok");
        assert_eq!(service.connections(), connections, "{tenant}");
    }
}

#[test]
fn a_run_that_ends_leaves_no_connection_behind() {
    let silent = Service::canary("127.0.0.1:0");
    let server = server(&[grant(&silent)], "limits = { wall_time = \"300ms\" }", OPEN);
    let before = server.descriptors();
    let answer = server.send("caller", &plan("each", &json!([{ "url": silent.url("/"), "timeout_ms": 20_000 }])));
    let call = recorded(&server, &answer);
    assert!(call["failed"].as_str().unwrap().contains("no response within"), "{call}");
    server.wait_for_descriptors(before);
}
