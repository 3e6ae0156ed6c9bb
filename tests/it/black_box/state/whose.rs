//! Whose details are whose, and who may see and delete them.

use super::*;

/// Lets something be remembered of a user and a conversation, and tells what was before.
fn mark(server: &Server, tenant: &str, user_id: &Value, conversation_no: &Value, mark: &str) -> (Value, Value) {
    let changes = format!(r#""user_details":{{"m":{mark:?}}},"conversation_details":{{"m":{mark:?}}},"#);
    let event = event(user_id, conversation_no, &json!([]), &changes).to_string();
    came_with(&server.send_to(tenant, "keeper", event.as_bytes()))
}

#[test]
fn nobody_is_told_what_is_remembered_of_another() {
    let server = Server::start(
        &(node_of("acme", "keeper", BOTH)
            + &node_of("other", "keeper", BOTH)
            + &node("twin", "keeper", BOTH)
            + &node("of-users", "keeper", "grants = [\"state:user\"]\n")),
    );
    let (user, one, two) = (json!("u-1"), json!(1), json!(2));
    assert_eq!(mark(&server, "acme", &user, &one, "a"), nothing());
    assert_eq!(mark(&server, "other", &user, &one, "b"), nothing(), "another tenant's");
    assert_eq!(mark(&server, "acme", &json!("u-2"), &one, "c"), nothing(), "another user's");
    assert_eq!(mark(&server, "acme", &user, &two, "d"), (json!({}), json!({ "m": "a" })), "another conversation's");
    let tell = |node| came_with(&server.send(node, event(&user, &one, &json!([]), "").to_string().as_bytes()));
    assert_eq!(tell("keeper"), (json!({ "m": "a" }), json!({ "m": "d" })));
    assert_eq!(
        tell("twin"),
        (json!({ "m": "a" }), json!({ "m": "d" })),
        "as on the platforms, all nodes of a tenant share them"
    );
    assert_eq!(tell("of-users"), (json!({}), json!({ "m": "d" })));
}

#[test]
fn ids_that_look_alike_are_not_the_same() {
    let server = server();
    let long = ["x".repeat(10_000), "x".repeat(9_999), "é".repeat(128), "é".repeat(127)];
    let mut ids = vec![
        "..",
        "../u-1",
        "u-1",
        "U-1",
        "u-1/1",
        "u-1%2F1",
        "a/b",
        "a",
        "a?ttl=1",
        "%",
        "\u{1}",
        "%01",
        " ",
        "आशा",
        "😊",
        "é",
        "e\u{301}",
        "node/keeper",
        "conversation",
        "'; DROP TABLE key_values; --",
        "{}",
        "null",
    ];
    ids.extend(long.iter().map(String::as_str));
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(mark(&server, "acme", &json!(id), &json!(id), &at.to_string()), nothing(), "{id}");
    }
    for (at, id) in ids.iter().enumerate() {
        let seen = mark(&server, "acme", &json!(id), &json!(id), &at.to_string());
        assert_eq!(seen, (json!({ "m": at.to_string() }), json!({ "m": at.to_string() })), "{id}");
    }
    assert_eq!(mark(&server, "acme", &json!("u-1"), &json!("1"), "x").0, json!({}), "not that of the user u-1/1");
    mark(&server, "acme", &json!(7), &json!(1), "seven");
    assert_eq!(
        mark(&server, "acme", &json!("7"), &json!("1"), "7"),
        (json!({ "m": "seven" }), json!({ "m": "seven" }))
    );
    let nul = event(&json!("u\u{0}1"), &json!(1), &json!([]), "").to_string();
    assert_eq!(server.send("keeper", nul.as_bytes()).status, 400);
}

