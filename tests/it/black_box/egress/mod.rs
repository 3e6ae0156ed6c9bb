//! Requests of handlers: what arrives, what never leaves, and what a hostile service can do.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::caller::{plan, results};
use super::http::Answer;
use super::server::{Server, node, node_of};
use super::service::{Authority, Received, Service, name_server, response};

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
fn no_spelling_of_an_address_of_this_machine_or_its_network_is_connected_to() {
    // On every address of this machine, of either kind.
    let canary = Service::canary("[::]:0");
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.0.254",
        "0.0.0.0",
        "0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.1",
        "240.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fc00::1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[5f00::1]",
        "[100::1]",
        "[3fff::1]",
    ];
    let port = canary.address.port();
    let urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}/")).collect();
    // Everything is granted: only the addresses stand in the way.
    let grants: Vec<String> = urls.iter().map(|url| format!("http:{url}")).collect();
    let server = server(&grants, "", "");
    let requests: Vec<Value> = urls.iter().map(|url| json!({ "url": url })).collect();
    for (url, result) in urls.iter().zip(call(&server, &json!(requests))) {
        // `http` takes no such host for one, which is as good.
        assert!(result["error"] == "refused" || url.contains('。'), "{url}: {result}");
        assert!(result["error"].is_string(), "{url}: {result}");
    }
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_name_is_as_good_as_the_worst_of_its_addresses() {
    let service = Service::http(|_| response(200, "", b"inside"));
    let asked = Arc::new(AtomicUsize::new(0));
    let names = {
        let asked = Arc::clone(&asked);
        name_server(move |name| match name {
            "inside.test" => vec![Ipv4Addr::LOCALHOST],
            "both.test" => vec![Ipv4Addr::new(9, 9, 9, 9), Ipv4Addr::LOCALHOST],
            // Public for whoever checks, private for whoever asks again to connect.
            "rebinding.test" if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
                vec![Ipv4Addr::new(192, 0, 2, 1)]
            }
            "rebinding.test" => vec![Ipv4Addr::LOCALHOST],
            _ => Vec::new(),
        })
    };
    let port = service.address.port();
    let urls = ["inside", "both", "rebinding", "rebinding", "nobody"].map(|name| format!("http://{name}.test:{port}/"));
    let grants = urls.clone().map(|url| format!("http:{url}"));
    let egress = format!("[egress]\nname_servers = [\"{names}\"]\n");
    let requests = json!(urls.clone().map(|url| json!({ "url": url })));
    let closed = server(&grants, "", &egress);
    let kinds: Vec<Value> = call(&closed, &requests).iter().map(|result| result["error"].clone()).collect();
    assert_eq!(kinds, ["refused", "refused", "refused", "refused", "failed"]);
    assert_eq!(service.connections(), 0);

    let open = server(&grants, "", &format!("{OPEN}{egress}"));
    assert_eq!(call(&open, &json!([{ "url": urls[0] }]))[0]["body"], "inside");
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
fn a_service_that_breaks_the_rules_is_an_error_of_its_own_and_costs_no_more_than_is_allowed() {
    let flood = Service::rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    let trickle = Service::rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(700));
        }
    });
    let interim = Service::rude(|stream| {
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let silent = Service::canary("127.0.0.1:0");
    let gone = Service::on("127.0.0.1:0", drop);
    let cut = Service::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    let nonsense = Service::saying(b"HELLO 200\r\n\r\n");
    let nul = Service::saying(b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n");
    let large = Service::rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-more: and more and more and more\r\n").is_ok() {}
    });
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let services = [&flood, &trickle, &interim, &silent, &gone, &cut, &nonsense, &nul, &large];
    let mut grants: Vec<String> = services.iter().map(|service| grant(service)).collect();
    grants.push(format!("http:{nobody}"));
    let server = server(&grants, "limits = { http_response = \"1 MiB\" }", OPEN);
    let one = |url: String| {
        let answer = server.send("caller", &plan("each", &json!([{ "url": url, "timeout_ms": 400 }])));
        (results(&answer).remove(0), recorded(&server, &answer))
    };
    for (service, error, why) in [
        (&flood, "failed", "receives more than 1.0 MiB"),
        (&trickle, "timed_out", "nothing more came for 400ms"),
        (&interim, "timed_out", "no response within 400ms"),
        (&silent, "timed_out", "no response within 400ms"),
        (&gone, "failed", "connection"),
        (&cut, "failed", "connection"),
        (&nonsense, "failed", "rules of HTTP"),
        (&nul, "failed", "rules of HTTP"),
        (&large, "failed", "head of the response"),
    ] {
        let (result, call) = one(service.url("/"));
        assert_eq!(result["error"], error, "{result} {call}");
        assert!(call["failed"].as_str().is_some_and(|text| text.contains(why)), "{why}: {call}");
    }
    let (result, call) = one(nobody);
    assert!(result["error"] == "failed" && call["failed"].to_string().contains("cannot be reached"), "{result} {call}");
    assert!(server.resident_bytes() < 400 << 20, "a flood must not fill the host");
}

