//! Handlers in TypeScript that are kept as their source, and the names that sources have in what is said of them.

use std::fs;

use serde_json::json;

use super::http;
use super::server::{SECRET, Server, event};
use super::shell::Shell;
use super::source_nodes::{broken, cache, said, sandbox, server};

const SHOP: &str = r#"import { handler, Reply, type Event } from "codenode";
import type { Order } from "./order";

interface Priced<T extends string = string> {
  readonly name: T;
  price?: number;
}
type Kind =
  | "speaker"
  | "powerbank";
enum Tier { Silver = 1, Gold }
const PRICES = { speaker: 1500, powerbank: 1000 } as const satisfies Record<Kind, number>;

abstract class Shop<T extends Kind> implements Priced<T> {
  declare hidden: string;
  constructor(readonly name: T, private readonly off = 0, protected tier?: Tier) {}
  get price(): number {
    const price = PRICES[this.name]! - this.off;
    if (Number.isNaN(price)) throw new RangeError(`no ${this.name} here`);
    return price;
  }
}
class Corner extends Shop<Kind> {}

function first<T>(list?: readonly T[]): T | undefined {
  return list?.[0];
}

export const handle = handler(async (event: Event): Promise<Reply> => {
  const kind = first(event.entities.get("product_name"))?.text() as Kind ?? <Kind>"speaker";
  return new Reply(`The ${kind} costs ₹${new Corner(kind, 100).price as number}, ${Tier[Tier.Gold]!}.`);
});
"#;

#[test]
fn typescript_is_as_live_as_javascript() {
    let (server, shell) = server();
    let file = shell.home.path().join("main.ts");
    let deploy = |source: &str| {
        fs::write(&file, source).unwrap();
        shell.type_in(&format!("deploy {} --node N", file.display()), b"")
    };
    deploy(SHOP).exits(0);
    assert_eq!(said(&server, &event("product_name", "powerbank")), "The powerbank costs ₹900, Gold.");
    assert_eq!(said(&server, &event("other", "x")), "The speaker costs ₹1400, Gold.");
    let (cause, detail, record) = broken(&server, &event("product_name", "house"));
    assert!(cause == "exception" && detail.contains("main.ts:19 in get price: RangeError: no house"), "{detail}");
    let log = record["log"].to_string();
    for frame in ["at get price (main.ts:19:36)", "(main.ts:31:", "throw new RangeError(`no ${this.name} here`)"] {
        assert!(log.contains(frame), "{frame}: {log}");
    }
    for (source, said) in [
        ("interface A {\n  a: string;\n}\nexport const a: = 1;", "main.ts:4:17: SyntaxError: Unexpected token"),
        ("export function handle(event: {}) {\n  return [1, 2 as number;\n}", "main.ts:2:25: SyntaxError: "),
        ("\nimport fs from 'fs';\nexport const handle = () => fs;", "main.ts:2:1: SyntaxError: there are no modules"),
        ("namespace Shop {\n}", "main.ts:1:1: SyntaxError: there is no namespace here"),
    ] {
        let refused = deploy(source).exits(1).err();
        assert!(refused.contains(said) && refused.contains('^'), "{refused}");
    }
    assert_eq!(said(&server, &event("other", "x")), "The speaker costs ₹1400, Gold.", "what was live is live");
}

#[test]
fn an_upload_says_by_its_media_type_that_it_is_typescript() {
    let (server, _shell) = server();
    let token = server.authorization();
    let upload = |media_type: &str, body: &str| {
        let headers = [("authorization", token.as_str()), ("content-type", media_type)];
        let request = http::request("POST", "/v1/tenants/acme/artifacts", &headers, body.as_bytes());
        http::exchange(server.management, &request).expect("an answer")
    };
    let (first, second) = (upload("text/typescript; charset=utf-8", SHOP), upload("application/typescript", SHOP));
    assert_eq!((first.status, second.status), (201, 200), "{} {}", first.body, second.body);
    assert_eq!((&first.json()["kind"], &first.json()["artifact"]), (&json!("typescript"), &second.json()["artifact"]));
    let refused = upload("text/typescript", "let a: = 1");
    assert!(refused.status == 422 && refused.body.contains("main.ts:1:8"), "{} {}", refused.status, refused.body);
    assert_eq!(upload("text/javascript", SHOP).status, 422);
}

