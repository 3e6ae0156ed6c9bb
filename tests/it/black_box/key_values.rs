//! What handlers keep: who sees it and when, for how long, how much of it, and on which host.

use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::hosts::{Cable, Shared};
use super::http::Answer;
use super::server::{Server, event, guest, node, node_of};
use super::shell::Shell;

const ALL: &str = "grants = [\"kv:node\", \"kv:tenant\"]\n";

/// A server whose node `keeper` may open both buckets.
fn server() -> Server {
    server_with("", "")
}

/// The same, with further keys for the node and further sections.
fn server_with(keys: &str, sections: &str) -> Server {
    Server::start(&(node("keeper", "keeper", &format!("{ALL}{keys}")) + sections))
}

fn plan(plan: &Value) -> Vec<u8> {
    event("plan", &plan.to_string())
}

/// What became of each operation.
fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(answer.json()["response"][0].as_str().unwrap()).unwrap()
}

fn run(server: &Server, operations: &Value) -> Vec<Value> {
    results(&server.send("keeper", &plan(operations)))
}

fn set(key: &str, value: &str) -> Value {
    json!({ "op": "set", "bucket": "node", "key": key, "value": value })
}

fn get(key: &str) -> Value {
    json!({ "op": "get", "bucket": "node", "key": key })
}

fn increment(key: &str) -> Value {
    json!({ "op": "increment", "bucket": "node", "key": key, "delta": 1 })
}

fn ok(value: &Value) -> Value {
    json!({ "ok": value })
}

/// The value of a key of the node's, as the next run finds it.
fn kept(server: &Server, key: &str) -> Value {
    run(server, &json!([get(key)]))[0]["ok"].clone()
}

#[test]
fn what_a_run_writes_it_sees_at_once_and_others_see_after_it() {
    let server = server();
    let none = Value::Null;
    let operations = json!([
        get("a"), set("a", "1 ü \u{0}"), get("a"), set("b", "x"), { "op": "exists", "bucket": "node", "key": "b" },
        { "op": "keys", "bucket": "node", "cursor": null }, { "op": "delete", "bucket": "node", "key": "b" }, get("b"),
        { "op": "set_many", "bucket": "node", "entries": [["c", "2"], ["d", "3"]] },
        { "op": "get_many", "bucket": "node", "keys": ["c", "nothing", "a"] },
        { "op": "delete_many", "bucket": "node", "keys": ["d", "never"] },
    ]);
    let done = run(&server, &operations);
    assert_eq!(done[2], ok(&json!("1 ü \u{0}")));
    assert_eq!((&done[0], &done[4], &done[7]), (&ok(&none), &ok(&json!(true)), &ok(&none)));
    assert_eq!(done[5]["ok"], json!({ "keys": ["a", "b"], "cursor": null }));
    assert_eq!(done[9]["ok"], json!([["c", "2"], null, ["a", "1 ü \u{0}"]]));
    assert_eq!(
        [kept(&server, "a"), kept(&server, "b"), kept(&server, "c"), kept(&server, "d")],
        [json!("1 ü \u{0}"), none.clone(), json!("2"), none]
    );

    let again = server.kill_and_start_again();
    assert_eq!(kept(&again, "c"), "2", "and after a restart");
}

#[test]
fn a_run_that_breaks_leaves_nothing_but_what_it_did_at_once() {
    let server = server();
    for end in ["break", "error"] {
        let broken = server.send("keeper", &plan(&json!([set("a", "1"), increment("tries"), { "op": end }])));
        assert_eq!(broken.status, 502, "{}", broken.body);
    }
    assert_eq!((kept(&server, "a"), kept(&server, "tries")), (Value::Null, json!("2")));

    let written_before = json!([set("n", "40"), increment("n"), { "op": "break" }]);
    assert_eq!(server.send("keeper", &plan(&written_before)).status, 502);
    assert_eq!(kept(&server, "n"), "41", "what is added to is kept with the sum");
}

