//! The rules of the front door for requests that are well-formed HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::http::{exchange, get, post};
use super::server::{CODENODE, Server, event, fixture, node, signed};
use server::signature::Scheme;

#[test]
fn the_platforms_probe_hears_200_whether_or_not_there_is_such_a_node() {
    let server = Server::with_guests(&["product-price"]);
    let known = exchange(server.front_door, &get("/hooks/acme/product-price", &[])).unwrap();
    let unknown = exchange(server.front_door, &get("/hooks/who/knows", &[])).unwrap();
    assert_eq!((known.status, unknown.status), (200, 200));
    assert_eq!(known.body, unknown.body);
}

#[test]
fn other_methods_are_told_which_are_taken() {
    let server = Server::with_guests(&["product-price"]);
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let request = format!("{method} /hooks/acme/product-price HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = exchange(server.front_door, request.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")), "{method}");
    }
    let mut stream = TcpStream::connect(server.front_door).unwrap();
    stream.write_all(b"HEAD /hooks/acme/product-price HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn a_path_that_names_no_tenant_and_node_is_404() {
    let server = Server::with_guests(&["product-price"]);
    let long = "x".repeat(64);
    for path in [
        "/",
        "/hooks",
        "/hooks/acme",
        "/hooks/acme/",
        "/hooks/acme/a/b",
        "/hooks/../acme/a",
        "/hooks/acme/..",
        "/hooks/acme/%2e%2e",
        "/hooks/acme/a%2fb",
        "/hooks/acme/a%00",
        "/hooks/acme/a%0d%0ax:1",
        "/hooks//a",
        "/hooks/acme/a;x",
        "/hooks/acme/%c0%ae",
        "/hooks/acme/-a",
        "/v1/runs",
        "/metrics",
        "/healthz",
        &format!("/hooks/acme/{long}"),
    ] {
        assert_eq!(
            exchange(server.front_door, &post(path, &[("content-type", "application/json")], b"{}")).unwrap().status,
            404,
            "{path}"
        );
    }
    // Decoding comes first: this is the node `product-price`.
    let body = event("product_name", "speaker");
    let headers = signed(Scheme::Sha1, &body);
    let headers = [("content-type", "application/json"), (headers[0].0.as_str(), headers[0].1.as_str())];
    assert_eq!(exchange(server.front_door, &post("/hooks/acme/product%2Dprice", &headers, &body)).unwrap().status, 200);
}

#[test]
fn only_plain_json_is_taken() {
    let server = Server::with_guests(&["product-price"]);
    let body = event("product_name", "speaker");
    let signature = signed(Scheme::Sha256, &body).remove(0);
    let status = |headers: &[(&str, &str)]| {
        let headers = [&[(signature.0.as_str(), signature.1.as_str())], headers].concat();
        exchange(server.front_door, &post("/hooks/acme/product-price", &headers, &body)).unwrap().status
    };
    assert_eq!(status(&[("content-type", "application/json")]), 200);
    assert_eq!(status(&[("content-type", "application/json; charset=utf-8")]), 200);
    assert_eq!(status(&[("content-type", "text/plain")]), 415);
    assert_eq!(status(&[("content-type", "application/x-www-form-urlencoded")]), 415);
    assert_eq!(status(&[]), 415);
    assert_eq!(status(&[("content-type", "application/json"), ("content-encoding", "gzip")]), 415);
}

#[test]
fn what_is_no_event_is_told_so_after_its_signature_was_right() {
    let server = Server::with_guests(&["product-price"]);
    let nested = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"[]",
        b"nul",
        b"{\"a\":NaN}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"{} {}",
        b"{\"a\":\"\\u0000\"}",
        nested.as_bytes(),
    ] {
        let answer = server.send("product-price", body);
        assert_eq!(answer.status, 400, "{}: {}", String::from_utf8_lossy(&body[..body.len().min(40)]), answer.body);
        assert!(answer.header("x-codenode-run").is_none(), "no run began");
        let unsigned = server.post("product-price", &[], body);
        assert_eq!(unsigned.status, 401);
    }
}

#[test]
fn an_event_is_taken_up_to_its_limit_and_not_a_byte_more() {
    let server = Server::start(&node("n", "product-price", "limits = { event = \"1 KiB\" }"));
    let of_size = |bytes: usize| {
        let body = event("a", "");
        let padding = " ".repeat(bytes - body.len());
        [body, padding.into_bytes()].concat()
    };
    assert_eq!(server.send("n", &of_size(1023)).status, 200);
    assert_eq!(server.send("n", &of_size(1024)).status, 200);
    assert_eq!(server.send("n", &of_size(1025)).status, 413);
    let body = of_size(1025);
    let signature = signed(Scheme::Sha1, &body).remove(0);
    let head = format!(
        "POST /hooks/acme/n HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{}: {}\r\n",
        signature.0, signature.1
    );
    let chunked = [head.as_bytes(), b"transfer-encoding: chunked\r\n\r\n401\r\n", &body, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(exchange(server.front_door, &chunked).unwrap().status, 413);
}

#[test]
fn a_size_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let server = Server::with_guests(&["product-price"]);
    let request = "POST /hooks/acme/product-price HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n";
    assert_eq!(exchange(server.front_door, request.as_bytes()).unwrap().status, 413);
}

