//! What the platform hears of a bot break, by the node's policy.

use super::server::{Server, event, node};

#[test]
fn a_node_that_says_its_text_hides_the_failure_from_the_platform() {
    let server =
        Server::start(&node("naughty", "naughty", "on_break = \"say\"\nbot_break_text = \"क्षमा करें 😊 \\\"later\\\"\""));
    let answer = server.send("naughty", &event("misbehave", "panic"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), serde_json::json!({ "status": false, "response": ["क्षमा करें 😊 \"later\""] }));
    assert_eq!(answer.cause(), Some("trap"), "the owner of the node still sees what it was");
}

#[test]
fn the_record_says_where_the_chat_goes() {
    let keys = [("plain", ""), ("helped", "human_assistance = true"), ("last", "end_node = true")];
    let server = Server::start(&keys.map(|(name, keys)| node(name, "naughty", keys)).concat());
    let after = |node: &str, misbehaviour: &str| {
        server.record(&server.send(node, &event("misbehave", misbehaviour)))["chat_afterwards"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(after("plain", "panic"), "with_bot");
    assert_eq!(after("helped", "panic"), "pending_agent");
    assert_eq!(after("helped", "none"), "with_bot");
    assert_eq!(after("last", "none"), "complete");
}

#[test]
fn a_node_without_a_usable_artifact_is_unavailable_and_no_other_node_is() {
    let broken = format!(
        "[tenants.acme.nodes.broken]\nartifact = \"not-there.wasm\"\nsecrets = [{:?}]\n",
        super::server::SECRET
    );
    let server = Server::start(&(broken + &node("good", "product-price", "")));
    let answer = server.send("broken", &event("product_name", "speaker"));
    assert_eq!((answer.status, answer.cause()), (503, Some("unavailable")));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(server.send("good", &event("product_name", "speaker")).status, 200);
    assert!(server.manage("/v1/nodes").body.contains("not-there.wasm"));
}

#[test]
fn usage_is_recorded_of_a_success_too() {
    let server = Server::with_guests(&["product-price"]);
    let body = event("product_name", "speaker");
    let record = server.record(&server.send("product-price", &body));
    let usage = |key: &str| record["usage"][key].as_u64().unwrap();
    assert_eq!(usage("event_bytes"), body.len() as u64);
    assert!(usage("memory_bytes") >= 128 << 10);
    assert!(usage("wall_micros") >= usage("cpu_micros") && usage("cpu_micros") > 0);
    assert!(usage("reply_bytes") > 0);
}
