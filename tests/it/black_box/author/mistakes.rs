//! The mistakes that authors make first: the message names the line, and what to write instead.

use super::{Author, Project};

/// What is wrong, the handler, and what must be said of it.
struct Mistake {
    what: &'static str,
    handler: &'static str,
    said: &'static [&'static str],
}

const EVENT: &str = r#"{
  "node": "hello",
  "event": "API_INTEGRATION",
  "user": {"user_name": "u1", "full_name": "Asha", "device_platform": 5},
  "entities": {"product_name": [{"detection": "message", "original_text": "speaker", "entity_value": "speaker"}]}
}"#;

const PYTHON: [Mistake; 10] = [
    Mistake {
        what: "nothing is returned",
        handler: "\ndef handle(event):\n    {'response': ['Hi']}\n",
        said: &["main.py:2: handle returned None", "ends without `return`", "return {\"statusCode\": 200"],
    },
    Mistake {
        what: "a text is returned",
        handler: "\ndef handle(event):\n    return 'Hi'\n",
        said: &["main.py:2: handle returned 'Hi' (str)", "the reply itself, a dict"],
    },
    Mistake {
        what: "the reply is not a list of messages",
        handler: "def handle(event):\n    return {'response': 'Hi'}\n",
        said: &["reply_wrong_shape", "`response` must be a list of messages"],
    },
    Mistake {
        what: "a misspelt entity",
        handler: "def handle(event):\n    product = event['entities']['product'][0]\n    return {'response': [product]}\n",
        said: &["main.py:2 in handle: KeyError: 'product': did you mean 'product_name'?"],
    },
    Mistake {
        what: "the syntax",
        handler: "def handle(event)\n    return {'response': ['Hi']}\n",
        said: &["main.py:1:18: SyntaxError: expected ':'", "    def handle(event)", "                     ^"],
    },
    Mistake {
        what: "a missing import",
        handler: "def handle(event):\n    return json.loads('{}')\n",
        said: &["main.py:2 in handle: NameError: name 'json' is not defined. Did you forget to import 'json'?"],
    },
    Mistake {
        what: "a module that is not there",
        handler: "\nimport numpy\n\ndef handle(event):\n    return {'response': ['Hi']}\n",
        said: &["main.py:2:8: ModuleNotFoundError: there is no module numpy here: there are codenode, requests"],
    },
    Mistake {
        what: "an exception",
        handler: "def share(of):\n    return 1 / len(of)\n\ndef handle(event):\n    return {'response': [str(share([]))]}\n",
        said: &["main.py:2 in share: ZeroDivisionError: division by zero", "return {'response': [str(share([]))]}"],
    },
    Mistake {
        what: "no grant",
        handler: "from codenode import kv\n\ndef handle(event):\n    kv.node().set('a', 'b')\n    return {'response': ['Hi']}\n",
        said: &["main.py:4 in handle: Refused: kv:node: it is not granted to this node", "grants = [\"kv:node\"]"],
    },
    Mistake {
        what: "a key of the configuration that nobody has set",
        handler: "from codenode import config\n\ndef handle(event):\n    return {'response': [config.text('shop')]}\n",
        said: &["main.py:4 in handle: Missing: shop is not set, or not granted", "codenode config set shop VALUE"],
    },
];

