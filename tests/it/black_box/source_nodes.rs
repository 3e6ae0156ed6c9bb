//! Handlers that are kept as their source: deployed without a build, explained by the line, and run as everything else is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;

use serde_json::{Value, json};

use super::http;
use super::server::{SECRET, Server, event};
use super::service::{Service, response};
use super::shell::Shell;

/// The classic, as a platform's own editor has it.
pub(super) const PRICE: &str = r#"import json

PRICES = {"speaker": 1500, "powerbank": 1000}


def main(event, context):
    asked = json.loads(event["body"])
    product = asked["entities"]["product_name"][0]["entity_value"]
    print("price of", product)
    reply = {"status": True, "response": [f"The {product} costs ₹{PRICES[product]}."]}
    return {"statusCode": 200, "body": json.dumps(reply), "headers": {}}
"#;

/// Where compiled code is kept: that of the runners takes longer to make than all of these tests take, and is made once for them.
static CACHE: LazyLock<String> = LazyLock::new(|| {
    let (shell, cache) = (Shell::new(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("sources"));
    for (name, source) in [("main.py", PRICE), ("main.mjs", PRICE_IN_JAVASCRIPT)] {
        let file = shell.home.path().join(name);
        fs::write(&file, source).unwrap();
        let run = format!("run {} --event - --cache-dir {}", file.display(), cache.display());
        shell.type_in(&run, &event("product_name", "speaker")).exits(0);
    }
    cache.to_str().unwrap().to_owned()
});

/// The same for others.
pub(super) fn cache() -> &'static str {
    &CACHE
}

/// The section that says so.
pub(super) fn sandbox() -> String {
    format!("[sandbox]\ncache_directory = {:?}\n", *CACHE)
}

/// A server with a node `N`, and somebody who may do everything there, with a folder for sources.
pub(super) fn server() -> (Server, Shell) {
    server_with(&sandbox())
}

/// The same with other settings of the sandbox.
pub(super) fn server_with(sandbox: &str) -> (Server, Shell) {
    let server = Server::start(&format!("{sandbox}[tenants.acme]\nprivate_networks = [\"127.0.0.0/8\"]\n"));
    let shell = Shell::of(&server);
    shell.does("tenant create acme");
    shell.does("node create N");
    shell.type_in("secret set N", SECRET.as_bytes()).exits(0);
    (server, shell)
}

/// Writes a source and gives the line that deploys it.
pub(super) fn deploy_line(shell: &Shell, source: &str, flags: &str) -> String {
    let file = shell.home.path().join("main.py");
    fs::write(&file, source).unwrap();
    format!("deploy {} --node N {flags}", file.display())
}

pub(super) fn deploy(shell: &Shell, source: &str, flags: &str) {
    shell.does(&deploy_line(shell, source, flags));
}

pub(super) fn said(server: &Server, event: &[u8]) -> String {
    let answer = server.send("N", event);
    assert_eq!(answer.status, 200, "{} {}", answer.body, server.record(&answer));
    answer.json()["response"][0].as_str().unwrap().to_owned()
}

/// How many different words there are at this place.
fn different(texts: &[String], place: usize) -> usize {
    texts.iter().map(|text| text.split(' ').nth(place).unwrap()).collect::<BTreeSet<_>>().len()
}

/// The record of an event that breaks, by its cause and its detail.
pub(super) fn broken(server: &Server, event: &[u8]) -> (String, String, Value) {
    let answer = server.send("N", event);
    let record = server.record(&answer);
    let detail = record["detail"].as_str().unwrap_or_else(|| panic!("{record}")).to_owned();
    (answer.cause().unwrap_or_default().to_owned(), detail, record)
}

#[test]
fn a_source_is_live_without_a_build() {
    let (server, shell) = server();
    deploy(&shell, PRICE, "");
    let answer = server.send("N", &event("product_name", "speaker"));
    assert_eq!(answer.json()["response"], json!(["The speaker costs ₹1500."]));
    let record = server.record(&answer);
    let line = &record["log"]["lines"][0];
    assert_eq!((&line["text"], &line["level"]), (&json!("price of speaker"), &json!("info")));
    deploy(&shell, &PRICE.replace("1500", "1400"), "");
    assert_eq!(said(&server, &event("product_name", "speaker")), "The speaker costs ₹1400.");
    shell.does("rollback N");
    assert_eq!(said(&server, &event("product_name", "speaker")), "The speaker costs ₹1500.");
    let again = server.kill_and_start_again();
    assert_eq!(said(&again, &event("product_name", "powerbank")), "The powerbank costs ₹1000.");
}

