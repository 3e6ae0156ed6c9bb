//! What is remembered of users and conversations for a platform that does not do so: it comes with the next event of the same user, of nobody else.

mod bounds;
mod whose;

use serde_json::{Value, json};
use sqlx::Executor as _;

use super::hosts::{Cable, Shared};
use super::http::Answer;
use super::server::{SECRET, Server, guest, node, node_of};
use super::shell::Shell;
use crate::support::guest as shells;

const BOTH: &str = "grants = [\"state:conversation\", \"state:user\", \"kv:node\"]\n";

/// A server whose node `keeper` remembers users and conversations.
fn server() -> Server {
    server_with("", "")
}

/// The same, with further keys for the node and further sections.
fn server_with(keys: &str, sections: &str) -> Server {
    Server::start(&(node("keeper", "keeper", &format!("{BOTH}{keys}")) + sections))
}

/// An event of a user, in one of the user's conversations, for the guest `keeper`: a plan, and the members that its reply begins with. What is
/// null is not in the event.
fn event(user_id: &Value, conversation_no: &Value, plan: &Value, changes: &str) -> Value {
    let entity = |value: &str| json!([{ "detection": "message", "original_text": "", "entity_value": value }]);
    let mut event = json!({
        "node": "N", "event": "API_INTEGRATION", "user": { "user_name": "u1", "full_name": "", "device_platform": 5 },
        "entities": { "plan": entity(&plan.to_string()), "details": entity(changes) },
    });
    if !user_id.is_null() {
        event["user"]["user_id"] = user_id.clone();
    }
    if !conversation_no.is_null() {
        event["conversation_no"] = conversation_no.clone();
    }
    event
}

/// Sends an event of the user `u-1` in the first conversation, whose reply begins with these members.
fn change(server: &Server, changes: &str) -> Answer {
    server.send("keeper", event(&json!("u-1"), &json!(1), &json!([]), changes).to_string().as_bytes())
}

/// The same, which must go well: the details that its event came with, of the conversation and of the user.
fn changed(server: &Server, changes: &str) -> (Value, Value) {
    came_with(&change(server, changes))
}

/// The same, without a change.
fn told(server: &Server) -> (Value, Value) {
    changed(server, "")
}

fn came_with(answer: &Answer) -> (Value, Value) {
    assert_eq!(answer.status, 200, "{} {:?}", answer.body, answer.cause());
    let told: Value = serde_json::from_str(answer.json()["response"][1].as_str().unwrap()).unwrap();
    (told["conversation"].clone(), told["user"].clone())
}

fn nothing() -> (Value, Value) {
    (json!({}), json!({}))
}

