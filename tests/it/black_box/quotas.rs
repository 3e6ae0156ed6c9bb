//! Tenants that use more than they may, and tenants beside them.

use std::thread;
use std::time::Duration;

use super::http::Answer;
use super::server::{Server, event, node, node_of};

/// The seconds after which a tenant over its quota is told to come back; its record must name the cause, and blame no author.
fn told_to_wait(server: &Server, answer: &Answer, why: &str) -> u64 {
    assert_eq!((answer.status, answer.cause()), (429, Some("over_quota")), "{}", answer.body);
    let broken = server.record(answer)["outcome"]["bot_break"].clone();
    assert_eq!((&broken["cause"], &broken["blame"]), (&"over_quota".into(), &"host".into()));
    assert!(broken["detail"].as_str().unwrap().contains(why), "{broken}");
    answer.header("retry-after").expect("when to come back").parse().unwrap()
}

#[test]
fn a_tenant_over_its_rate_is_told_when_to_come_back_and_another_is_served() {
    let server = Server::start(
        &("[tenants.acme]\nquota = { runs_per_second = 1, runs_per_burst = 2 }\n".to_owned()
            + &node("product-price", "product-price", "")
            + &node_of("other", "product-price", "")),
    );
    let event = event("product_name", "speaker");
    let send_one = || server.send_to("acme", "product-price", &event);
    assert_eq!([send_one().status, send_one().status], [200, 200]);
    let refused = (0..100).map(|_| send_one()).find(|answer| answer.status != 200);
    let refused = refused.expect("a hundred events one after the other are more than one a second");
    let wait = told_to_wait(&server, &refused, "as many runs as its quota allows");
    assert_eq!(wait, 1);
    assert_eq!(server.send_to("other", "product-price", &event).status, 200);

    thread::sleep(Duration::from_secs(wait));
    assert_eq!(send_one().status, 200, "what retry-after says is true");
}

#[test]
fn a_tenant_that_has_used_its_cpu_time_waits_until_there_is_more() {
    let server = Server::start(
        &("[tenants.acme]\nquota = { cpu_per_hour = \"1s\" }\n".to_owned()
            + &node("naughty", "naughty", "limits = { cpu_time = \"1500ms\" }")
            + &node_of("other", "naughty", "limits = { cpu_time = \"20ms\" }")),
    );
    let event = event("misbehave", "loop");
    let first = server.send_to("acme", "naughty", &event);
    assert_eq!(first.cause(), Some("out_of_cpu"));
    let wait = told_to_wait(&server, &server.send_to("acme", "naughty", &event), "CPU time");
    // What it used more than there was comes in as slowly as the rest; a little has come in by now.
    let used = server.record(&first)["usage"]["cpu_micros"].as_u64().unwrap();
    let debt = (used - 1_000_000) * 3600 / 1_000_000;
    assert!((debt.saturating_sub(60)..=debt + 1).contains(&wait), "{wait} s for {used} us");
    assert_eq!(server.send_to("other", "naughty", &event).cause(), Some("out_of_cpu"));
}

#[test]
fn a_tenant_with_all_its_runs_under_way_is_over_its_quota_and_another_is_served() {
    let server = Server::start(
        &("[tenants.acme]\nquota = { runs = 1 }\n".to_owned()
            + &node("naughty", "naughty", "limits = { cpu_time = \"3s\" }")
            + &node_of("other", "product-price", "")),
    );
    thread::scope(|scope| {
        // The one place may be taken by an event that is soon over, so the long one is sent until it is in.
        let first = scope.spawn(|| {
            server.wait_for("a place", || {
                Some(server.send_to("acme", "naughty", &event("misbehave", "loop")))
                    .filter(|answer| answer.status != 429)
            })
        });
        let refused = server.wait_for("a refusal", || {
            Some(server.send_to("acme", "naughty", &event("misbehave", "panic"))).filter(|answer| answer.status == 429)
        });
        assert_eq!(told_to_wait(&server, &refused, "runs under way"), 1);
        assert_eq!(server.send_to("other", "product-price", &event("product_name", "speaker")).status, 200);
        assert_eq!(first.join().unwrap().cause(), Some("out_of_cpu"));
    });
}