#[test]
fn a_large_source_is_taken_and_a_hostile_one_ends_as_a_refusal() {
    let (server, shell) = server();
    let file = shell.home.path().join("main.ts");
    let deploy = |source: &str| {
        fs::write(&file, source).unwrap();
        shell.type_in(&format!("deploy {} --node N", file.display()), b"")
    };
    let one = "interface A { a?: string }\nfunction share<T extends A>(a: T, n = 1): string { return `${a.a}` + (n as number); }\n";
    let large =
        format!("{}{}", SHOP.replace("₹", "Rs "), one.repeat((255 << 10) / one.len() - SHOP.len() / one.len() - 1));
    assert!(large.len() > 250 << 10, "{}", large.len());
    deploy(&large).exits(0);
    assert_eq!(said(&server, &event("other", "x")), "The speaker costs Rs 1400, Gold.");
    for (hostile, said) in [
        ("let x: ".to_owned() + &"(".repeat(100_000), "main.ts: the source is nested too deeply, or too large"),
        ("let x: ".to_owned() + &"A<".repeat(100_000), "main.ts: the source is nested too deeply, or too large"),
        ("x = `${".repeat(30_000), "main.ts: the source is nested too deeply, or too large"),
        // What may be a call or a comparison is read twice, at each level.
        ("f<T>(a<".repeat(40), "cannot be compiled: it computed for longer than"),
    ] {
        let refused = deploy(&hostile).exits(1).err();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(said(&server, &event("other", "x")), "The speaker costs Rs 1400, Gold.", "what was live is live");
}

#[test]
fn a_source_is_called_as_its_file_is() {
    let shell = Shell::new().with("CODENODE_CACHE_DIR", cache());
    let run = |name: &str, source: &str| {
        let file = shell.home.path().join(name);
        fs::write(&file, source).unwrap();
        let done = shell.type_in(&format!("run {} --event -", file.display()), &event("a", "b"));
        done.out() + &done.err()
    };
    for (name, source, said) in [
        ("bot.py", "def handle(event):\n    return 1 / 0\n", "bot.py:2 in handle: ZeroDivisionError"),
        ("bot.py", "def handle(event)\n", "bot.py:1:18: SyntaxError: expected ':'"),
        ("bot.py", "def handle(event): pass\n", "bot.py:1: handle returned None"),
        ("shop-2.mjs", "export function handle() {\n  return a.b;\n}\n", "shop-2.mjs:2 in handle: ReferenceError"),
        ("bot.mts", "export function handle(): never {\n  throw Error('no');\n}\n", "bot.mts:2 in handle: Error: no"),
        ("my+bot.py", "def handle(event)\n", "main.py:1:18: SyntaxError"),
    ] {
        let told = run(name, source);
        assert!(told.contains(said), "{name}: {told}");
    }
}

#[test]
fn a_source_of_the_configuration_may_be_typescript() {
    let server = Server::start(&sandbox());
    fs::write(server.folder.path().join("shop.ts"), SHOP).unwrap();
    let node = format!("[tenants.acme.nodes.N]\nartifact = \"shop.ts\"\nsecrets = [{SECRET:?}]\n");
    server.rewrite_config(&(sandbox() + &node));
    server.wait_for("the price", || {
        let answer = server.send("N", &event("product_name", "powerbank"));
        (answer.status == 200 && answer.body.contains("₹900")).then_some(())
    });
    let (_, detail, _) = broken(&server, &event("product_name", "house"));
    assert!(detail.contains("shop.ts:19 in get price"), "{detail}");
}
