//! Messages: what people write is what handlers read, in every language, on every host, and nobody else's.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::hosts::Shared;
use super::http::{self, Answer};
use super::server::{Server, event, guest, node, node_of};
use super::shell::Shell;

const GRANTED: &str = "grants = [\"kv:messages\"]\n";
const MESSAGES: &str = "/v1/tenants/acme/messages";
const FILE: &str = "/v1/tenants/acme/message-file";
const HINDI: &str = "आपका ऑर्डर नहीं मिला 🙁";

/// A server whose node `keeper` may read messages.
fn server() -> Server {
    Server::start(&node("keeper", "keeper", GRANTED))
}

fn plan(plan: &Value) -> Vec<u8> {
    event("plan", &plan.to_string())
}

fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(answer.json()["response"][0].as_str().unwrap()).unwrap()
}

fn get(name: &str) -> Value {
    json!({ "op": "get", "bucket": "messages", "key": name })
}

/// What the next run of the node reads.
fn read(server: &Server, name: &str) -> Value {
    results(&server.send("keeper", &plan(&json!([get(name)]))))[0]["ok"].clone()
}

/// A request with further headers.
fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let token = server.authorization();
    let headers = [&[("authorization", token.as_str())], headers].concat();
    http::exchange(server.management, &http::request(method, path, &headers, body.as_bytes())).expect("an answer")
}

#[test]
fn what_is_written_is_read_by_the_next_run() {
    let server = server();
    let shell = Shell::of(&server);
    assert_eq!(read(&server, "order.not_found"), Value::Null);
    shell.type_in("message set order.not_found", b"I cannot find that order.\n").exits(0);
    shell.type_in("message set order.not_found --language HI", HINDI.as_bytes()).exits(0);
    server.change("PUT", &format!("{MESSAGES}/greeting"), &json!({ "text": "Hello \u{1f44b}\n" }));
    let operations = json!([
        { "op": "get_many", "bucket": "messages", "keys": ["order.not_found/hi-IN", "order.not_found/hI", "order.not_found"] },
        { "op": "exists", "bucket": "messages", "key": "greeting" },
        { "op": "exists", "bucket": "messages", "key": "greeting/hi" },
        { "op": "keys", "bucket": "messages", "cursor": null },
        { "op": "keys", "bucket": "messages", "cursor": "order" },
        get("no name of a message"), get("a/b/c"), get("greeting"),
    ]);
    let done = results(&server.send("keeper", &plan(&operations)));
    assert_eq!(
        done[0]["ok"],
        json!([null, ["order.not_found/hI", HINDI], ["order.not_found", "I cannot find that order."]])
    );
    assert_eq!([&done[1]["ok"], &done[2]["ok"]], [&json!(true), &json!(false)]);
    assert_eq!(done[3]["ok"]["keys"], json!(["greeting", "order.not_found", "order.not_found/hi"]));
    assert_eq!(done[4]["ok"], json!({ "keys": ["order.not_found", "order.not_found/hi"], "cursor": null }));
    assert_eq!([&done[5], &done[6]], [&json!({ "ok": null }), &json!({ "ok": null })]);
    assert_eq!(done[7]["ok"], "Hello \u{1f44b}\n");

    shell.does("message set greeting Hi");
    assert_eq!(read(&server, "greeting"), "Hi");
    let again = server.kill_and_start_again();
    assert_eq!(read(&again, "order.not_found/hi"), HINDI);
}