const JAVASCRIPT: [Mistake; 10] = [
    Mistake {
        what: "nothing is returned",
        handler: "\nexport function handle(event) {\n  ({ response: ['Hi'] });\n}\n",
        said: &["main.js:2: handle returned undefined", "ends without `return`", "the reply itself, an object"],
    },
    Mistake {
        what: "a text is returned",
        handler: "\nexport function handle(event) {\n  return 'Hi';\n}\n",
        said: &["main.js:2: handle returned \"Hi\" (string)", "the reply itself, an object"],
    },
    Mistake {
        what: "the reply is not a list of messages",
        handler: "export function handle(event) {\n  return { response: 'Hi' };\n}\n",
        said: &["reply_wrong_shape", "`response` must be a list of messages"],
    },
    Mistake {
        what: "a misspelt entity",
        handler: "export function handle(event) {\n  return { response: [event.entities.product[0]] };\n}\n",
        said: &["main.js:2 in handle: TypeError: can't access property 0, event.entities.product is undefined"],
    },
    Mistake {
        what: "the syntax",
        handler: "export function handle(event) {\n  return { response: ['Hi' };\n}\n",
        said: &["main.js:2:28: SyntaxError: missing ] after element list", "return { response: ['Hi' };", "^"],
    },
    Mistake {
        what: "a missing import",
        handler: "export function handle(event) {\n  return { response: [config.text('shop')] };\n}\n",
        said: &["main.js:2 in handle: ReferenceError: config is not defined"],
    },
    Mistake {
        what: "a module that is not there",
        handler: "\nimport axios from 'axios';\nexport function handle(event) { return { response: ['Hi'] }; }\n",
        said: &["main.js:2:1: SyntaxError: there are no modules here but \"codenode\"", "import axios from 'axios';"],
    },
    Mistake {
        what: "an exception",
        handler: "function share(of) {\n  throw new RangeError(`no ${of}`);\n}\nexport function handle(event) {\n  return { response: [share('speaker')] };\n}\n",
        said: &["main.js:2 in share: RangeError: no speaker", "at handle (main.js:5"],
    },
    Mistake {
        what: "no grant",
        handler: "import { kv } from 'codenode';\nexport function handle(event) {\n  kv.node().set('a', 'b');\n  return { response: ['Hi'] };\n}\n",
        said: &["main.js:3 in handle: KvError: kv:node: it is not granted to this node", "grants = [\"kv:node\"]"],
    },
    Mistake {
        what: "a key of the configuration that nobody has set",
        handler: "import { config } from 'codenode';\nexport function handle(event) {\n  return { response: [config.text('shop')] };\n}\n",
        said: &["main.js:3 in handle: ConfigError: shop is not set, or not granted", "codenode config set shop VALUE"],
    },
];

/// Beside those of JavaScript.
const TYPESCRIPT: [Mistake; 5] = [
    Mistake {
        what: "a type that is not there",
        handler: "export function handle(event: {}) {\n  const name: = 'Asha';\n  return { response: [name] };\n}\n",
        said: &["main.ts:2:15: SyntaxError: Unexpected token", "const name: = 'Asha';", "^"],
    },
    Mistake {
        what: "a namespace",
        handler: "namespace Shop {\n  export const name = 'Corner';\n}\nexport const handle = () => ({ response: [Shop.name] });\n",
        said: &["main.ts:1:1: SyntaxError: there is no namespace here: write an object, or functions and variables"],
    },
    Mistake {
        what: "a module that is not there",
        handler: "import type { Order } from './order';\nimport axios from 'axios';\nexport const handle = (_: Order) => axios.get('');\n",
        said: &["main.ts:2:1: SyntaxError: there are no modules here but \"codenode\"", "import axios from 'axios';"],
    },
    Mistake {
        what: "an exception",
        handler: "type Product =\n  | 'speaker'\n  | 'house';\nconst share = (of: Product): string => {\n  throw new RangeError(`no ${of as string}`);\n};\n\
                  export function handle(): object {\n  return { response: [share('speaker')] };\n}\n",
        said: &[
            "main.ts:5 in share: RangeError: no speaker",
            "at handle (main.ts:8:23)",
            "throw new RangeError(`no ${of as string}`)",
        ],
    },
    Mistake {
        what: "nothing is returned",
        handler: "interface A {\n  b: string;\n}\nexport const handle: (event: A) => void = (event) => {\n  event.b as unknown;\n};\n",
        said: &["main.ts:4: handle returned undefined", "ends without `return`", "the reply itself, an object"],
    },
];

macro_rules! handler {
    ($body:literal) => {
        concat!("use codenode::{Error, Event, Reply, handler};\n\n#[handler]\nfn handle(event: Event) -> Result<Reply, Error> {\n", $body, "\n}\n")
    };
}

