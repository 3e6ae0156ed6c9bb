//! Services that break the rules of HTTP/1.1, or keep them too slowly.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::super::caller::{plan, results};
use super::super::service::Service;
use super::{OPEN, grant, recorded, server};

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