#[test]
fn a_bucket_is_its_nodes_or_its_tenants_and_nobody_elses() {
    let of = |tenant, name: &str, grants: &str| {
        node_of(tenant, "keeper", grants).replace("nodes.keeper", &format!("nodes.{name}"))
    };
    let read = "grants = [\"kv:node\", \"kv:tenant read\"]\n";
    let server = Server::start(
        &(of("acme", "ONE", ALL) + &of("acme", "TWO", read) + &of("other", "ONE", ALL) + &of("acme", "BARE", "")),
    );
    let run = |tenant, node, operations: &Value| results(&server.send_to(tenant, node, &plan(operations)));
    let in_tenant = |op: &str| json!({ "op": op, "bucket": "tenant", "key": "k", "value": "shared", "delta": 1 });
    run("acme", "ONE", &json!([set("k", "own"), in_tenant("set")]));
    assert_eq!(run("acme", "TWO", &json!([get("k"), in_tenant("get")])), [ok(&Value::Null), ok(&json!("shared"))]);
    assert_eq!(run("other", "ONE", &json!([get("k"), in_tenant("get")])), [ok(&Value::Null), ok(&Value::Null)]);
    for op in ["set", "delete", "increment", "swap"] {
        assert_eq!(run("acme", "TWO", &json!([in_tenant(op)]))[0]["error"], "access-denied", "{op}");
    }
    let others = ["node", "tenant"].map(|bucket| json!({ "op": "get", "bucket": bucket, "key": "k" }));
    for refused in run("acme", "BARE", &json!(others)) {
        assert_eq!(refused["error"], "access-denied");
    }
    for name in ["", "default", "acme/ONE", "node/ONE", "../ONE", "NODE"] {
        let operation = json!([{ "op": "get", "bucket": name, "key": "k" }]);
        assert_eq!(run("acme", "ONE", &operation)[0]["error"], "no-such-store", "{name}");
    }
}

#[test]
fn an_entry_is_kept_for_as_long_as_its_key_says() {
    let server = server();
    let first = json!([
        set("otp?ttl=1", "1"),
        set("stays", "1"),
        increment("tries?ttl=4"),
        increment("tries?ttl=3600"),
        get("otp"),
    ]);
    assert_eq!(run(&server, &first)[4], ok(&json!("1")));
    server.wait_for("its time to be over", || kept(&server, "otp").is_null().then_some(()));
    server.wait_for("its time to be over", || kept(&server, "tries").is_null().then_some(()));
    assert_eq!(kept(&server, "stays"), "1");
    assert_eq!(run(&server, &json!([increment("tries")]))[0], ok(&json!(1)), "it begins anew");
    for key in ["a?ttl=0", "a?ttl=-1", "a?ttl=18446744073709551615", "a?ttl=1h", "?ttl=5", ""] {
        let refused = run(&server, &json!([set(key, "x")]));
        assert_eq!(refused[0]["error"], "other", "{key}: {refused:?}");
    }
    assert_eq!(run(&server, &json!([get("otp?ttl=5")]))[0]["error"], "other");
}

#[test]
fn an_entry_is_swapped_only_if_it_is_as_it_was_seen() {
    let server = server();
    let swap = |value: &str| json!({ "op": "swap", "bucket": "node", "key": "k", "value": value });
    assert_eq!(run(&server, &json!([swap("1")]))[0]["ok"], json!({ "seen": null, "swapped": true }));
    assert_eq!(run(&server, &json!([swap("2")]))[0]["ok"], json!({ "seen": "1", "swapped": true }));
    let between = json!([{
        "op": "swap_after", "bucket": "node", "key": "k", "value": "late", "plan": [increment("k")],
    }]);
    let late = run(&server, &between)[0]["ok"].clone();
    assert_eq!((&late["seen"], &late["swapped"], &late["now"]), (&json!("2"), &json!(false), &json!("3")));
    assert_eq!(kept(&server, "k"), "3");
}

