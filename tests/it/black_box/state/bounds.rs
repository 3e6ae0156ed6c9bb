//! How much is remembered, and what a run pays for it; and runs without a server.

use super::*;

fn breaks(server: &Server, changes: &str, cause: &str, words: &str) {
    let answer = change(server, changes);
    assert_eq!(answer.cause(), Some(cause), "{}", answer.body);
    let record = server.record(&answer);
    assert!(record["detail"].as_str().unwrap().contains(words), "{record}");
}

#[test]
fn values_are_what_the_platform_takes() {
    let limits = "limits = { conversation_value_chars = 10, user_value_chars = 5 }\n";
    let server = Server::start(&(node("keeper", "keeper", limits) + &node("usual", "keeper", "")));
    let most =
        r#""user_details":{"a":"य😊\u0939\"x","n":12345},"conversation_details":{"a":"0123456789","b":[1,2,3]},"#;
    changed(&server, most);
    breaks(
        &server,
        r#""user_details":{"bio":"123456"},"#,
        "reply_wrong_shape",
        "`user_details.bio` has 6 characters, and the most is 5",
    );
    let listed = r#""conversation_details":{"b":[1,2,3,44,5]},"#;
    breaks(&server, listed, "reply_wrong_shape", "raise the node's limit `conversation_value_chars`");
    for value in ["true", "{}", "[1]"] {
        breaks(&server, &format!(r#""user_details":{{"v":{value}}},"#), "reply_wrong_shape", "`user_details.v` is");
    }
    let usual = |field: &str, chars: usize| {
        let changes = format!(r#""{field}":{{"v":"{}"}},"#, "x".repeat(chars));
        let event = event(&json!("u-1"), &json!(1), &json!([]), &changes).to_string();
        server.send("usual", event.as_bytes()).status
    };
    assert_eq!([usual("user_details", 200), usual("user_details", 201)], [200, 502]);
    assert_eq!([usual("conversation_details", 2_500), usual("conversation_details", 2_501)], [200, 502]);
}

#[test]
fn what_is_remembered_of_one_user_has_an_end() {
    let limits = "limits = { conversation_value_chars = 50000 }\n";
    let server = server_with(limits, "[tenants.acme]\nquota = { kv_keys = 2, kv_size = \"100 KiB\" }\n");
    let large = |name: &str| format!(r#""conversation_details":{{"{name}":"{}"}},"#, "x".repeat(40_000));
    changed(&server, &large("a"));
    breaks(&server, &large("b"), "reply_wrong_shape", "the most is 64.0 KiB: set fields to null");
    changed(&server, r#""conversation_details":{"a":null,"small":"1"},"#);
    changed(&server, &large("b"));
    assert_eq!(told(&server).0.as_object().unwrap().len(), 2);

    changed(&server, r#""user_details":{"a":"1"},"#);
    let another = event(&json!("u-2"), &json!(1), &json!([]), r#""user_details":{"a":"1"},"#).to_string();
    let refused = server.send("keeper", another.as_bytes());
    assert_eq!((refused.status, refused.cause()), (429, Some("over_quota")), "{}", refused.body);
    assert!(server.record(&refused)["detail"].as_str().unwrap().contains("its quota is 2 of 100.0 KiB"));
    changed(&server, r#""user_details":{"a":"2"},"#);
    changed(&server, r#""user_details":{"a":null},"#);
    server.wait_for("room", || (server.send("keeper", another.as_bytes()).status == 200).then_some(()));
}

#[test]
fn reading_and_writing_it_counts_as_the_runs_own() {
    let server = server_with("limits = { kv_calls = 4 }\n", "");
    let quiet = change(&server, "");
    assert_eq!(server.record(&quiet)["usage"]["kv_calls"], 2, "one for the user, one for the conversation");
    let both = change(&server, r#""user_details":{"a":"1"},"conversation_details":{"a":"1"},"#);
    let usage = &server.record(&both)["usage"];
    let bytes = ("u-1".len() + "u-1/1".len() + 2 * r#"{"a":"1"}"#.len()) as u64;
    assert_eq!((&usage["kv_calls"], &usage["kv_data_bytes"]), (&json!(4), &json!(bytes)));

    let set = json!({ "op": "set", "bucket": "node", "key": "k", "value": "1" });
    let more =
        event(&json!("u-1"), &json!(1), &json!([set]), r#""user_details":{"a":"2"},"conversation_details":{"a":"2"},"#);
    let answer = server.send("keeper", more.to_string().as_bytes());
    assert_eq!(answer.cause(), Some("too_many_calls"));
    assert_eq!(server.record(&answer)["detail"], "with its details it made more than 4 key-value operations");
    assert_eq!(told(&server).1, json!({ "a": "1" }));
    assert_eq!(Shell::of(&server).json("kv list --node keeper"), json!({ "keys": [] }), "nor is what it wrote");
}

#[test]
fn a_run_by_hand_remembers_what_the_one_before_it_said() {
    let (shell, folder) = (Shell::new(), tempfile::tempdir().unwrap());
    let events = folder.path().join("event.json");
    let of =
        event(&json!("u-1"), &json!(1), &json!([]), r#""user_details":{"a":"1"},"conversation_details":{"a":"1"},"#);
    std::fs::write(&events, of.to_string()).unwrap();
    let run = |more: &str| {
        let line = format!("run {} --event {} --grant kv:node {more}", guest("keeper").display(), events.display());
        let said = shell.json(&line)["outcome"]["reply"]["response"][1].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&said).unwrap()
    };
    let entries = format!("--entries {}", folder.path().join("entries").display());
    let unknown = json!({ "conversation": {}, "user": {} });
    assert_eq!(run(&format!("--grant state:user {entries}")), unknown);
    assert_eq!(run(&format!("--grant state:user {entries}")), json!({ "conversation": {}, "user": { "a": "1" } }));
    assert_eq!(run("--grant state:user"), unknown, "nothing is kept nowhere");
    assert_eq!(run(&entries), unknown, "nor told to whom it is not granted");
    let command = format!(
        "run {} --event {} --grant state:user {entries} --json",
        guest("echo-command").display(),
        events.display()
    );
    shell.type_in(&command, b"").exits(0);
}

#[test]
fn a_trial_run_remembers_as_an_event_does() {
    let server = Server::start("");
    server.change("POST", "/v1/tenants", &json!({ "id": "acme" }));
    server.change("POST", "/v1/tenants/acme/nodes", &json!({ "id": "N" }));
    let uploaded = server.ask("POST", "/v1/tenants/acme/artifacts", &std::fs::read(guest("keeper")).unwrap());
    let revision = |grant: &str| {
        let wanted = json!({ "artifact": uploaded.json()["artifact"], "settings": { "grants": [grant] } });
        server.ask("POST", "/v1/tenants/acme/nodes/N/revisions", wanted.to_string().as_bytes())
    };
    let refused = revision("kv:user");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("with state:user it comes with the event"), "{}", refused.body);
    assert_eq!(revision("state:user").status, 201);
    let event = event(&json!("u-1"), &json!(1), &json!([]), r#""user_details":{"a":"1"},"#);
    let try_out = || {
        let tried = server.change("POST", "/v1/tenants/acme/nodes/N/test", &json!({ "event": event, "revision": 1 }));
        tried["outcome"]["reply"]["response"][1].as_str().unwrap().to_owned()
    };
    assert_eq!([try_out(), try_out()], [r#"{"conversation":{},"user":{}}"#, r#"{"conversation":{},"user":{"a":"1"}}"#]);
}