#[test]
fn a_response_that_trickles_is_over_before_the_run_is() {
    let trickle = Service::rude(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let server = server(&[grant(&trickle)], "limits = { wall_time = \"2s\" }", OPEN);
    let answer = server.send("caller", &plan("each", &json!([{ "url": trickle.url("/") }])));
    assert_eq!(results(&answer)[0]["error"], "timed_out");
    let call = recorded(&server, &answer);
    assert!(call["failed"].as_str().unwrap().starts_with("the response was not over"), "{call}");
    assert!(call["response_bytes"].as_u64().unwrap() > 5, "{call}");
}

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
fn a_network_that_is_closed_again_is_closed_at_once() {
    let service = Service::http(|_| response(200, "", b"ok"));
    let node = node("caller", "caller", &format!("grants = [{:?}]", grant(&service)));
    let server = Server::start(&(node.clone() + OPEN));
    let request = json!([{ "url": service.url("/") }]);
    assert_eq!(call(&server, &request)[0]["body"], "ok");
    server.rewrite_config(&node);
    let refused =
        server.wait_for("a refusal", || Some(call(&server, &request)).filter(|it| it[0]["error"] != json!(null)));
    assert_eq!(refused[0]["error"], "refused", "the connection that is open still is not used again");
    assert_eq!(service.connections(), 1);
    server.rewrite_config(&(node + OPEN));
    server.wait_for("an answer", || Some(call(&server, &request)).filter(|it| it[0]["body"] == "ok"));
    assert_eq!(service.connections(), 2);
}

#[test]
fn a_good_certificate_is_asked_for_and_http_2_is_spoken_where_it_is_offered() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let names = name_server(|name| if name.ends_with(".test") { vec![Ipv4Addr::LOCALHOST] } else { Vec::new() });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let services = [
        ("new.test", authority.service("new.test", &[b"h2", b"http/1.1"])),
        ("old.test", authority.service("old.test", &[b"http/1.1"])),
        ("wrong.test", authority.service("other.test", &[b"h2"])),
        ("strange.test", stranger.service("strange.test", &[b"h2"])),
    ];
    let urls: Vec<String> =
        services.iter().map(|(name, service)| format!("https://{name}:{}/", service.address.port())).collect();
    let grants: Vec<String> = urls.iter().map(|url| format!("http:{url}")).collect();
    let ca = folder.path().join("ca.pem").display().to_string();
    let server = server(&grants, "", &format!("{OPEN}[egress]\nname_servers = [\"{names}\"]\ncertificates = {ca:?}\n"));
    let requests: Vec<Value> =
        urls.iter().map(|url| json!({ "method": "POST", "url": url, "body_bytes": 30_000 })).collect();
    let answer = server.send("caller", &plan("each", &json!(requests)));
    let results = results(&answer);
    assert_eq!(results[0]["body"], "HTTP/2.0, 30000 bytes");
    assert_eq!(results[1]["body"], "HTTP/1.1, 30000 bytes");
    for result in &results[2..] {
        assert!(result["text"].as_str().unwrap().contains("certificate is not good"), "{result}");
    }
    let record = server.record(&answer);
    assert!(record["http_calls"][2]["failed"].as_str().unwrap().contains("TLS with wrong.test failed"), "{record}");
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