#[test]
fn what_a_run_may_do_is_bounded() {
    let limits = "limits = { kv_calls = 20, kv_data = \"600 KiB\" }\n";
    let server = server_with(limits, "[tenants.acme]\nquota = { kv_keys = 3, kv_size = \"1 MiB\" }\n");
    let refused = |operation: Value| {
        let result = run(&server, &json!([operation])).remove(0);
        assert_eq!(result["error"], "other", "{result}");
        result["text"].as_str().unwrap().to_owned()
    };
    let bytes = |key: &str, bytes: u32| json!({ "op": "value_bytes", "bucket": "node", "key": key, "bytes": bytes });
    assert!(refused(set(&"k".repeat(513), "x")).contains("the most is 512"));
    assert!(refused(set("a\u{0}b", "x")).contains("NUL"));
    assert!(refused(bytes("large", (256 << 10) + 1)).contains("the most is 256.0 KiB"));
    assert_eq!(run(&server, &json!([bytes("large", 256 << 10)]))[0]["ok"], Value::Null);
    let many = run(&server, &json!([bytes("large", 200 << 10), bytes("large", 200 << 10), bytes("large", 200 << 10)]));
    assert!(many[2]["text"].as_str().unwrap().contains("more than 600.0 KiB"), "{many:?}");

    let endless = server.send("keeper", &plan(&json!([{ "op": "repeat", "times": 21, "plan": [get("a")] }])));
    let record = server.record(&endless);
    assert_eq!((&record["cause"], &record["usage"]["kv_calls"]), (&json!("too_many_calls"), &json!(21)));
    assert!(record["detail"].as_str().unwrap().contains("more than 20 key-value operations"), "{record}");

    run(&server, &json!([set("one", "1"), set("two", "2")]));
    assert!(refused(set("three", "3")).contains("its quota is 3"), "with `large` there are three");
    assert_eq!(
        run(&server, &json!([set("one", "3"), increment("two")]))[1],
        ok(&json!(3)),
        "what is there can be changed"
    );
    run(&server, &json!([{ "op": "delete", "bucket": "node", "key": "large" }]));
    server.wait_for("room", || run(&server, &json!([set("three", "3")]))[0].get("ok").map(|_| ()));
}

#[test]
fn keys_are_listed_page_by_page_with_what_the_run_has_changed() {
    let server = server_with("limits = { kv_calls = 1000 }\n", "");
    let entries: Vec<Value> = (0..150).map(|at| json!([format!("k{at:03}"), "x"])).collect();
    run(&server, &json!([{ "op": "set_many", "bucket": "node", "entries": entries }]));
    let page = |cursor: &Value| json!({ "op": "keys", "bucket": "node", "cursor": cursor });
    let changed = json!([set("k0995", "new"), set("zz", "new"), { "op": "delete", "bucket": "node", "key": "k001" },
        page(&Value::Null), page(&json!("k099")), page(&json!("no such key"))]);
    let listed = run(&server, &changed);
    let keys = |at: usize| listed[at]["ok"]["keys"].as_array().unwrap().clone();
    assert_eq!((keys(3).len(), &listed[3]["ok"]["cursor"]), (99, &json!("k099")));
    assert!(!keys(3).contains(&json!("k001")) && !keys(3).contains(&json!("zz")));
    assert_eq!((keys(4).len(), &keys(4)[0], &keys(4)[51]), (52, &json!("k0995"), &json!("zz")));
    assert_eq!((&listed[4]["ok"]["cursor"], keys(5)), (&Value::Null, vec![json!("zz")]));
}

#[test]
fn increments_of_many_runs_at_once_sum_up_on_one_host_and_on_two() {
    /// As many as a slow disk keeps within their wall time.
    const AT_ONCE: usize = 16;
    const WAVES: usize = 4;
    let operations = plan(&json!([{ "op": "repeat", "times": 100, "plan": [increment("sum")] }]));
    let nodes = node("keeper", "keeper", &format!("{ALL}limits = {{ wall_time = \"28s\" }}\n"));
    let shared = Shared::fresh();
    let on_postgresql = [shared.host_at(&shared.database, &nodes), shared.host_at(&shared.database, &nodes)];
    let on_sqlite = [Server::start(&nodes)];
    for hosts in [on_sqlite.as_slice(), on_postgresql.as_slice()] {
        for _ in 0..WAVES {
            thread::scope(|scope| {
                for at in 0..AT_ONCE {
                    let (host, operations) = (&hosts[at % hosts.len()], &operations);
                    scope.spawn(move || assert_eq!(host.send("keeper", operations).status, 200));
                }
            });
        }
        for host in hosts {
            assert_eq!(kept(host, "sum"), (WAVES * AT_ONCE * 100).to_string());
        }
    }
}

