//! What Prometheus reads, against what was sent.

use super::http;
use super::server::{Server, event, node, value};

#[test]
fn what_was_sent_is_what_is_counted() {
    let server = Server::start(&(node("good", "product-price", "") + &node("naughty", "naughty", "")));
    let (speaker, panic) = (event("product_name", "speaker"), event("misbehave", "panic"));
    (0..5).for_each(|_| assert_eq!(server.send("good", &speaker).status, 200));
    (0..3).for_each(|_| assert_eq!(server.send("naughty", &panic).cause(), Some("trap")));
    (0..2).for_each(|_| assert_eq!(server.post("good", &[], &speaker).status, 401));

    let good = r#"codenode_runs_total{tenant="acme",node="good",outcome="reply",blame=""}"#;
    let naughty = r#"codenode_runs_total{tenant="acme",node="naughty",outcome="trap",blame="author"}"#;
    let page = server.wait_for("the runs to be counted and recorded", || {
        let page = server.manage("/metrics").body;
        (value(&page, "codenode_records_written_total") >= 8.0).then_some(page)
    });
    for (series, expected) in [
        (good, 5.0),
        (naughty, 3.0),
        (r#"codenode_run_duration_seconds_count{tenant="acme"}"#, 8.0),
        (r#"codenode_run_cpu_seconds_count{tenant="acme"}"#, 8.0),
        (r#"codenode_queue_wait_seconds_sum{tenant="acme"}"#, 0.0),
        (r#"codenode_refused_requests_total{reason="unauthorized"}"#, 2.0),
        (r#"codenode_compilations_total{result="compiled"}"#, 2.0),
        (r#"codenode_nodes{condition="live"}"#, 2.0),
        (r#"codenode_connections{listener="management"}"#, 1.0),
        ("codenode_artifacts_loaded", 2.0),
        ("codenode_permits_free", 256.0),
        ("codenode_records_written_total", 8.0),
    ] {
        assert_eq!(value(&page, series), expected, "{series}: {page}");
    }
    assert!(value(&page, r#"codenode_run_cpu_seconds_sum{tenant="acme"}"#) > 0.0);
    assert!(value(&page, "codenode_compilation_seconds_total") > 0.0);

    let unseen = http::exchange(server.management, &http::get("/metrics", &[])).unwrap();
    assert_eq!(unseen.status, 401);
}