#[test]
fn a_wrong_source_is_refused_with_its_line() {
    let (server, shell) = server();
    let line = deploy_line(&shell, "def main(event, context):\n    total = = 1\n    return {}\n", "");
    let refused = shell.type_in(&line, b"").exits(1).err();
    for part in ["main.py:2", "SyntaxError", "total = = 1", "^"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let artifacts = server.manage("/v1/tenants/acme/artifacts").json();
    assert_eq!(artifacts["artifacts"], json!([]), "it is not kept");
    let body = b"def main(:\n";
    let token = server.authorization();
    let headers = [("authorization", token.as_str()), ("content-type", "text/x-python; charset=utf-8")];
    let request = http::request("POST", "/v1/tenants/acme/artifacts", &headers, body);
    let refused = http::exchange(server.management, &request).expect("an answer");
    assert!(refused.status == 422 && refused.body.contains("main.py:1"), "{} {}", refused.status, refused.body);
    for (source, why) in [("", "is an empty source"), (&"#".repeat(300 << 10), "the limit is 256.0 KiB")] {
        let refused = shell.type_in(&deploy_line(&shell, source, ""), b"").exits(1).err();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn every_way_to_fail_has_its_cause_and_its_line() {
    let (server, shell) = server();
    let source = r#"import json, sys

def divide(by):
    return 1 / by

def main(event, context):
    way = json.loads(event["body"])["entities"]["way"][0]["entity_value"]
    if way == "exception":
        divide(0)
    elif way == "returns":
        return "hello"
    elif way == "status":
        return {"statusCode": 404, "body": "no such order"}
    elif way == "json":
        return {"statusCode": 200, "body": "hello"}
    elif way == "empty":
        return {"response": []}
    elif way == "loops":
        while True:
            pass
    elif way == "eats":
        return [bytearray(1 << 20) for _ in range(4096)]
    elif way == "recurses":
        return main(event, context)
    elif way == "exits":
        sys.exit(3)
    elif way == "opens":
        open("/etc/passwd")
    elif way == "connects":
        import socket
        socket.create_connection(("127.0.0.1", 1))
"#;
    deploy(&shell, source, "--limit cpu_time=500ms");
    for (way, cause, why) in [
        ("exception", "exception", "main.py:4 in divide: ZeroDivisionError: division by zero"),
        ("returns", "exception", "main returned 'hello' (str)"),
        ("nothing", "exception", "main returned None"),
        ("status", "exception", "the handler answered with the statusCode 404: no such order"),
        ("json", "reply_not_json", ""),
        ("empty", "reply_empty", ""),
        ("loops", "out_of_cpu", ""),
        ("eats", "out_of_memory", "it needs more memory than 64.0 MiB: main.py:22 in main: MemoryError"),
        ("exits", "exception", "SystemExit(3)"),
        ("opens", "exception", "main.py:28 in main: FileNotFoundError"),
        ("connects", "exception", "main.py:31 in main: "),
    ] {
        let (is, detail, _) = broken(&server, &event("way", way));
        assert!(is == cause && detail.contains(why), "{way}: {is}: {detail}");
    }
    let (is, detail, _) = broken(&server, &event("way", "recurses"));
    assert!(["out_of_stack", "exception"].contains(&is.as_str()), "{is}: {detail}");
    let (_, _, record) = broken(&server, &event("way", "exception"));
    let traceback = record["log"].to_string();
    assert!(traceback.contains("return 1 / by") && traceback.contains("divide(0)"), "{traceback}");
    assert!(!traceback.contains("codenode_runner"), "only the author's own lines: {traceback}");
}

#[test]
fn nothing_survives_a_run_and_every_run_draws_anew() {
    let (server, shell) = server();
    let source = r#"import random, secrets, uuid
seen = []

def handle(event):
    seen.append(1)
    return {"response": [f"{len(seen)} {random.random()} {secrets.token_hex(8)} {uuid.uuid4()}"]}
"#;
    deploy(&shell, source, "");
    let drawn: Vec<String> = (0..1_000).map(|_| said(&server, &event("a", "b"))).collect();
    assert!(drawn.iter().all(|said| said.starts_with("1 ")), "{drawn:?}");
    (1..4).for_each(|part| assert_eq!(different(&drawn, part), 1_000));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5).for_each(|_| assert!(said(&server, &event("a", "b")).starts_with("1 "))));
        }
    });
}