#[test]
fn the_sdk_says_what_is_nearest_to_a_language_in_one_call_of_the_hosts() {
    let server = Server::start(&(node("keeper", "keeper", GRANTED) + &node("bare", "keeper", "")));
    for (name, text) in
        [("a", "any"), ("a?language=hi", HINDI), ("a?language=pt-BR", "pt"), ("b?language=hi", "only hi")]
    {
        server.change("PUT", &format!("{MESSAGES}/{name}"), &json!({ "text": text }));
    }
    let say = |key: &str, language: Value| json!({ "op": "message", "key": key, "language": language });
    let operations = [
        say("a", json!("hi-IN")),
        say("a", json!("PT_br")),
        say("a", json!("pt")),
        say("a", Value::Null),
        say("b", json!("hi")),
    ];
    let answer = server.send("keeper", &plan(&json!(operations)));
    let said: Vec<Value> = results(&answer).iter().map(|result| result["ok"].clone()).collect();
    assert_eq!(said, [HINDI, "pt", "any", "any", "only hi"]);
    assert_eq!(server.record(&answer)["usage"]["kv_calls"], 3 + 3 + 2 + 1 + 2, "one for each name");

    let missing = results(&server.send("keeper", &plan(&json!([say("b", json!("de"))]))));
    assert!(missing[0]["ok"]["none"].as_str().unwrap().contains("codenode message set b TEXT"), "{missing:?}");
    let refused = results(&server.send("bare", &plan(&json!([say("a", Value::Null)]))));
    let mend = "grants = [\"kv:messages\"] in node.toml, or --grant kv:messages";
    assert_eq!(refused[0]["ok"]["none"], format!("kv:messages: it is not granted to this node: {mend}"));
}

#[test]
fn handlers_read_messages_and_never_write_them() {
    let server = server();
    server.change("PUT", &format!("{MESSAGES}/greeting"), &json!({ "text": "hello" }));
    for op in ["set", "delete", "increment", "swap", "set_many", "delete_many"] {
        let operation = json!([{
            "op": op, "bucket": "messages", "key": "greeting", "value": "x", "delta": 1, "entries": [["greeting", "x"]], "keys": ["greeting"],
        }]);
        assert_eq!(results(&server.send("keeper", &plan(&operation)))[0]["error"], "access-denied", "{op}");
    }
    assert_eq!(read(&server, "greeting"), "hello");
}

#[test]
fn messages_are_their_tenants_and_take_a_grant() {
    let of = |tenant, name: &str, grants: &str| {
        node_of(tenant, "keeper", grants).replace("nodes.keeper", &format!("nodes.{name}"))
    };
    let others = "grants = [\"kv:node\", \"kv:tenant\"]\n";
    let server =
        Server::start(&(of("acme", "ONE", GRANTED) + &of("acme", "BARE", others) + &of("other", "ONE", GRANTED)));
    server.change("PUT", &format!("{MESSAGES}/greeting"), &json!({ "text": "of acme" }));
    let read = |tenant, node, operations: Value| results(&server.send_to(tenant, node, &plan(&operations))).remove(0);
    assert_eq!(read("acme", "ONE", json!([get("greeting")]))["ok"], "of acme");
    assert_eq!(read("other", "ONE", json!([get("greeting")]))["ok"], Value::Null);
    let keys = json!([{ "op": "keys", "bucket": "messages", "cursor": null }]);
    assert_eq!(read("other", "ONE", keys)["ok"]["keys"], json!([]));
    let refused = server.send_to("acme", "BARE", &plan(&json!([get("greeting")])));
    assert_eq!(results(&refused)[0]["error"], "access-denied");
    assert_eq!(server.manage("/v1/tenants/other/messages/greeting").status, 404);
    assert_eq!(server.manage("/v1/tenants/nobody/messages").status, 404);
    assert_eq!(server.ask("PUT", "/v1/tenants/nobody/messages/a", b"{\"text\":\"x\"}").status, 404);
}