#[test]
fn the_management_side_is_not_on_the_front_door_and_needs_its_token() {
    let server = Server::with_guests(&["product-price"]);
    assert_eq!(exchange(server.management, &get("/healthz", &[])).unwrap().status, 200);
    assert_eq!(exchange(server.management, &get("/readyz", &[])).unwrap().status, 200);
    for path in ["/v1/runs", "/v1/nodes", "/v1/runs/01890000-0000-7000-8000-000000000000"] {
        assert_eq!(exchange(server.management, &get(path, &[])).unwrap().status, 401, "{path}");
        assert_eq!(
            exchange(server.management, &get(path, &[("authorization", "Bearer wrong")])).unwrap().status,
            401,
            "{path}"
        );
    }
    assert_eq!(server.manage("/v1/runs?limit=0").status, 400);
    assert_eq!(server.manage("/v1/runs?cause=bad_luck").status, 400);
    assert_eq!(server.manage("/v1/runs?cause=trap").status, 200);
}

#[test]
fn one_connection_carries_many_events_in_their_order() {
    let server = Server::with_guests(&["echo-command"]);
    let mut connection = super::http::Connection::open(server.front_door);
    let mut requests = Vec::new();
    for text in ["one", "two", "three"] {
        let body = event("text", text);
        let headers = signed(Scheme::Sha1, &body);
        requests.extend(post(
            "/hooks/acme/echo-command",
            &[("content-type", "application/json"), (&headers[0].0, &headers[0].1)],
            &body,
        ));
    }
    connection.send(&requests);
    for text in ["one", "two", "three"] {
        let answer = connection.answer().unwrap();
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    assert_eq!(server.send("echo-command", &fixture("many_entities.json")).status, 200);
}

/// A server that logs all that it can without telling what guests say.
fn talkative() -> Server {
    let mut command = Command::new(CODENODE);
    command.env("CODENODE_LOG", "debug");
    Server::start_by(command, "", &node("n", "product-price", ""))
}

#[test]
fn what_headers_say_of_the_caller_is_believed_nowhere() {
    let server = talkative();
    let body = event("product_name", "speaker");
    let signature = signed(Scheme::Sha256, &body).remove(0);
    let signature = (signature.0.as_str(), signature.1.as_str());
    let plain = server.post("n", &[signature], &body);
    assert_eq!(plain.status, 200);
    for spoofed in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "127.0.0.1, 203.0.113.7"),
        ("x-forwarded-host", "spoofed.example"),
        ("x-forwarded-proto", "spoofed"),
        ("x-forwarded-prefix", "/spoofed"),
        ("x-real-ip", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7;host=spoofed.example;proto=https;by=127.0.0.1"),
        ("x-original-url", "/hooks/acme/spoofed"),
        ("x-rewrite-url", "/v1/runs"),
        ("x-http-method-override", "PUT"),
    ] {
        let answer = server.post("n", &[signature, spoofed], &body);
        assert_eq!((answer.status, &answer.body), (200, &plain.body), "{spoofed:?}");
        let record = server.record(&answer).to_string();
        assert!(!record.contains("spoofed") && !record.contains("203.0.113.7"), "{record}");
        assert_eq!(server.post("n", &[spoofed], &body).status, 401, "{spoofed:?}");
        assert_eq!(exchange(server.management, &get("/v1/runs", &[spoofed])).unwrap().status, 401, "{spoofed:?}");
    }
    server.wait_for_log("a message was refused");
    let log = format!("{:?}", server.log_lines(""));
    assert!(!log.contains("spoofed") && !log.contains("203.0.113.7"), "{log}");
}

#[test]
fn a_query_says_nothing_to_the_server_and_is_not_written_down() {
    let server = talkative();
    let body = event("product_name", "speaker");
    let signature = signed(Scheme::Sha256, &body).remove(0);
    let headers = [("content-type", "application/json"), (signature.0.as_str(), signature.1.as_str())];
    let path = "/hooks/acme/n?token=hunter2&signature=hunter2";
    let answer = exchange(server.front_door, &post(path, &headers, &body)).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(exchange(server.front_door, &post(path, &headers[..1], &body)).unwrap().status, 401);
    assert_eq!(exchange(server.front_door, &post("/x?token=hunter2", &headers, &body)).unwrap().status, 404);
    assert!(!server.record(&answer).to_string().contains("hunter2"));
    server.wait_for_log("a message was refused");
    let log = format!("{:?}", server.log_lines(""));
    assert!(!log.contains("hunter2"), "{log}");
}