const RUST: [Mistake; 10] = [
    Mistake {
        what: "the syntax",
        handler: handler!("    let name = event.user.full_name\n    Ok(Reply::text(name))"),
        said: &["src/lib.rs:5:36", "expected `;`, found `Ok`", "help: add `;` here", "cargo cannot build this crate"],
    },
    Mistake {
        what: "a missing import",
        handler: handler!(
            "    let prices = HashMap::from([(event.node, 1500)]);\n    Ok(Reply::text(format!(\"{prices:?}\")))"
        ),
        said: &["src/lib.rs:5:18", "cannot find type `HashMap`", "use std::collections::HashMap;"],
    },
    Mistake {
        what: "nothing is returned",
        handler: handler!("    Reply::text(event.user.full_name);"),
        said: &["src/lib.rs:4:28", "expected `Result<Reply, Error>`, found `()`", "no tail or `return` expression"],
    },
    Mistake {
        what: "a text is returned",
        handler: handler!("    event.user.full_name"),
        said: &["src/lib.rs:5:5", "expected `Result<Reply, Error>`, found `String`"],
    },
    Mistake {
        what: "a misspelt field",
        handler: handler!("    Ok(Reply::text(event.user.fullname))"),
        said: &["src/lib.rs:5:31", "no field `fullname` on type `User`", "event.user.full_name"],
    },
    Mistake {
        what: "a part of the SDK that was not asked for",
        handler: handler!(
            "    let visits = codenode::kv::node()?.increment(&event.node, 1)?;\n    Ok(Reply::text(visits.to_string()))"
        ),
        said: &["src/lib.rs:5:28", "could not find `kv` in `codenode`", "the item is gated behind the `kv` feature"],
    },
    Mistake {
        what: "a misspelt entity",
        handler: handler!("    let product = event.entities.text(\"product\").unwrap();\n    Ok(Reply::text(product))"),
        said: &["panicked at src/lib.rs:5:50: called `Option::unwrap()` on a `None` value", "handle at "],
    },
    Mistake {
        what: "an index that is not there",
        handler: handler!(
            "    let prices = [1500, 1000];\n    Ok(Reply::text(prices[event.user.full_name.len()].to_string()))"
        ),
        said: &["panicked at src/lib.rs:6:20: index out of bounds: the len is 2 but the index is 4"],
    },
    Mistake {
        what: "a loop without an end",
        handler: handler!("    loop {\n        std::hint::black_box(&event);\n    }"),
        said: &["out_of_cpu", "look for a loop that does not end, or set `cpu_time` in [limits]", "src/lib.rs:6:9"],
    },
    Mistake {
        what: "no handler",
        handler: "pub fn handle() {}\n",
        said: &["codenode refuses ", "carries no component type: build a WASI program or use an SDK"],
    },
];

/// Makes each mistake, and looks at what is said.
fn are_explained(project: &Project<'_>, handler: &str, mistakes: &[Mistake]) {
    project.write("events/asha.json", EVENT);
    for Mistake { what, handler: source, said } in mistakes {
        project.write(handler, source);
        let told = project.fails("test", "--filter asha");
        for part in *said {
            assert!(told.contains(part), "{what}: no `{part}` in: {told}");
        }
    }
}

#[test]
fn ten_mistakes_in_python_name_the_line_and_the_mend() {
    let author = Author::new();
    are_explained(&author.project("hello", "python", "minimal"), "main.py", &PYTHON);
}

#[test]
fn ten_mistakes_in_javascript_name_the_line_and_the_mend() {
    let author = Author::new();
    are_explained(&author.project("hello", "javascript", "minimal"), "main.js", &JAVASCRIPT);
}

#[test]
fn mistakes_in_typescript_name_the_line_and_the_mend() {
    let author = Author::new();
    are_explained(&author.project("hello", "typescript", "minimal"), "main.ts", &TYPESCRIPT);
}

#[test]
fn ten_mistakes_in_rust_name_the_line_and_the_mend() {
    let author = Author::with_rust();
    are_explained(&author.project("mistaken", "rust", "minimal"), "src/lib.rs", &RUST);
}

/// What no line can be named of: the guest is stopped from outside.
#[test]
fn an_endless_loop_names_the_limit_and_what_to_look_for() {
    let author = Author::new();
    let project = author.project("hello", "python", "minimal");
    project.write("main.py", "def handle(event):\n    while True:\n        pass\n");
    let told = project.fails("test", "--filter asha");
    assert!(told.contains("it computed for longer than 1s"), "{told}");
    assert!(told.contains("look for a loop that does not end, or set `cpu_time` in [limits]"), "{told}");
}
