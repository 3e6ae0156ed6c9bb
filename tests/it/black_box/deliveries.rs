//! Events that are delivered again: one run, one answer.

use std::thread;
use std::time::{Duration, SystemTime};

use server::signature::{Scheme, Secret, sign};

use super::http::Answer;
use super::server::{SECRET, Server, event, node};

/// As Standard Webhooks wants them.
pub(super) const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Sends an event as Standard Webhooks has it: a retry has the same id and a new timestamp.
pub(super) fn deliver(server: &Server, node: &str, id: &str, event: &[u8]) -> Answer {
    let headers = sign(Scheme::Standard, &Secret::new(STANDARD_SECRET).unwrap(), event, id, SystemTime::now()).unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    server.post(node, &headers, event)
}

/// What is the same for all deliveries of an event.
fn told(answer: &Answer) -> (u16, Option<&str>, Option<&str>, &str) {
    (answer.status, answer.header("x-codenode-run"), answer.cause(), &answer.body)
}

fn is_repeated(answer: &Answer) -> bool {
    answer.header("x-codenode-repeated") == Some("true")
}

/// A node that takes Standard Webhooks.
fn standard(name: &str, artifact: &str) -> String {
    node(name, artifact, "schemes = [\"standard\"]").replace(SECRET, STANDARD_SECRET)
}

#[test]
fn what_is_delivered_again_gets_the_first_answer_after_a_power_cut_too() {
    let nodes = standard("price", "product-price") + &standard("naughty", "naughty");
    let server = Server::start(&nodes);
    let (speaker, traps) = (event("product_name", "speaker"), event("misbehave", "out_of_bounds"));
    let first = deliver(&server, "price", "msg_1", &speaker);
    assert_eq!((first.status, is_repeated(&first)), (200, false));
    let broken = deliver(&server, "naughty", "msg_1", &traps);
    assert_eq!((broken.cause(), is_repeated(&broken)), (Some("trap"), false), "an id is the node's alone");

    let server = {
        for (node, event, answer) in [("price", &speaker, &first), ("naughty", &traps, &broken)] {
            let again = deliver(&server, node, "msg_1", event);
            assert_eq!(told(&again), told(answer));
            assert!(is_repeated(&again));
        }
        assert_eq!(server.records().len(), 2, "two events ran");
        server.kill_and_start_again()
    };
    let again = deliver(&server, "price", "msg_1", &speaker);
    assert_eq!((told(&again), is_repeated(&again)), (told(&first), true));
    let other = deliver(&server, "price", "msg_2", &speaker);
    assert_eq!((other.status, is_repeated(&other)), (200, false));
    let page = server.manage("/metrics").body;
    assert!(page.contains("codenode_repeated_deliveries_total 1\n"), "{page}");
}

#[test]
fn of_fifty_deliveries_at_once_one_runs() {
    let server = Server::start(&standard("naughty", "naughty"));
    let event = event("misbehave", "loop");
    let answers: Vec<Answer> = thread::scope(|scope| {
        let senders: Vec<_> = (0..50).map(|_| scope.spawn(|| deliver(&server, "naughty", "msg_1", &event))).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert_eq!(answers[0].status, 504);
    assert!(answers.iter().all(|answer| told(answer) == told(&answers[0])), "{answers:#?}");
    assert_eq!(answers.iter().filter(|answer| !is_repeated(answer)).count(), 1);
    assert_eq!(server.records().len(), 1);
}

#[test]
fn the_same_body_is_the_same_delivery_within_the_nodes_window_alone() {
    let server = Server::start(
        &(node("long", "product-price", "repeat_window = \"1h\"")
            + &node("short", "product-price", "repeat_window = \"1s\"")
            + &node("none", "product-price", "")),
    );
    let (speaker, lamp) = (event("product_name", "speaker"), event("product_name", "lamp"));
    let repeated = |node: &str, event: &[u8]| is_repeated(&server.send(node, event));
    assert_eq!([repeated("long", &speaker), repeated("long", &speaker), repeated("long", &lamp)], [false, true, false]);
    assert_eq!([repeated("none", &speaker), repeated("none", &speaker)], [false, false]);
    assert!(!repeated("short", &speaker));
    thread::sleep(Duration::from_millis(1100));
    assert!(!repeated("short", &speaker), "the window is over");
}

#[test]
fn what_was_turned_away_may_be_delivered_again() {
    let quota = "[tenants.acme]\nquota = { runs_per_second = 1, runs_per_burst = 1 }\n";
    let server = Server::start(&(quota.to_owned() + &standard("price", "product-price")));
    let event = event("product_name", "speaker");
    let refused = (0..100).map(|number| (number, deliver(&server, "price", &format!("msg_{number}"), &event)));
    let (number, refused) =
        refused.into_iter().find(|(_, answer)| answer.status != 200).expect("a hundred are too many");
    assert_eq!((refused.status, refused.cause()), (429, Some("over_quota")));
    let again = server.wait_for("the quota to allow it", || {
        thread::sleep(Duration::from_millis(300));
        Some(deliver(&server, "price", &format!("msg_{number}"), &event)).filter(|answer| answer.status == 200)
    });
    assert!(!is_repeated(&again));
}
