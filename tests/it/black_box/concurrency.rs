//! A full house, and neighbours who never stop.

use std::thread;
use std::time::{Duration, Instant};

use server::signature::Scheme;

use super::http::{Connection, post};
use super::server::{Server, event, node, signed};

/// How much slower the good node's slowest hundredth may get beside eight endless loops.
const WORST_RATIO: f64 = 5.0;
/// A machine that does other things can spoil one comparison, not each of these.
const TRIES: usize = 5;

#[test]
fn a_full_house_says_so_at_once_and_never_blames_the_author() {
    let sandbox = "[sandbox]\nruns = 1\nqueue = 1\nqueue_wait = \"100ms\"\n";
    let server = Server::start(&(sandbox.to_owned() + &node("naughty", "naughty", "limits = { cpu_time = \"3s\" }")));
    let answers: Vec<_> = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| (Instant::now(), server.send("naughty", &event("misbehave", "loop")), Instant::now()))
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let overloaded: Vec<_> = answers.iter().filter(|(_, answer, _)| answer.cause() == Some("overloaded")).collect();
    assert_eq!(overloaded.len(), 3);
    for (sent, answer, answered) in overloaded {
        assert_eq!(answer.status, 503);
        assert!(answer.header("retry-after").is_some());
        assert!(*answered - *sent < Duration::from_secs(2));
        assert_eq!(server.record(answer)["outcome"]["bot_break"]["blame"], "host");
    }
}

#[test]
fn eight_endless_loops_do_not_cost_a_good_node_its_p99() {
    let server = Server::start(
        &(node("good", "product-price", "")
            + &node("naughty", "naughty", "limits = { cpu_time = \"28s\", wall_time = \"28s\" }")),
    );
    let ratios: Vec<f64> = (0..TRIES)
        .scan(false, |is_done, _| {
            if *is_done {
                return None;
            }
            let ratio = compare(&server);
            *is_done = ratio <= WORST_RATIO;
            Some(ratio)
        })
        .collect();
    assert!(
        ratios.last().is_some_and(|ratio| *ratio <= WORST_RATIO),
        "the good node's p99 against its quiet p99, in each try: {ratios:?}"
    );
}

/// The good node's p99 beside eight endless loops, over its p99 alone.
fn compare(server: &Server) -> f64 {
    let quiet = p99(server);
    let body = event("misbehave", "loop");
    let headers = signed(Scheme::Sha1, &body);
    let request =
        post("/hooks/acme/naughty", &[("content-type", "application/json"), (&headers[0].0, &headers[0].1)], &body);
    let loops: Vec<Connection> = (0..8)
        .map(|_| {
            let mut connection = Connection::open(server.front_door);
            connection.send(&request);
            connection
        })
        .collect();
    let beside = p99(server);
    drop(loops);
    beside.as_secs_f64() / quiet.as_secs_f64()
}

/// The slowest hundredth of 4 x 1,000 events, each sender waiting for its answer.
fn p99(server: &Server) -> Duration {
    let body = event("product_name", "speaker");
    let headers = signed(Scheme::Sha1, &body);
    let request =
        post("/hooks/acme/good", &[("content-type", "application/json"), (&headers[0].0, &headers[0].1)], &body);
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(server.front_door);
                    let mut time = || {
                        let sent = Instant::now();
                        connection.send(&request);
                        assert_eq!(connection.answer().unwrap().status, 200);
                        sent.elapsed()
                    };
                    (0..1_000).map(|_| time()).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    times.sort();
    times[times.len() * 99 / 100]
}

#[test]
fn a_flood_of_breaks_leaves_memory_and_descriptors_where_they_were() {
    let server = Server::start(
        &(node("naughty", "naughty", "limits = { cpu_time = \"50ms\" }") + &node("good", "product-price", "")),
    );
    let round = || {
        for misbehaviour in ["eat_memory", "panic", "recurse", "huge_reply", "log_flood", "loop", "out_of_bounds"] {
            assert!(server.send("naughty", &event("misbehave", misbehaviour)).header("x-codenode-run").is_some());
        }
    };
    (0..3).for_each(|_| round());
    let (memory, descriptors) = (server.resident_bytes(), server.descriptors());
    (0..20).for_each(|_| round());
    assert!(server.resident_bytes() < memory + (32 << 20), "{} after {memory}", server.resident_bytes());
    server.wait_for_descriptors(descriptors + 2);
    assert_eq!(server.send("good", &event("product_name", "speaker")).status, 200);
}
