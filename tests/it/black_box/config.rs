//! What people set for handlers: which value is read, by whom, from when on, and what becomes of secrets.

use std::fs;

use serde_json::{Value, json};

use super::hosts::{NODE, Shared, deploy};
use super::http::{self, Answer};
use super::server::{SECRET, Server, event, event_of, guest, node};
use super::shell::Shell;

const KEY: &str = "s3cret+of/theirs=";

/// A server with a node `N` that is granted this, and somebody who may do everything there.
fn server(grants: &str) -> (Server, Shell) {
    let server = Server::start("");
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    make_node(&shell, "N", grants);
    (server, shell)
}

fn make_node(shell: &Shell, name: &str, flags: &str) {
    shell.does(&format!("node create {name}"));
    shell.type_in(&format!("secret set {name}"), SECRET.as_bytes()).exits(0);
    shell.does(&deploy_line(name, flags));
}

fn deploy_line(name: &str, flags: &str) -> String {
    format!("deploy {} --node {name} {flags}", guest("configured").display())
}

fn set_secret(shell: &Shell, key: &str, secret: &str) {
    shell.type_in(&format!("config set {key} --secret"), secret.as_bytes()).exits(0);
}

/// What the handler says.
fn told(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(answer.json()["response"][0].as_str().unwrap()).unwrap()
}

/// What a node reads under these keys.
fn read(server: &Server, node: &str, keys: &[&str]) -> Value {
    told(&server.send(node, &event("keys", &json!(keys).to_string())))
}

fn read_all(server: &Server, node: &str) -> Value {
    told(&server.send(node, &event("none", "")))
}

#[test]
fn a_revision_s_value_goes_before_the_node_s_and_that_before_the_tenant_s() {
    let (server, shell) = server("--grant config");
    make_node(&shell, "M", "--grant config");
    assert_eq!(read_all(&server, "N"), json!({}));
    shell.does("config set shop Corner");
    shell.does("config set most 25 --type number");
    shell.does("config set open true --type boolean");
    shell.type_in("config set days --type json -- [\"mon\",{\"tue\":null}]", b"").exits(0);
    let of_all = json!({ "shop": "Corner", "most": "25", "open": "true", "days": "[\"mon\",{\"tue\":null}]" });
    assert_eq!((read_all(&server, "N"), read_all(&server, "M")), (of_all.clone(), of_all));
    shell.does("config set most 3 --type number --node N");
    assert_eq!(read(&server, "N", &["most", "shop", "nothing", "no key"]), json!(["3", "Corner", null, null]));
    assert_eq!(read(&server, "M", &["most"]), json!(["25"]));
    shell.does(&deploy_line("N", "--grant config --config most:=1 --config shop=Own"));
    assert_eq!(read(&server, "N", &["most", "shop", "open"]), json!(["1", "Own", "true"]));
    assert_eq!(read_all(&server, "N")["most"], "1");
    shell.does("rollback N");
    assert_eq!(read(&server, "N", &["most"]), json!(["3"]));
    shell.does("config delete most --node N --yes");
    assert_eq!(read(&server, "N", &["most"]), json!(["25"]));
    shell.does("config delete most --yes");
    assert_eq!(read(&server, "N", &["most"]), json!([null]));
    let again = server.kill_and_start_again();
    assert_eq!(read(&again, "N", &["shop", "open"]), json!(["Corner", "true"]));
}

