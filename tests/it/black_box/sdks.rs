//! What is built with the SDKs: the same node in each language, everything that a node may be granted, and guests of earlier releases.

use std::path::Path;

use serde_json::{Value, json};

use super::server::{SECRET, Server, event, event_of, fixture, guest};
use super::service::{Service, response};
use super::shell::Shell;

const EVENTS: [&str; 5] =
    ["full_2021.json", "many_entities.json", "minimal_2018.json", "no_entities.json", "step_2023.json"];

/// What an SDK says of a bucket that was not granted.
const NOT_GRANTED: &str =
    "kv:tenant: it is not granted to this node: grants = [\"kv:tenant\"] in node.toml, or --grant kv:tenant";

const GRANTS: &str = "--grant kv:node --grant kv:messages --grant config";

/// A server whose compiled code outlives it, for that of CPython takes longer to make than all else here; and somebody who may do everything there.
fn server() -> (Server, Shell) {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdks");
    let sections =
        format!("[sandbox]\ncache_directory = {cache:?}\n[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n");
    let server = Server::start(&sections);
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    (server, shell)
}

/// A node of its own for a guest.
fn deploy(shell: &Shell, node: &str, name: &str, flags: &str) {
    shell.does(&format!("node create {node}"));
    shell.type_in(&format!("secret set {node}"), SECRET.as_bytes()).exits(0);
    shell.does(&format!("deploy {} --node {node} {flags}", guest(name).display()));
}