#[test]
fn who_does_not_say_who_chats_is_answered_and_not_remembered() {
    let server = server();
    let changes = r#""user_details":{"a":"1"},"conversation_details":{"a":"1"},"#;
    for (user_id, conversation_no, lines, told) in [
        (json!(null), json!(1), 2, nothing()),
        (json!(""), json!(1), 2, nothing()),
        (json!(1.5), json!(1), 2, nothing()),
        (json!({ "id": 1 }), json!(1), 2, nothing()),
        (json!("u-1"), json!(null), 1, nothing()),
        (json!("u-1"), json!([1]), 1, (json!({}), json!({ "a": "1" }))),
    ] {
        let answer =
            server.send("keeper", event(&user_id, &conversation_no, &json!([]), changes).to_string().as_bytes());
        assert_eq!(came_with(&answer), told);
        let record = server.record(&answer);
        let log = record["log"]["lines"].as_array().unwrap();
        assert_eq!(log.len(), lines, "{record}");
        assert_eq!(log[0]["level"], "warn");
        let said = "state:conversation is granted, but the event has no `user.user_id` or no `conversation_no`: nothing is remembered";
        assert_eq!(log[0]["text"], said);
    }
    assert_eq!(Shell::of(&server).json("kv list --bucket conversation"), json!({ "keys": [] }));
}

#[test]
fn no_handler_opens_what_is_remembered() {
    let server = server();
    changed(&server, r#""user_details":{"a":"1"},"#);
    let open = |bucket: &str| json!({ "op": "get", "bucket": bucket, "key": "u-1" });
    let plan = json!([open("user"), open("conversation"), open("state:user"), open("user ")]);
    let answer = server.send("keeper", event(&json!("u-1"), &json!(1), &plan, "").to_string().as_bytes());
    let results: Vec<Value> = serde_json::from_str(answer.json()["response"][0].as_str().unwrap()).unwrap();
    for refused in results {
        assert_eq!(refused["error"], "no-such-store", "{refused}");
    }
    let run = format!("run {} --event - --grant", guest("keeper").display());
    for (grant, words) in [
        ("kv:user", "with state:user it comes with the event"),
        ("kv:conversation", "with state:conversation it comes with the event"),
        ("state:node", "use conversation or user"),
    ] {
        Shell::new().type_in(&format!("{run} {grant}"), b"{}").says_why(words);
    }
}

#[test]
fn what_is_remembered_is_listed_read_and_deleted_at_a_shell() {
    let server = server();
    let shell = Shell::of(&server);
    changed(&server, r#""user_details":{"phone":"+91"},"conversation_details":{"order":"71"},"#);
    mark(&server, "acme", &json!("a/b"), &json!(2), "x");
    assert_eq!(shell.does("kv list --bucket user"), "a%2Fb\nu-1\n");
    assert_eq!(shell.does("kv list u-1/ --bucket conversation"), "u-1/1\n");
    assert_eq!(shell.does("kv get u-1 --bucket user"), r#"{"phone":"+91"}"#);
    assert_eq!(shell.does("kv list"), "", "it is in no other bucket");
    assert_eq!(server.manage("/v1/tenants/acme/usage").json()["kv_keys"], 4);

    shell.does("kv delete u-1 --yes --bucket user");
    shell.does("kv delete u-1/1 --yes --bucket conversation");
    assert_eq!(told(&server), nothing());
    let audit = server.manage("/v1/tenants/acme/audit").json();
    assert_eq!(audit["entries"][0]["subject"], "conversation entry u-1/1");
    assert!(!audit.to_string().contains("+91"), "{audit}");
    for (line, words) in [
        ("kv get u-1 --bucket user", "there is no entry u-1"),
        ("kv set u-1 {} --bucket user", "the `user_details` of replies write to the bucket user"),
        ("kv list --bucket users", "use conversation or user"),
        ("kv list --bucket user --node keeper", "cannot be used with"),
    ] {
        shell.type_in(line, b"").says_why(words);
    }
    let path = "/v1/tenants/acme/entries?bucket=user&node=keeper";
    assert_eq!(server.manage(path).status, 404, "there is none of a node");
    let set = server.ask("PUT", "/v1/tenants/acme/entry?bucket=user&key=u-1", br#"{"value":{"text":"{}"}}"#);
    assert_eq!(set.status, 400, "{}", set.body);
}