#[test]
fn capabilities_have_their_names_in_python() {
    let (server, shell) = server();
    let source = r#"import json
import requests
from codenode import config, kv, messages

def main(event, context):
    visits = kv.node().increment("visits", 1)
    text = messages.text("hello", "hi-IN")
    asked = requests.get(config.text("service") + "/orders", params={"id": "7"}, timeout=5)
    asked.raise_for_status()
    return {"response": [f"{visits} {text} {asked.json()['state']} {context.function_name} {len(context.aws_request_id)}"]}
"#;
    let service = Service::http(|request| {
        assert!(request.head.starts_with("GET /orders?id=7 "), "{}", request.head);
        response(200, "content-type: application/json\r\n", b"{\"state\": \"packed\"}")
    });
    shell.does("message set hello नमस्ते --language hi");
    shell.does(&format!("config set service http://{}", service.address));
    let to_service = format!("--grant http:http://{}", service.address);
    deploy(&shell, source, &format!("--grant kv:node --grant kv:messages --grant config {to_service}"));
    assert_eq!(said(&server, &event("a", "b")), "1 नमस्ते packed N 36");
    assert_eq!(said(&server, &event("a", "b")), "2 नमस्ते packed N 36");
    deploy(&shell, source, &format!("--grant kv:node --grant kv:messages {to_service}"));
    let (cause, detail, _) = broken(&server, &event("a", "b"));
    assert!(cause == "exception" && detail.contains("main.py:8") && detail.contains("service"), "{detail}");
}

#[test]
fn a_service_that_is_down_is_to_blame_for_itself() {
    let (server, shell) = server();
    let service = Service::http(|_| response(503, "", b""));
    let source = format!(
        "import requests\n\ndef handle(event):\n    requests.get('http://{}/').raise_for_status()\n",
        service.address
    );
    deploy(&shell, &source, &format!("--grant http:http://{}", service.address));
    let (cause, detail, _) = broken(&server, &event("a", "b"));
    assert!(cause == "upstream_failed" && detail.contains("main.py:4 in handle"), "{cause}: {detail}");
}

/// The same shop in JavaScript.
const PRICE_IN_JAVASCRIPT: &str = r#"import { kv } from "codenode";

const PRICES = { speaker: 1500, powerbank: 1000 };

function priceOf(product) {
  if (!(product in PRICES)) throw new RangeError(`no ${product} here`);
  return PRICES[product];
}

export async function handle(event) {
  const product = event.entities.product_name[0].entity_value;
  console.warn("price of", product);
  if (product === "lucky") return { response: [`${Math.random()} ${crypto.randomUUID()}`] };
  if (product === "counted") return { response: [`${kv.node().increment("asked", 1)}`] };
  if (product === "asked") return { response: [(await (await fetch(event.env_variables.service)).json()).state] };
  while (product === "endless");
  return { status: true, response: [`The ${product} costs ₹${priceOf(product)}.`] };
}
"#;