fn said(server: &Server, node: &str, event: &[u8]) -> String {
    let answer = server.send(node, event);
    assert_eq!(answer.status, 200, "{node}: {} {}", answer.body, server.record(&answer));
    let reply = answer.json();
    let messages: Vec<&str> = reply["response"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    messages.join(" | ")
}

#[test]
fn a_node_answers_the_same_in_every_language() {
    let (server, shell) = server();
    for (node, name) in [("RUST", "product-price"), ("PYTHON", "product-price-py"), ("JAVASCRIPT", "product-price-js")]
    {
        deploy(&shell, node, name, "");
    }
    let asked = ["speaker", "powerbank", "हाथी 😊", ""].map(|product| event("product_name", product));
    for event in asked.into_iter().chain(EVENTS.map(fixture)) {
        let [rust, python, javascript] = ["RUST", "PYTHON", "JAVASCRIPT"].map(|node| server.send(node, &event));
        assert_eq!((rust.status, &rust.body), (200, &python.body));
        assert_eq!(rust.body, javascript.body);
    }
}

#[test]
fn everything_that_is_granted_works_from_python() {
    let (server, shell) = server();
    let service = Service::http(|request| {
        let line = request.head.lines().next().unwrap_or_default();
        match line.split_once("id=").map(|(_, id)| &id[..1]) {
            Some("1") => response(200, "", b"packed"),
            Some(_) => response(200, "", b"sent"),
            None => response(503, "", b"closed"),
        }
    });
    set_up(&shell);
    deploy(&shell, "N", "capable-py", &format!("{GRANTS} --grant http:http://{}", service.address));
    let says = |what: &str| said(&server, "N", &asking(what, &service));
    assert_eq!(says("keep"), r#"71 2 ['last', 'order', 'visits'] [b'{"id": 71}', None] x"#);
    assert!(says("keep").starts_with("71 4 "));
    assert_eq!(says("ask"), "packed | sent");
    assert_eq!(says("know"), "Asha 5 ['orders.shown', 'shop.name']");
    assert_eq!(says("code"), "True");
    assert_eq!(says("refuse"), NOT_GRANTED);
    assert_ne!(says("roll"), says("roll"));
    works_alike(&server, &service, ["visits of u1", "shop: from logging", "from print"]);
    let (cause, detail, log) = broken(&server, &asking("break_off", &service));
    assert_eq!(
        (cause.as_str(), detail.as_str()),
        ("exception", "shop.py:7 in share: ZeroDivisionError: division by zero")
    );
    assert!(log.contains("return Reply(str(whole // parts))") && log.contains("main.py"), "{log}");
    assert!(!log.contains("codenode/"), "only the author's own lines: {log}");
    deploy(&shell, "BARE", "capable-py", "");
    let grant = format!("grants = [\"http:http://{}\"] in node.toml", service.address);
    let refused = said(&server, "BARE", &asking("ask", &service));
    assert!(refused.starts_with("GET http://") && refused.contains(&grant) && !refused.contains("id="), "{refused}");
    let (cause, detail, _) = broken(&server, &asking("halve", &service));
    assert_eq!(cause, "exception");
    assert!(detail.starts_with("the reply is no valid text: "), "{detail}");
    let (cause, detail, _) = broken(&server, &asking("depend", &service));
    assert_eq!(cause, "upstream_failed");
    assert!(detail.ends_with("Status: the service answered with status 503: closed"), "{detail}");
}

#[test]
fn everything_that_is_granted_works_from_javascript() {
    let (server, shell) = server();
    let nobody = Service::http(|_| response(200, "", b""));
    set_up(&shell);
    deploy(&shell, "N", "capable-js", GRANTS);
    let says = |what: &str| said(&server, "N", &asking(what, &nobody));
    assert_eq!(says("keep"), r#"[{"id":71},2,["last","order","visits"],[9,null],"x"]"#);
    assert!(says("keep").starts_with(r#"[{"id":71},4,"#));
    assert_eq!(says("know"), "Asha 5 orders.shown,shop.name");
    assert_eq!(says("code"), "true");
    assert_eq!(says("refuse"), format!("refused: {NOT_GRANTED}"));
    assert_ne!(says("roll"), says("roll"));
    works_alike(&server, &nobody, ["visits of u1", "from {\"a\":\"console\"}", "from {\"a\":\"console\"}"]);
    assert_eq!(says("halve"), "halved \u{fffd}");
    let (cause, detail, log) = broken(&server, &asking("break_off", &nobody));
    assert_eq!(cause, "exception");
    assert!(detail.starts_with("shop.ts:6 in share: TypeError: "), "{detail}");
    assert!(log.contains("at break_off (main.ts:"), "{log}");
}

#[test]
fn a_guest_of_the_released_wit_still_runs() {
    let (server, shell) = server();
    shell.does("config set shop Asha");
    deploy(&shell, "N", "released", GRANTS);
    let event = event("a", "b");
    let answer = server.send("N", &event);
    let told = format!("true 3 true true 2 a,b,c false Asha 1 {}", event.len());
    assert_eq!(answer.json()["response"], json!([told]), "{}", server.record(&answer));
    assert_eq!(lines(&server.record(&answer)), ["the quick brown", "fox: jumps"]);
}

/// What the guests that can do everything look for.
fn set_up(shell: &Shell) {
    shell.does("config set shop.name Asha");
    shell.does("config set orders.shown 5");
    shell.does("message set order.late देर:{order} --language hi");
}

fn asking(what: &str, service: &Service) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(&event_of(&[("what", what)])).unwrap();
    event["user"]["language_code"] = json!("hi-IN");
    event["env_variables"] = json!({ "url": service.url("/") });
    event.to_string().into_bytes()
}

/// What the guests say in the same words, and what they log.
fn works_alike(server: &Server, service: &Service, logged: [&str; 3]) {
    assert_eq!(said(server, "N", &asking("say", service)), "देर:71");
    let record = server.record(&server.send("N", &asking("write", service)));
    let lines = lines(&record);
    assert!(logged.iter().all(|line| lines.contains(line)), "{lines:?}");
    assert_eq!(broken(server, &asking("nothing", service)).0, "exception");
}

fn lines(record: &Value) -> Vec<&str> {
    record["log"]["lines"].as_array().unwrap().iter().filter_map(|line| line["text"].as_str()).collect()
}

/// The cause, the detail and the log of an event that breaks.
fn broken(server: &Server, event: &[u8]) -> (String, String, String) {
    let answer = server.send("N", event);
    let record = server.record(&answer);
    let detail = record["detail"].as_str().unwrap_or_else(|| panic!("{record}")).to_owned();
    (answer.cause().unwrap_or_default().to_owned(), detail, lines(&record).join("\n"))
}
