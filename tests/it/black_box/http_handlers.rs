//! Handlers that export `wasi:http/incoming-handler`, as they are: what they are asked, and what becomes of each way to respond.

use serde_json::{Value, json};

use super::http::Answer;
use super::server::{Server, event, event_of, guest, node, signed};
use super::shell::Shell;
use ::server::signature::Scheme;

fn server(keys: &str) -> Server {
    Server::start(&node("N", "responder", keys))
}

/// An event that makes the handler go this way.
fn way(way: &str, more: &[(&str, &str)]) -> Vec<u8> {
    event_of(&[&[("way", way)], more].concat())
}

/// The cause of the break, and its detail.
fn broken(server: &Server, event: &[u8]) -> (String, String) {
    let answer = server.send("N", event);
    let record = server.record(&answer);
    let detail = record["detail"].as_str().unwrap_or_else(|| panic!("{record}")).to_owned();
    (answer.cause().unwrap_or_default().to_owned(), detail)
}

fn asked(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(answer.json()["response"][0].as_str().unwrap()).unwrap()
}

#[test]
fn the_event_is_a_post_and_the_body_of_the_response_the_reply() {
    let server = server("");
    let event = event("none", "");
    let answer = server.send("N", &event);
    let asked = asked(&answer);
    assert_eq!((&asked["method"], &asked["path"]), (&json!("Method::Post"), &json!("/")));
    let header = |name: &str| {
        let headers = asked["headers"].as_array().unwrap();
        headers.iter().find(|header| header[0] == name).map(|header| header[1].clone())
    };
    assert_eq!(header("content-type"), Some(json!("application/json")));
    assert_eq!(header("content-length"), Some(json!(event.len().to_string())));
    let record = server.record(&answer);
    assert_eq!(record["log"]["lines"][0]["text"], format!("asked with {} bytes", event.len()));
    assert!(record["usage"]["reply_bytes"].as_u64().unwrap() > 0, "{record}");
}

#[test]
fn headers_that_prove_the_sender_or_name_a_hop_are_kept_back() {
    let server = server("");
    let event = event("none", "");
    let mut headers = signed(Scheme::Sha256, &event);
    let more = [
        ("authorization", "Bearer of the platform"),
        ("cookie", "session=1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-platform-region", "eu"),
        ("user-agent", "a bot platform"),
    ];
    headers.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let asked = asked(&server.post("N", &headers, &event));
    let mut names: Vec<&str> =
        asked["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "user-agent", "x-platform-region"]);
}

#[test]
fn another_status_than_200_is_the_handler_s_failure() {
    let server = server("");
    let answered = |status: &str, says: &str| broken(&server, &way("status", &[("status", status), ("says", says)]));
    let exception = "exception".to_owned();
    assert_eq!(answered("500", ""), (exception.clone(), "it answered with the status 500".to_owned()));
    let detail = "it answered with the status 404: no such order of yours".to_owned();
    assert_eq!(answered("404", "no such\norder of yours\n"), (exception.clone(), detail));
    let (cause, detail) = answered("201", "{\"response\": [\"hi\"]}");
    assert!(cause == exception && detail.contains("the status 201"), "{detail}");
    // No call of this run did fail, so no service is blamed.
    assert_eq!(answered("502", "upstream: the CRM is down"), (exception, "upstream: the CRM is down".to_owned()));
}

#[test]
fn every_way_not_to_respond_has_its_cause() {
    let server = server("limits = { cpu_time = \"200ms\", reply = \"16 KiB\" }\n");
    let broken = |event: &[u8]| broken(&server, event);
    for (event, cause, why) in [
        (way("silent", &[]), "reply_empty", "it returned without a response"),
        (way("half", &[]), "reply_empty", "it returned before its response was finished"),
        (way("error", &[]), "exception", "as it was asked"),
        (way("status", &[("status", "200"), ("says", "")]), "reply_empty", "wrote nothing"),
        (way("status", &[("status", "200"), ("says", "hello")]), "reply_not_json", ""),
        (way("status", &[("status", "200"), ("says", "[]")]), "reply_wrong_shape", ""),
        (way("status", &[("status", "200"), ("says", "{\"response\": []}")]), "reply_empty", ""),
        (way("long", &[("bytes", "20000")]), "reply_too_large", "16"),
        (way("endless", &[]), "reply_too_large", "16"),
        (way("loops", &[]), "out_of_cpu", ""),
        (way("loops after its response", &[]), "out_of_cpu", ""),
        (way("aborts", &[]), "trap", ""),
    ] {
        let (is, detail) = broken(&event);
        assert!(is == cause && detail.contains(why), "{}: {is}: {detail}", String::from_utf8_lossy(&event));
    }
    let long = asked_long(&server, 15_000);
    assert_eq!(long, 15_000, "a response may come in many parts");
}

fn asked_long(server: &Server, bytes: usize) -> usize {
    let answer = server.send("N", &way("long", &[("bytes", &bytes.to_string())]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["response"][0].as_str().unwrap().len()
}

#[test]
fn the_command_line_knows_it_and_runs_it() {
    let shell = Shell::new();
    let artifact = guest("responder");
    let inspected = shell.does(&format!("inspect {}", artifact.display()));
    assert!(inspected.contains("http handler"), "{inspected}");
    let event = event("none", "");
    let run = shell.type_in(&format!("run {} --event - --json", artifact.display()), &event).exits(0).json();
    assert_eq!(run["outcome"]["reply"]["response"].as_array().map(Vec::len), Some(1), "{run}");
}

#[test]
fn runs_at_once_do_not_meet() {
    let server = server("");
    std::thread::scope(|scope| {
        for bytes in 1..=16 {
            let server = &server;
            scope.spawn(move || assert_eq!(asked_long(server, bytes * 700), bytes * 700));
        }
    });
}