#[test]
fn of_two_edits_at_once_one_is_told_to_look_again() {
    let server = server();
    let path = format!("{MESSAGES}/greeting?language=hi");
    let first = server.ask("PUT", &path, br#"{"text":"one","description":"what we say first"}"#);
    assert_eq!((first.status, first.header("etag")), (200, Some("\"1\"")));
    let write = |text: &str| {
        let body = json!({ "text": text }).to_string();
        ask(&server, "PUT", &path, &[("content-type", "application/json"), ("if-match", "\"1\"")], &body)
    };
    let (won, lost) = (write("two"), write("three"));
    assert_eq!((won.status, won.header("etag"), lost.status), (200, Some("\"2\""), 412));
    assert!(lost.body.contains("you have seen version 1, it is at 2"), "{}", lost.body);
    let message = server.manage(&path).json();
    assert_eq!((&message["text"], &message["description"]), (&json!("two"), &json!("what we say first")));
    assert_eq!(ask(&server, "DELETE", &path, &[("if-match", "\"1\"")], "").status, 412);
    let shell = Shell::of(&server);
    shell.type_in("message set greeting four --language hi --if-version 1", b"").says_why("you have seen version 1");
    shell.does("message set greeting four --language hi --if-version 2");
    assert_eq!(read(&server, "greeting/hi"), "four");
}

#[test]
fn what_a_message_was_can_be_had_again_at_a_shell() {
    let server = server();
    let shell = Shell::of(&server);
    assert!(shell.does("message list").contains("message set KEY TEXT"));
    for text in ["one", "two"] {
        shell.does(&format!("message set greeting {text} --description for-all"));
    }
    shell.does("message set greeting ek --language hi");
    assert_eq!(shell.does("message get greeting"), "two");
    let listed = shell.json("message list g --language hi");
    assert_eq!((&listed["messages"][0]["text"], listed["messages"].as_array().unwrap().len()), (&json!("ek"), 1));
    shell.type_in("message delete greeting", b"").says_why("say --yes");
    shell.does("message delete greeting --yes");
    shell.type_in("message get greeting", b"").says_why("there is no message greeting");
    assert_eq!(read(&server, "greeting"), Value::Null);

    let versions = shell.json("message history greeting")["versions"].clone();
    let told: Vec<_> =
        versions.as_array().unwrap().iter().map(|one| (&one["version"], &one["action"], &one["text"])).collect();
    assert_eq!(
        told,
        [
            (&json!(3), &json!("delete"), &Value::Null),
            (&json!(2), &json!("set"), &json!("two")),
            (&json!(1), &json!("set"), &json!("one"))
        ]
    );
    assert!(shell.does("message history greeting --language hi").contains("operator"));
    assert_eq!(shell.does("message restore greeting 1"), "greeting is at version 4, with the text of version 1\n");
    assert_eq!(read(&server, "greeting"), "one");
    for (line, words) in [
        ("message restore greeting 9", "there is no version 9"),
        ("message restore greeting 3", "is its deletion"),
        ("message set .x y", "is no key of a message"),
        ("message set x y --language h", "is no language"),
        ("message get nothing", "there is no message nothing"),
        ("message set nothing", "the text of the message nothing is empty"),
        ("message import messages.txt", "must end in .json or .csv"),
        ("message list --tenant nobody", "there is no tenant nobody"),
    ] {
        shell.type_in(line, b"").says_why(words);
    }
    let audit = server.manage("/v1/tenants/acme/audit").json();
    assert_eq!(audit["entries"][0]["subject"], "greeting version 4 as version 1");
    assert!(!audit.to_string().contains("\"two\""), "{audit}");
}

#[test]
fn a_file_of_messages_comes_back_byte_for_byte() {
    let server = server();
    let shell = Shell::of(&server);
    let texts = [
        "=1+1",
        "+SUM(A1)",
        "-",
        "@x",
        "a,b;c\td",
        "\"quoted\"",
        "two\nlines\r\nor three",
        " spaces ",
        HINDI,
        "{name}",
        "'",
        "\\n",
    ];
    for (at, text) in texts.iter().enumerate() {
        let description = if at % 2 == 0 { text } else { "" };
        let path = format!("{MESSAGES}/k{at:02}?language=hi");
        server.change("PUT", &path, &json!({ "text": text, "description": description }));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let before = server.manage(MESSAGES).json();
    for name in ["all.csv", "all.json"] {
        let at = file(name).display().to_string();
        shell.does(&format!("message export {at}"));
        let same = shell.does(&format!("message import {at} --replace"));
        assert_eq!(same, "made 0, changed 0, deleted 0; 12 are so already\n", "{name}");
        for key in 0..texts.len() {
            shell.does(&format!("message delete k{key:02} --language hi --yes"));
        }
        shell.does("message set extra x");
        shell.type_in(&format!("message import {at} --replace"), b"").says_why("delete the messages that are not in");
        let trial = shell.json(&format!("message import {at} --replace --dry-run"));
        assert_eq!(trial, json!({ "made": 12, "changed": 0, "unchanged": 0, "deleted": 1 }));
        assert_eq!(shell.json("message list")["messages"].as_array().unwrap().len(), 1, "only told");
        assert_eq!(shell.json(&format!("message import {at} --replace --yes")), trial);
        let texts_of = |listed: &Value| -> Vec<(Value, Value, Value)> {
            let messages = listed["messages"].as_array().unwrap().iter();
            messages.map(|one| (one["key"].clone(), one["text"].clone(), one["description"].clone())).collect()
        };
        assert_eq!(texts_of(&server.manage(MESSAGES).json()), texts_of(&before), "{name}");
    }
    let csv = fs::read_to_string(file("all.csv")).unwrap();
    assert!(
        csv.starts_with("\u{feff}key,language,text,description\n") && csv.contains("\"two\nlines\r\nor three\""),
        "{csv}"
    );

    must_refuse(&shell, &file("bad.csv"), "key,text\na,b\nc d,e\n", "line 3: `c d` is no key");
    must_refuse(&shell, &file("bad.json"), r#"{"messages":[{"key":"a"}]}"#, "missing field `text`");
    assert_eq!(server.manage(&format!("{MESSAGES}/a")).status, 404, "nothing of them is there");
    let exported = server.manage(&format!("{FILE}?format=csv"));
    assert_eq!(exported.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(ask(&server, "PUT", FILE, &[("content-type", "text/plain")], "key,text\n").status, 415);
    let done = ask(&server, "PUT", FILE, &[("content-type", "Text/CSV; charset=utf-8")], "key,text\r\nfrom.csv,x\r\n");
    assert_eq!(done.json(), json!({ "made": 1, "changed": 0, "unchanged": 0, "deleted": 0 }));
}

fn must_refuse(shell: &Shell, file: &Path, text: &str, words: &str) {
    fs::write(file, text).unwrap();
    shell.type_in(&format!("message import {}", file.display()), b"").says_why(words);
}

#[test]
fn what_one_host_is_told_all_of_them_say() {
    let shared = Shared::fresh();
    let nodes = node("keeper", "keeper", GRANTED);
    let (here, there) = (shared.host_at(&shared.database, &nodes), shared.host_at(&shared.database, &nodes));
    for text in ["one", HINDI] {
        here.change("PUT", &format!("{MESSAGES}/greeting"), &json!({ "text": text }));
        assert_eq!([read(&here, "greeting"), read(&there, "greeting")], [text, text]);
    }
}

#[test]
fn a_run_by_hand_says_what_a_file_says() {
    let (shell, folder) = (Shell::new(), tempfile::tempdir().unwrap());
    let file = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let events = file("event.json", &plan(&json!([get("greeting/hi")])));
    let run = |more: &str| format!("run {} --event {events} {more}", guest("keeper").display());
    let csv = file("messages.csv", format!("key,language,text\ngreeting,HI,{HINDI}\n").as_bytes());
    let said = shell.json(&run(&format!("--grant kv:messages --messages {csv}")));
    assert_eq!(said["outcome"]["reply"]["response"][0], json!([{ "ok": HINDI }]).to_string());
    let said = shell.json(&run("--grant kv:messages"));
    assert_eq!(said["outcome"]["reply"]["response"][0], json!([{ "ok": null }]).to_string());
    shell.type_in(&run(&format!("--messages {csv}")), b"").says_why("say --grant kv:messages too");
    let bad = file("bad.csv", b"key,text\nx\n");
    shell.type_in(&run(&format!("--grant kv:messages --messages {bad}")), b"").says_why("line 2");
    shell.type_in(&run("--grant kv:messages=write"), b"").exits(2);
}
