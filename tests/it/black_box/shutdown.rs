//! Callers who leave, and servers that stop.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use server::signature::Scheme;

use super::http::{Connection, post};
use super::server::{Server, event, node, signed};

const FREE: &str = "codenode_permits_free";

fn start_looping(server: &Server) -> Connection {
    let free = server.metric(FREE);
    let body = event("misbehave", "loop");
    let headers = signed(Scheme::Sha1, &body);
    let mut connection = Connection::open(server.front_door);
    connection.send(&post(
        "/hooks/acme/naughty",
        &[("content-type", "application/json"), (&headers[0].0, &headers[0].1)],
        &body,
    ));
    server.wait_for("the run to begin", || (server.metric(FREE) < free).then_some(()));
    connection
}

#[test]
fn a_run_whose_caller_left_goes_on_to_its_end_and_is_recorded() {
    let server = Server::start(&node("naughty", "naughty", "limits = { cpu_time = \"700ms\" }"));
    let connection = start_looping(&server);
    drop(connection);
    let record = server.wait_for("the record", || server.records().pop());
    assert_eq!((&record["cause"], &record["caller_left"]), (&"out_of_cpu".into(), &true.into()), "{record}");
}

#[test]
fn a_server_that_is_asked_to_stop_finishes_what_is_under_way() {
    let server = Server::start(&node("naughty", "naughty", "limits = { cpu_time = \"1s\" }"));
    let mut connection = start_looping(&server);
    server.signal(Signal::TERM);
    assert_eq!(connection.answer().unwrap().cause(), Some("out_of_cpu"));
    assert!(server.wait().success());
}

#[test]
fn a_run_that_outlasts_the_drain_is_ended_as_unavailable() {
    let server = Server::start_with(
        "drain_time = \"300ms\"",
        &node("naughty", "naughty", "limits = { cpu_time = \"20s\", wall_time = \"20s\" }"),
    );
    let mut connection = start_looping(&server);
    let asked = Instant::now();
    server.signal(Signal::TERM);
    let answer = connection.answer();
    assert!(answer.as_ref().is_none_or(|answer| answer.cause() == Some("unavailable")), "{answer:?}");
    assert_eq!(server.wait_for_log("bot break")["cause"], "unavailable");
    assert!(server.wait().success());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}