#[test]
fn what_is_set_is_typed_where_people_look_at_it() {
    let (server, shell) = server("--grant config");
    shell.does("config set most 25 --type number");
    shell.does("config set zip 00801");
    set_secret(&shell, "signing_key", KEY);
    let listed = shell.type_in("config list --json", b"").exits(0).json()["config"].clone();
    let shown = |at: usize| (listed[at]["key"].clone(), listed[at]["value"].clone());
    assert_eq!(shown(0), (json!("most"), json!(25)));
    assert_eq!(shown(1), (json!("signing_key"), Value::Null));
    assert_eq!(shown(2), (json!("zip"), json!("00801")));
    assert_eq!(shell.does("config get zip").trim(), "00801");
    let table = shell.does("config list");
    assert!(table.contains("(secret)") && table.contains("00801") && !table.contains(KEY), "{table}");
    let path = "/v1/tenants/acme/config/most";
    let tag = server.manage(path);
    assert_eq!(tag.header("etag"), Some("\"1\""));
    shell.does("config set most 26 --type number");
    let token = server.authorization();
    let headers = [("authorization", token.as_str()), ("content-type", "application/json"), ("if-match", "\"1\"")];
    let request = http::request("PUT", path, &headers, br#"{"value": 27}"#);
    let late = http::exchange(server.management, &request).expect("an answer");
    assert_eq!(late.status, 412, "{}", late.body);
    assert_eq!(server.manage(path).json()["value"], 26);
}

#[test]
fn what_is_not_granted_is_not_there() {
    let (server, shell) = server("");
    shell.does("config set shop Corner");
    set_secret(&shell, "signing_key", KEY);
    set_secret(&shell, "other_key", KEY);
    let keys = ["shop", "signing_key", "other_key", "nothing"];
    assert_eq!(read(&server, "N", &keys), json!([null, null, null, null]));
    assert_eq!(read_all(&server, "N"), json!({}));
    shell.does(&deploy_line("N", "--grant config"));
    assert_eq!(read(&server, "N", &keys), json!(["Corner", null, null, null]));
    shell.does(&deploy_line("N", "--grant secret:signing_key"));
    assert_eq!(read(&server, "N", &keys), json!([null, KEY, null, null]));
    assert_eq!(read_all(&server, "N"), json!({}));
    shell.does(&deploy_line("N", "--grant config --grant secret:signing_key"));
    assert_eq!(read_all(&server, "N"), json!({ "shop": "Corner" }), "no secret comes unasked");
    // A node's secret stands before the tenant's value, granted or not.
    shell.type_in("config set shop --secret --node N", KEY.as_bytes()).exits(0);
    assert_eq!((read(&server, "N", &["shop"]), read_all(&server, "N")), (json!([null]), json!({})));
}

#[test]
fn a_grant_of_a_secret_that_is_not_set_is_told_before_it_serves() {
    let (_server, shell) = server("");
    let granted = deploy_line("N", "--grant secret:signing_key");
    let why = "granted the secret signing_key, and there is none of that name: set it first";
    shell.type_in(&granted, b"").says_why(why);
    shell.does("config set signing_key open");
    shell.type_in(&granted, b"").says_why(why);
    set_secret(&shell, "signing_key", KEY);
    shell.does(&granted);
}

#[test]
fn a_secret_that_a_handler_betrays_is_in_no_record() {
    let (server, shell) = server("");
    let lines = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhki\n-----END KEY-----";
    set_secret(&shell, "signing_key", KEY);
    set_secret(&shell, "pem", lines);
    shell.does(&deploy_line("N", "--grant secret:signing_key --grant secret:pem"));
    let keys = json!(["signing_key", "pem"]).to_string();
    let replied = server.send("N", &event("keys", &keys));
    assert!(replied.body.contains(KEY), "the platform gets the reply as it is");
    let betrayal = event_of(&[("keys", &keys), ("betray", "yes")]);
    let broken = server.send("N", &betrayal);
    assert_eq!((broken.status, broken.cause()), (502, Some("exception")));
    let tried = shell.type_in("try N --json --event -", &betrayal).exits(1);
    for shown in
        [server.record(&replied).to_string(), server.record(&broken).to_string(), tried.out(), shell.does("logs N")]
    {
        assert!(shown.contains("[redacted]") && !shown.contains(KEY) && !shown.contains("MIIEvQ"), "{shown}");
    }
    // What it was a moment ago is as secret.
    let old = server.send("N", &event("keys", &keys));
    set_secret(&shell, "signing_key", "another key");
    assert!(!server.record(&old).to_string().contains(KEY));
    assert_eq!(read(&server, "N", &["signing_key"]), json!(["another key"]));
}

#[test]
fn nobody_reads_a_secret_back() {
    let (server, shell) = server("");
    set_secret(&shell, "signing_key", KEY);
    shell.type_in("config get signing_key", b"").says_why("is secret: nobody reads it back");
    for path in ["config", "config/signing_key", "audit"] {
        let shown = server.manage(&format!("/v1/tenants/acme/{path}"));
        assert!(shown.status == 200 && !shown.body.contains(KEY), "{}", shown.body);
    }
    assert!(!server.log_lines("").iter().any(|line| line.to_string().contains(KEY)));
    shell.does("config set signing_key open");
    assert_eq!(shell.does("config get signing_key").trim(), "open", "it can be set anew as something else");
}

#[test]
fn a_tenant_s_values_are_its_own_and_go_with_their_node() {
    let (server, shell) = server("--grant config");
    let other = Shell::of(&server).with("CODENODE_TENANT", "other");
    other.does("tenant create other");
    make_node(&other, "N", "--grant config");
    shell.does("config set shop Corner");
    shell.does("config set shop Node --node N");
    assert_eq!(told(&server.send_to("other", "N", &event("none", ""))), json!({}));
    shell.does("node delete N --yes");
    make_node(&shell, "N", "--grant config");
    assert_eq!(read(&server, "N", &["shop"]), json!(["Corner"]), "a node of the same name begins anew");
}

#[test]
fn what_cannot_be_set_says_what_to_do() {
    let (server, shell) = server("");
    for (line, typed, why) in [
        ("config set shop", "", "required"),
        ("config set a/b x", "", "is no key of a handler's configuration"),
        ("config set most many --type number", "", "is not JSON: without --type it is a text"),
        ("config set most true --type number", "", "is not a number: without --type it is a text"),
        ("config set open 1 --type boolean", "", "is not true or false"),
        ("config set open null --type json", "", "`null` is no value: delete the key"),
        ("config set signing_key --secret", "short", "give it 8 at the least"),
        ("config set shop x --node NONE", "", "there is no node NONE"),
        ("config list --node NONE", "", "there is no node NONE"),
        ("config get nothing", "", "there is no value nothing"),
        ("config delete nothing --yes", "", "there is no value nothing"),
        (&deploy_line("N", "--config most=1"), "", "would be read by nobody: grant `config` too"),
        (&deploy_line("N", "--grant config --config most"), "", "write it as KEY=TEXT"),
        (&deploy_line("N", "--grant config --config most:=x"), "", "is not JSON"),
        (&deploy_line("N", "--grant config --config a=1 --config a=2"), "", "set twice"),
    ] {
        shell.type_in(line, typed.as_bytes()).says_why(why);
    }
    let path = "/v1/tenants/acme/config/shop";
    for body in [r#"{"value": null}"#, r#"{"secret": "short"}"#, r#"{"value": 1, "secret": "long enough"}"#, "{}", "[]"]
    {
        assert_eq!(server.ask("PUT", path, body.as_bytes()).status, 400, "{body}");
    }
    let long = json!({ "value": "x".repeat(8 << 10) }).to_string();
    let refused = server.ask("PUT", path, long.as_bytes());
    assert!(refused.status == 400 && refused.body.contains("the most is 8192"), "{}", refused.body);
}

#[test]
fn asking_for_ever_is_too_many_calls() {
    let (server, shell) = server("");
    shell.does(&deploy_line("N", "--grant config --limit host_calls=100"));
    let within = server.send("N", &event_of(&[("keys", "[\"a\"]"), ("calls", "90")]));
    assert_eq!(within.status, 200, "{}", within.body);
    let beyond = server.send("N", &event_of(&[("keys", "[\"a\"]"), ("calls", "200")]));
    assert_eq!(beyond.cause(), Some("too_many_calls"));
}

#[test]
fn what_is_set_on_one_host_is_read_on_every_host() {
    let shared = Shared::fresh();
    let (one, two) = (shared.host_at(&shared.database, ""), shared.host_at(&shared.database, ""));
    deploy(&one, &["configured"]);
    let artifact = one.manage(&format!("{NODE}/revisions/1")).json()["artifact"].clone();
    let granted = json!({ "artifact": artifact, "settings": { "grants": ["config"] } });
    one.change("POST", &format!("{NODE}/revisions"), &granted);
    one.change("POST", &format!("{NODE}/promote"), &json!({ "revision": 2, "grants": ["config"] }));
    for (host, value) in [(&one, "first"), (&two, "second")] {
        host.change("PUT", "/v1/tenants/acme/config/shop", &json!({ "value": value }));
        for host in [&one, &two] {
            host.wait_for("the value", || {
                let answer = host.send("N", &event("keys", "[\"shop\"]"));
                (answer.status == 200 && told(&answer) == json!([value])).then_some(())
            });
        }
    }
}

#[test]
fn a_node_of_the_file_has_its_configuration_there() {
    let more = "grants = [\"config\", \"secret:signing_key\"]\n\
        [tenants.acme.nodes.N.config]\nshop = \"Corner\"\nmost = 25\nopen = true\nrate = 1.5\n\
        [tenants.acme.nodes.N.config_secrets]\nsigning_key = \"s3cret of theirs\"\n";
    let server = Server::start(&node("N", "configured", more));
    assert_eq!(read_all(&server, "N"), json!({ "shop": "Corner", "most": "25", "open": "true", "rate": "1.5" }));
    let answer = server.send("N", &event("keys", "[\"signing_key\"]"));
    assert_eq!(told(&answer), json!(["s3cret of theirs"]));
    let record = server.record(&answer).to_string();
    assert!(record.contains("[redacted]") && !record.contains("of theirs"), "{record}");
}

#[test]
fn a_run_without_a_server_reads_a_file() {
    let shell = Shell::new();
    let file = shell.home.path().join("config.toml");
    let run = format!("run {} --event - --json", guest("configured").display());
    let granted = format!("{run} --grant config --grant secret:signing_key");
    let event = event("keys", "[\"shop\", \"days\", \"signing_key\"]");
    let with_file = format!("{granted} --config {}", file.display());
    shell.type_in(&granted, &event).says_why("secret:signing_key takes --config FILE");
    shell.type_in(&with_file, &event).says_why("config.toml: cannot be read");
    fs::write(&file, "[config_secrets]\nsigning_key = \"short\"\n").unwrap();
    shell.type_in(&with_file, &event).says_why("give it 8 at the least");
    fs::write(&file, "[values]\n").unwrap();
    shell.type_in(&with_file, &event).says_why("`values` is unknown");
    let text = format!("[config]\nshop = \"Corner\"\ndays = '[\"mon\"]'\n[config_secrets]\nsigning_key = {KEY:?}\n");
    fs::write(&file, text).unwrap();
    let out = shell.type_in(&with_file, &event).exits(0).out();
    assert!(out.contains("Corner") && out.contains("mon") && out.contains("[redacted]") && !out.contains(KEY), "{out}");
    let ungranted = format!("{run} --config {}", file.display());
    shell.type_in(&ungranted, &event).says_why("nothing reads the configuration");
}