#[test]
fn what_a_reply_lets_be_remembered_comes_with_the_next_event() {
    let server = server();
    let first =
        change(&server, r#""user_details":{"phone":"+91", "n":1.50},"conversation_details":{"order":{"id":[71]}},"#);
    assert_eq!(came_with(&first), nothing());
    let answered = first.json();
    assert_eq!(
        (&answered["user_details"]["phone"], &answered["conversation_details"]["order"]["id"]),
        (&json!("+91"), &json!([71]))
    );
    assert_eq!(told(&server), (json!({ "order": { "id": [71] } }), json!({ "phone": "+91", "n": 1.5 })));

    let server = server.kill_and_start_again();
    let changes = r#""user_details":{"n":null,"city":"पुणे"},"conversation_details":{},"#;
    assert!(change(&server, changes).body.contains(r#""n":null"#), "the platform hears it as it is");
    assert_eq!(told(&server), (json!({ "order": { "id": [71] } }), json!({ "phone": "+91", "city": "पुणे" })));
    changed(&server, r#""user_details":{"phone":null,"city":null},"#);
    assert_eq!(told(&server).1, json!({}));
    let left = Shell::of(&server).json("kv list --bucket user");
    assert_eq!(left, json!({ "keys": [] }), "nothing is left of it");
}

#[test]
fn what_an_event_says_itself_is_right() {
    let server = server();
    changed(&server, r#""user_details":{"a":"kept","b":"kept","c":"kept"},"#);
    let mut event = event(&json!("u-1"), &json!(1), &json!([]), r#""user_details":{"d":1},"#);
    event["user_details"] = json!({ "b": "sent", "c": null });
    let answer = server.send("keeper", event.to_string().as_bytes());
    assert_eq!(came_with(&answer).1, json!({ "a": "kept", "b": "sent", "c": null }));
    assert_eq!(
        told(&server).1,
        json!({ "a": "kept", "b": "kept", "c": "kept", "d": 1 }),
        "and changes nothing that is kept"
    );
}

#[test]
fn a_run_that_breaks_lets_nothing_be_remembered() {
    let server = server();
    changed(&server, r#""user_details":{"a":"1"},"conversation_details":{"a":"1"},"#);
    let changes = r#""user_details":{"a":"2"},"conversation_details":{"a":"2"},"#;
    let set = json!({ "op": "set", "bucket": "node", "key": "k", "value": "1" });
    for plan in [json!([set, { "op": "break" }]), json!([set, { "op": "error" }])] {
        let event = event(&json!("u-1"), &json!(1), &plan, changes).to_string();
        assert_eq!(server.send("keeper", event.as_bytes()).status, 502);
    }
    let wrong = change(&server, r#""user_details":{"a":true},"conversation_details":{"a":"2"},"#);
    assert_eq!((wrong.status, wrong.cause()), (502, Some("reply_wrong_shape")));
    assert_eq!(told(&server), (json!({ "a": "1" }), json!({ "a": "1" })));
    let kept = Shell::of(&server).json("kv list --node keeper");
    assert_eq!(kept, json!({ "keys": [] }));
}

#[test]
fn an_event_without_anything_to_remember_is_handed_over_byte_for_byte() {
    let artifact = tempfile::NamedTempFile::with_suffix(".wasm").unwrap();
    std::fs::write(artifact.path(), shells::named("answers_with_its_event")).unwrap();
    let node = |name: &str, grants: &str| {
        let path = artifact.path().display().to_string();
        format!("[tenants.acme.nodes.{name}]\nartifact = {path:?}\nsecrets = [{SECRET:?}]\n{grants}\n")
    };
    let server = Server::start(&(node("remembers", BOTH) + &node("does-not", "")));
    let of = |user: &str, details: &str| {
        format!(
            r#"{{ "status":true, "response":["ü"],"user": {{"user_id":"{user}"}},"conversation_no":1,"x":1.50,"x":1e400{details} }} "#
        )
    };
    let unknown = of("u-1", "");
    assert_eq!(server.send("remembers", unknown.as_bytes()).body, unknown);
    let says = of("u-1", r#","user_details": {"n":1.50}"#);
    assert_eq!(server.send("remembers", says.as_bytes()).body, says);
    let told = server.send("remembers", unknown.as_bytes()).body;
    assert_eq!(told, unknown.replace(" } ", r#" ,"user_details":{"n":1.50}} "#));
    assert_eq!(server.send("does-not", unknown.as_bytes()).body, unknown, "only who is granted it is told");
    assert_eq!(server.send("remembers", of("u-2", "").as_bytes()).body, of("u-2", ""));
}

#[test]
fn a_conversation_is_forgotten_after_three_hours_and_a_user_is_not() {
    let server = server();
    changed(&server, r#""user_details":{"a":"1"},"conversation_details":{"a":"1","b":"1"},"#);
    let shell = Shell::of(&server);
    let expires_at =
        |bucket: &str, key: &str| shell.json(&format!("kv get {key} --bucket {bucket}"))["expires_at"].clone();
    assert_eq!(expires_at("user", "u-1"), Value::Null);
    let end: jiff::Timestamp = expires_at("conversation", "u-1/1").as_str().unwrap().parse().unwrap();
    let left = end.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((3 * 3_600 - 600..=3 * 3_600).contains(&left), "{left} s");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let passes = |millis: i64| {
        sqlx::any::install_default_drivers();
        let file = server.folder.path().join(".codenode/codenode.db");
        runtime.block_on(async {
            let database = sqlx::AnyPool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
            let passed = database
                .execute(sqlx::AssertSqlSafe(format!("UPDATE key_values SET expires_at = expires_at - {millis}")))
                .await;
            assert_eq!(passed.unwrap().rows_affected(), 2);
            database.close().await;
        });
    };
    passes(2 * 3_600_000);
    assert_eq!(changed(&server, r#""conversation_details":{"a":"2"},"#).0, json!({ "a": "1", "b": "1" }));
    passes(2 * 3_600_000);
    assert_eq!(told(&server).0, json!({ "a": "2", "b": "1" }), "it was kept for three hours more");
    passes(3_600_000);
    assert_eq!(told(&server), (json!({}), json!({ "a": "1" })));
    changed(&server, r#""conversation_details":{"c":"3"},"#);
    assert_eq!(told(&server).0, json!({ "c": "3" }), "it begins anew");
}

#[test]
fn two_hosts_remember_together_and_lose_nothing() {
    const WAVES: usize = 4;
    const AT_ONCE: usize = 8;
    let shared = Shared::fresh();
    let nodes = node("keeper", "keeper", &format!("{BOTH}limits = {{ wall_time = \"28s\" }}\n"));
    let hosts = [shared.host_at(&shared.database, &nodes), shared.host_at(&shared.database, &nodes)];
    changed(&hosts[0], r#""user_details":{"here":"1"},"#);
    assert_eq!(told(&hosts[1]).1, json!({ "here": "1" }));
    for wave in 0..WAVES {
        std::thread::scope(|scope| {
            for at in 0..AT_ONCE {
                let host = &hosts[at % hosts.len()];
                let fields = format!(r#"{{"{wave}/{at}":"1"}}"#);
                scope.spawn(move || {
                    changed(host, &format!(r#""user_details":{fields},"conversation_details":{fields},"#))
                });
            }
        });
    }
    for host in &hosts {
        let (conversation, user) = told(host);
        assert_eq!(conversation.as_object().unwrap().len(), WAVES * AT_ONCE);
        assert_eq!(user.as_object().unwrap().len(), WAVES * AT_ONCE + 1);
    }
}

#[test]
fn an_event_waits_for_what_is_remembered_and_has_no_reply_without() {
    let shared = Shared::fresh();
    let cable = Cable::to(&shared.database);
    let nodes = node("keeper", "keeper", BOTH) + &node("forgets", "keeper", "");
    let host = shared.host_at(&cable.url, &nodes);
    changed(&host, r#""user_details":{"a":"1"},"#);

    cable.cut();
    let unread = change(&host, "");
    assert_eq!((unread.status, unread.cause()), (503, Some("unavailable")), "{}", unread.body);
    let event = event(&json!("u-1"), &json!(1), &json!([]), r#""user_details":{"a":"2"},"#).to_string();
    assert_eq!(came_with(&host.send("forgets", event.as_bytes())), nothing(), "who remembers nothing is served");

    cable.mend();
    host.wait_for("the store", || Some(change(&host, "")).filter(|answer| answer.status == 200));
    assert_eq!(told(&host).1, json!({ "a": "1" }));
    let record = host.record(&unread);
    assert_eq!(record["detail"], "what is remembered of the user could not be read: the store does not answer now");
    assert!(record["usage"]["wall_micros"].as_u64().unwrap() > 0, "{record}");
}