#[test]
fn javascript_is_as_live_as_python() {
    let (server, shell) = server();
    let service = Service::http(|_| response(200, "content-type: application/json\r\n", b"{\"state\": \"packed\"}"));
    let file = shell.home.path().join("main.mjs");
    let deploy = |source: &str| {
        fs::write(&file, source).unwrap();
        let grants = format!("--grant kv:node --grant http:http://{}", service.address);
        shell.type_in(&format!("deploy {} --node N --limit cpu_time=500ms {grants}", file.display()), b"")
    };
    deploy(PRICE_IN_JAVASCRIPT).exits(0);
    let asking = |product: &str| event("product_name", product);
    let answer = server.send("N", &asking("speaker"));
    assert_eq!(answer.json()["response"], json!(["The speaker costs ₹1500."]), "{}", server.record(&answer));
    let line = &server.record(&answer)["log"]["lines"][0];
    assert_eq!((&line["text"], &line["level"]), (&json!("price of speaker"), &json!("warn")));
    assert_eq!([said(&server, &asking("counted")), said(&server, &asking("counted"))], ["1", "2"]);
    let drawn: Vec<String> = (0..1_000).map(|_| said(&server, &asking("lucky"))).collect();
    (0..2).for_each(|part| assert_eq!(different(&drawn, part), 1_000));
    let mut asked: Value = serde_json::from_slice(&asking("asked")).unwrap();
    asked["env_variables"] = json!({ "service": service.url("/") });
    assert_eq!(said(&server, asked.to_string().as_bytes()), "packed");
    let (cause, detail, record) = broken(&server, &asking("house"));
    assert!(cause == "exception" && detail.contains("main.mjs:6 in priceOf: RangeError: no house here"), "{detail}");
    assert!(record["log"].to_string().contains("main.mjs:17"), "{record}");
    assert_eq!(broken(&server, &asking("endless")).0, "out_of_cpu");
    let refused = deploy("export function handle(event) {\n  return = 1;\n}\n").exits(1).err();
    assert!(refused.contains("main.mjs:2") && refused.contains("SyntaxError") && refused.contains('^'), "{refused}");
    assert_eq!(said(&server, &asking("powerbank")), "The powerbank costs ₹1000.", "what was live is live");
}

#[test]
fn a_source_of_the_configuration_is_picked_up_when_it_changes() {
    let server = Server::start(&sandbox());
    let file = server.folder.path().join("main.py");
    fs::write(&file, PRICE).unwrap();
    let node = format!("[tenants.acme.nodes.N]\nartifact = \"main.py\"\nsecrets = [{SECRET:?}]\n");
    server.rewrite_config(&(sandbox() + &node));
    let price = |shown: &str| {
        server.wait_for("the price", || {
            let answer = server.send("N", &event("product_name", "speaker"));
            (answer.status == 200 && answer.body.contains(shown)).then_some(())
        });
    };
    price("1500");
    fs::write(&file, PRICE.replace("1500", "1700")).unwrap();
    price("1700");
    fs::write(&file, "def main(\n").unwrap();
    server.wait_for("the problem", || {
        let nodes = server.manage("/v1/nodes").body;
        (nodes.contains("main.py:1") && nodes.contains("SyntaxError")).then_some(())
    });
    price("1700");
}

#[test]
fn a_run_without_a_server_takes_a_source_too() {
    let shell = Shell::new().with("CODENODE_CACHE_DIR", &CACHE);
    let file = shell.home.path().join("main.py");
    fs::write(&file, PRICE).unwrap();
    let inspected = shell.does(&format!("inspect {}", file.display()));
    assert!(inspected.contains("Python source"), "{inspected}");
    let run = format!("run {} --event -", file.display());
    let out = shell.type_in(&run, &event("product_name", "powerbank")).exits(0).out();
    assert!(out.contains("The powerbank costs ₹1000."), "{out}");
    let broken = shell.type_in(&run, &event("product_name", "house")).exits(1).out();
    assert!(broken.contains("main.py:10 in main: KeyError: 'house'"), "{broken}");
    fs::write(&file, "def main(event, context)\n    pass\n").unwrap();
    let refused = shell.type_in(&run, &event("a", "b")).exits(1).err();
    assert!(refused.contains("SyntaxError: expected ':'"), "{refused}");
    let empty = shell.home.path().to_owned();
    let elsewhere = shell.with("CODENODE_RUNNERS", empty.to_str().unwrap());
    fs::write(&file, PRICE.replace("1500", "1")).unwrap();
    elsewhere.type_in(&run, &event("a", "b")).says_why("`cargo xtask runners` builds it");
}
