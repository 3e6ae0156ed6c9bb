//! Requests that two parsers could read differently, and senders that never finish.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::signature::Scheme;

use super::http::{Connection, exchange, get, post};
use super::server::{Server, TOKEN, event, signed};

const HEAD: &str = "POST /hooks/acme/product-price HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

#[test]
fn what_could_smuggle_a_second_request_is_refused_and_the_connection_closed() {
    let server = Server::with_guests(&["product-price"]);
    for (name, request) in [
        ("length, then chunked", format!("{HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("chunked, then length", format!("{HEAD}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n")),
        ("two lengths", format!("{HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")),
        ("two equal lengths", format!("{HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\n{{}}")),
        ("an unknown coding", format!("{HEAD}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("chunked, not last", format!("{HEAD}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n")),
        ("two codings", format!("{HEAD}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        ("no host", "GET /hooks/a/b HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", "GET /hooks/a/b HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned()),
        ("absolute form", "GET http://other/hooks/a/b HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()),
        ("a bare line feed", "GET /hooks/a/b HTTP/1.1\nhost: x\n\n".to_owned()),
        ("one bare line feed", "GET /hooks/a/b HTTP/1.1\r\nhost: x\na: b\r\n\r\n".to_owned()),
        ("a folded header", "GET /hooks/a/b HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n".to_owned()),
        ("white space before the colon", "GET /hooks/a/b HTTP/1.1\r\nhost: x\r\ncontent-length : 0\r\n\r\n".to_owned()),
        (
            "a line feed in a chunk extension",
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n2;a\nb\r\n{{}}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk extension without end",
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(20_000)),
        ),
        (
            "a chunk size too large",
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n1ffffffffffffffff\r\n{{}}\r\n0\r\n\r\n"),
        ),
    ] {
        let mut connection = Connection::open(server.front_door);
        connection.send(request.as_bytes());
        let answer = connection.answer();
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 400), "{name}: {answer:?}");
        assert!(connection.is_closed(), "{name}: the connection stayed open");
    }
    let answer = server.send("product-price", &event("product_name", "speaker"));
    assert_eq!(answer.status, 200);
    server.record(&answer);
    assert!(server.records().len() == 1, "nothing of all that ran");
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let server = Server::with_guests(&["product-price"]);
    let many: String = (0..200).map(|at| format!("h{at}: x\r\n")).collect();
    let large = format!("h: {}\r\n", "x".repeat(500_000));
    for headers in [many, large] {
        let answer =
            exchange(server.front_door, format!("GET /hooks/a/b HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes());
        assert!(answer.as_ref().is_none_or(|answer| [400, 431].contains(&answer.status)), "{answer:?}");
    }
    let answer = exchange(
        server.front_door,
        format!("GET /hooks/{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000)).as_bytes(),
    );
    assert!(answer.as_ref().is_none_or(|answer| [400, 404, 414, 431].contains(&answer.status)), "{answer:?}");
}

#[test]
fn a_sender_that_never_finishes_is_shown_the_door() {
    let server = Server::start_with(
        "header_timeout = \"300ms\"\nbody_timeout = \"300ms\"\nidle_timeout = \"300ms\"",
        &super::server::node("product-price", "product-price", ""),
    );
    let started = Instant::now();
    let mut in_head = Connection::open(server.front_door);
    in_head.send(b"POST /hooks/acme/product-price HTTP/1.1\r\nhost: x\r\nx-slow: ");
    let mut in_body = Connection::open(server.front_door);
    in_body.send(format!("{HEAD}content-length: 100\r\n\r\n{{").as_bytes());
    let mut idle = Connection::open(server.front_door);
    idle.send(b"GET /hooks/a/b HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(idle.answer().unwrap().status, 200);

    assert_eq!(in_body.answer().map(|answer| answer.status), Some(408));
    let to_head = in_head.answer();
    assert!(to_head.as_ref().is_none_or(|answer| [400, 408].contains(&answer.status)), "{to_head:?}");
    assert!(idle.is_closed());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn a_sender_that_trickles_gets_no_more_time_than_one_that_stops() {
    let server = Server::start_with(
        "header_timeout = \"300ms\"\nbody_timeout = \"300ms\"",
        &super::server::node("product-price", "product-price", ""),
    );
    for (begun, statuses) in
        [(format!("{HEAD}x-slow: "), [400, 408]), (format!("{HEAD}content-length: 999\r\n\r\n{{"), [408; 2])]
    {
        let mut connection = Connection::open(server.front_door);
        connection.send(begun.as_bytes());
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(900) {
            connection.send(b"x");
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = connection.answer();
        assert!(answer.as_ref().is_none_or(|answer| statuses.contains(&answer.status)), "{answer:?}");
        assert!(connection.is_closed());
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

#[test]
fn a_body_that_breaks_off_starts_no_run() {
    let server = Server::with_guests(&["product-price"]);
    let mut connection = Connection::open(server.front_door);
    let begun = format!("{HEAD}content-length: 100\r\n\r\n{{\"node\":");
    connection.send(begun.as_bytes());
    drop(connection);
    let mut connection = Connection::open(server.front_door);
    connection.send(begun.as_bytes());
    connection.finish();
    assert_eq!(connection.answer().unwrap().status, 400);
    let answer = server.send("product-price", &event("product_name", "speaker"));
    assert_eq!(answer.status, 200);
    server.record(&answer);
    assert_eq!(server.records().len(), 1);
}

#[test]
fn idle_connections_and_garbage_leave_nothing_behind() {
    let server = Server::with_guests(&["product-price"]);
    assert_eq!(server.send("product-price", &event("product_name", "speaker")).status, 200);
    let before = server.descriptors();
    let connections: Vec<Connection> = (0..500).map(|_| Connection::open(server.front_door)).collect();
    for (at, mut connection) in connections.into_iter().enumerate() {
        let garbage: [&[u8]; 4] =
            [b"\x16\x03\x01\x02", b"GET / H", b"\0\0\0\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"];
        connection.send(garbage[at % 4]);
    }
    server.wait_for_descriptors(before + 2);
    assert_eq!(server.send("product-price", &event("product_name", "speaker")).status, 200);
}

#[test]
fn a_caller_who_leaves_before_the_last_byte_starts_no_run_and_leaves_nothing_behind() {
    let sandbox = "[sandbox]\nruns = 1\nqueue = 0\n".to_owned();
    let server = Server::start(&(sandbox + &super::server::node("n", "product-price", "")));
    let body = event("product_name", "speaker");
    assert_eq!(server.send("n", &body).status, 200);
    let before = server.descriptors();
    let signature = signed(Scheme::Sha256, &body).remove(0);
    let headers = [("content-type", "application/json"), (signature.0.as_str(), signature.1.as_str())];
    let request = post("/hooks/acme/n", &headers, &body);
    for end in 0..request.len() {
        Connection::open(server.front_door).send(&request[..end]);
    }
    server.wait_for_descriptors(before + 2);
    let answer = server.send("n", &body);
    assert_eq!(answer.status, 200, "nobody holds the one permit");
    server.record(&answer);
    assert_eq!(server.records().len(), 2, "no event came whole");
}

#[test]
fn ten_thousand_idle_connections_keep_no_event_waiting() {
    const IDLE: usize = 10_000;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    assert!(
        maximum.is_none_or(|most| most >= 11_000),
        "the hard limit of open files is {maximum:?}: raise `ulimit -Hn`"
    );
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let server = Server::start_with(
        "connections = 10100\nheader_timeout = \"10m\"",
        &super::server::node("product-price", "product-price", ""),
    );
    let body = event("product_name", "speaker");
    assert_eq!(server.send("product-price", &body).status, 200);
    let (before, bytes) = (server.descriptors(), server.anonymous_bytes());

    let mut idle = Vec::new();
    while idle.len() < IDLE {
        // No more at once than may wait to be accepted: what comes on top has to try again.
        idle.extend((0..500).map(|_| Connection::open(server.front_door)));
        // The event's own connection may have been open still when we looked.
        let open = before + idle.len() - 1;
        server.wait_for("the connections to be accepted", || (server.descriptors() >= open).then_some(()));
    }
    let each = server.anonymous_bytes().saturating_sub(bytes) / IDLE as u64;
    assert!(each < 16 << 10, "an idle connection holds {each} bytes");
    // Another process may take the machine for a moment, but not each time.
    let waits = (0..5).map(|_| {
        let asked = Instant::now();
        assert_eq!(server.send("product-price", &body).status, 200);
        asked.elapsed()
    });
    let waited = waits.min().unwrap();
    assert!(waited < Duration::from_millis(100), "{waited:?}");

    let last = idle.last_mut().unwrap();
    last.send(&get("/hooks/a/b", &[]));
    assert_eq!(last.answer().unwrap().status, 200, "idle, not forgotten");
    drop(idle);
    server.wait_for_descriptors(before + 2);
}

#[test]
fn one_connection_carries_a_thousand_requests_one_by_one_and_a_thousand_at_once() {
    let server = Server::with_guests(&["product-price"]);
    let mut connection = Connection::open(server.front_door);
    let probe = get("/hooks/a/b", &[]);
    for _ in 0..1_000 {
        connection.send(&probe);
        assert_eq!(connection.answer().unwrap().status, 200);
    }
    connection.send(&probe.repeat(1_000));
    (0..1_000).for_each(|_| assert_eq!(connection.answer().unwrap().status, 200));
}

#[test]
fn an_upload_that_is_refused_early_hears_why_though_it_sends_all_of_itself_first() {
    const WHOLE: usize = 64 << 20;
    let server = Server::start("");
    let refused = [
        ("somebody-elses-token", "/v1/tenants/acme/artifacts", WHOLE, 401),
        (TOKEN, "/v1/tenants/acme/artifacts", WHOLE, 404),
        (TOKEN, "/v1/no/such/path", WHOLE, 404),
        (TOKEN, "/v1/tenants", WHOLE, 413),
    ];
    for (token, path, length, status) in refused {
        let mut upload = Connection::open(server.management);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        upload.send(head.as_bytes());
        (0..length >> 20).for_each(|_| upload.send(&[b'x'; 1 << 20]));
        let answer = upload.answer().unwrap_or_else(|| panic!("{path} loses its answer to {status}"));
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/problem+json")));
        assert!(upload.is_closed());
    }
}