#[test]
fn a_run_whose_writes_cannot_be_kept_does_not_reply() {
    let shared = Shared::fresh();
    let cable = Cable::to(&shared.database);
    let host = shared.host_at(&cable.url, &node("keeper", "keeper", ALL));
    run(&host, &json!([set("a", "1")]));

    cable.cut();
    let cut = Instant::now();
    let unkept = host.send("keeper", &plan(&json!([set("a", "2")])));
    assert_eq!((unkept.status, unkept.cause()), (503, Some("unavailable")), "{}", unkept.body);
    let unread = run(&host, &json!([get("a"), increment("n")]));
    for refused in unread {
        assert_eq!((&refused["error"], &refused["text"]), (&json!("other"), &json!("the store does not answer now")));
    }
    assert_eq!(run(&host, &json!([])), Vec::<Value>::new(), "who keeps nothing is served");

    let warnings = host.log_lines("what handlers keep cannot be reached").len();
    assert!((1..=1 + cut.elapsed().as_secs() / 10).contains(&(warnings as u64)), "{warnings}, however often they ask");

    cable.mend();
    let found = host.wait_for("the store", || run(&host, &json!([get("a")]))[0].get("ok").cloned());
    assert_eq!(found, "1");
    let record = host.record(&unkept);
    let detail = record["detail"].as_str().unwrap();
    assert!(detail.starts_with("what the handler wrote could not be kept"), "{detail}");
}

#[test]
fn entries_are_read_and_set_at_a_shell() {
    let server = server();
    let shell = Shell::of(&server);
    let at = "--node keeper";
    run(&server, &json!([set("greeting", "hello ü"), increment("n"), set("going?ttl=3600", "x")]));
    assert_eq!(shell.does(&format!("kv get greeting {at}")), "hello ü");
    assert_eq!(shell.does(&format!("kv list {at} g")), "going\ngreeting\n");
    assert_eq!(shell.json(&format!("kv list n {at}")), json!({ "keys": ["n"] }));

    shell.does(&format!("kv set greeting hi {at}"));
    shell.type_in(&format!("kv set bytes {at}"), &[0xff, 0, 0x0a]).exits(0);
    shell.does(&format!("kv set code 123456 --ttl 5m {at}"));
    assert_eq!(kept(&server, "greeting"), "hi");
    assert_eq!(shell.json(&format!("kv get bytes {at}"))["value"]["base64"], "/wAK");
    let code = shell.json(&format!("kv get code {at}"));
    assert!(code["value"]["text"] == "123456" && code["expires_at"].is_string(), "{code}");

    shell.does("kv set greeting shared");
    let both = json!([get("greeting"), { "op": "get", "bucket": "tenant", "key": "greeting" }]);
    assert_eq!(run(&server, &both), [ok(&json!("hi")), ok(&json!("shared"))]);
    shell.does(&format!("kv delete greeting --yes {at}"));
    assert_eq!(run(&server, &both), [ok(&Value::Null), ok(&json!("shared"))]);

    let usage = server.manage("/v1/tenants/acme/usage").json();
    assert_eq!(usage["kv_keys"], 5, "n, going, bytes, code and the shared greeting: {usage}");
    let audit = server.manage("/v1/tenants/acme/audit").json();
    assert_eq!(audit["entries"][0]["action"], "entry.delete");
    assert!(!audit.to_string().contains("123456"), "{audit}");
    for (line, words) in [
        ("kv get nothing --node keeper", "there is no entry nothing"),
        ("kv delete nothing --yes --node keeper", "there is no node/keeper entry nothing"),
        ("kv get greeting --node NOBODY", "there is no node NOBODY"),
        ("kv set a?ttl=5 x --node keeper", "a key cannot hold `?ttl=`"),
        ("kv set a x --ttl 1ms --node keeper", "`ttl` must be from 1s"),
        ("kv get greeting --tenant nobody", "there is no tenant nobody"),
    ] {
        shell.type_in(line, b"").says_why(words);
    }
    let large = vec![b'x'; (256 << 10) + 1];
    shell.type_in(&format!("kv set large {at}"), &large).says_why("the most is 262144");
}

#[test]
fn a_run_by_hand_keeps_what_it_is_told_to_and_where() {
    let (shell, folder) = (Shell::new(), tempfile::tempdir().unwrap());
    let events = folder.path().join("event.json");
    std::fs::write(&events, plan(&json!([increment("n")]))).unwrap();
    let run = |more: &str| {
        let line = format!("run {} --event {} --grant kv:node {more}", guest("keeper").display(), events.display());
        shell.json(&line)["outcome"]["reply"]["response"][0].as_str().unwrap().to_owned()
    };
    let entries = format!("--entries {}", folder.path().join("entries").display());
    assert_eq!(
        [run(""), run(""), run(&entries), run(&entries)],
        [r#"[{"ok":1}]"#, r#"[{"ok":1}]"#, r#"[{"ok":1}]"#, r#"[{"ok":2}]"#]
    );
}
