//! The mistakes that authors make first: the message names the line, and what to write instead.

use super::{Author, Project};

/// What is wrong, the handler, and what must be said of it.
struct Mistake {
    what: &'static str,
    handler: &'static str,
    /// Where it is, and what is wrong there.
    line: Said,
    /// What to write instead.
    mend: Said,
    /// What is shown besides.
    shown: &'static [&'static str],
}

/// Words that must be said, or why there are none.
type Said = Result<&'static str, &'static str>;

/// A reply is judged when the handler has ended, on the JSON that it gave.
const NO_LINE_OF_A_REPLY: Said = Err("whoever judges the reply knows no line that it was made in");

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
        line: Ok("main.py:2: handle returned None"),
        mend: Ok("return {\"statusCode\": 200"),
        shown: &["ends without `return`"],
    },
    Mistake {
        what: "a text is returned",
        handler: "\ndef handle(event):\n    return 'Hi'\n",
        line: Ok("main.py:2: handle returned 'Hi' (str)"),
        mend: Ok("the reply itself, a dict"),
        shown: &[],
    },
    Mistake {
        what: "the reply is not a list of messages",
        handler: "def handle(event):\n    return {'response': 'Hi'}\n",
        line: NO_LINE_OF_A_REPLY,
        mend: Ok("`response` must be a list of messages"),
        shown: &["reply_wrong_shape"],
    },
    Mistake {
        what: "a misspelt entity",
        handler: "def handle(event):\n    product = event['entities']['product'][0]\n    return {'response': [product]}\n",
        line: Ok("main.py:2 in handle: KeyError: 'product'"),
        mend: Ok("did you mean 'product_name'?"),
        shown: &[],
    },
    Mistake {
        what: "the syntax",
        handler: "def handle(event)\n    return {'response': ['Hi']}\n",
        line: Ok("main.py:1:18: SyntaxError"),
        mend: Ok("expected ':'"),
        shown: &["    def handle(event)", "                     ^"],
    },
    Mistake {
        what: "a missing import",
        handler: "def handle(event):\n    return json.loads('{}')\n",
        line: Ok("main.py:2 in handle: NameError: name 'json' is not defined"),
        mend: Ok("Did you forget to import 'json'?"),
        shown: &[],
    },
    Mistake {
        what: "a module that is not there",
        handler: "\nimport numpy\n\ndef handle(event):\n    return {'response': ['Hi']}\n",
        line: Ok("main.py:2:8: ModuleNotFoundError: there is no module numpy here"),
        mend: Ok("there are codenode, requests"),
        shown: &[],
    },
    Mistake {
        what: "an exception",
        handler: "def share(of):\n    return 1 / len(of)\n\ndef handle(event):\n    return {'response': [str(share([]))]}\n",
        line: Ok("main.py:2 in share: ZeroDivisionError: division by zero"),
        mend: Err("only its author knows what the share of nothing is"),
        shown: &["return {'response': [str(share([]))]}"],
    },
    Mistake {
        what: "no grant",
        handler: "from codenode import kv\n\ndef handle(event):\n    kv.node().set('a', 'b')\n    return {'response': ['Hi']}\n",
        line: Ok("main.py:4 in handle: Refused: kv:node: it is not granted to this node"),
        mend: Ok("grants = [\"kv:node\"]"),
        shown: &[],
    },
    Mistake {
        what: "a key of the configuration that nobody has set",
        handler: "from codenode import config\n\ndef handle(event):\n    return {'response': [config.text('shop')]}\n",
        line: Ok("main.py:4 in handle: Missing: shop is not set, or not granted"),
        mend: Ok("codenode config set shop VALUE"),
        shown: &[],
    },
];

const JAVASCRIPT: [Mistake; 10] = [
    Mistake {
        what: "nothing is returned",
        handler: "\nexport function handle(event) {\n  ({ response: ['Hi'] });\n}\n",
        line: Ok("main.js:2: handle returned undefined"),
        mend: Ok("the reply itself, an object"),
        shown: &["ends without `return`"],
    },
    Mistake {
        what: "a text is returned",
        handler: "\nexport function handle(event) {\n  return 'Hi';\n}\n",
        line: Ok("main.js:2: handle returned \"Hi\" (string)"),
        mend: Ok("the reply itself, an object"),
        shown: &[],
    },
    Mistake {
        what: "the reply is not a list of messages",
        handler: "export function handle(event) {\n  return { response: 'Hi' };\n}\n",
        line: NO_LINE_OF_A_REPLY,
        mend: Ok("`response` must be a list of messages"),
        shown: &["reply_wrong_shape"],
    },
    Mistake {
        what: "a misspelt entity",
        handler: "export function handle(event) {\n  return { response: [event.entities.product[0]] };\n}\n",
        line: Ok("main.js:2 in handle: TypeError: can't access property 0, event.entities.product is undefined"),
        mend: Err("the engine asks nobody which properties there are when there is none of that name"),
        shown: &[],
    },
    Mistake {
        what: "the syntax",
        handler: "export function handle(event) {\n  return { response: ['Hi' };\n}\n",
        line: Ok("main.js:2:28: SyntaxError"),
        mend: Ok("missing ] after element list"),
        shown: &["return { response: ['Hi' };", "^"],
    },
    Mistake {
        what: "a missing import",
        handler: "export function handle(event) {\n  return { response: [config.text('shop')] };\n}\n",
        line: Ok("main.js:2 in handle: ReferenceError: config is not defined"),
        mend: Err("the engine says what is missing, and looks for it in no module"),
        shown: &[],
    },
    Mistake {
        what: "a module that is not there",
        handler: "\nimport axios from 'axios';\nexport function handle(event) { return { response: ['Hi'] }; }\n",
        line: Ok("main.js:2:1: SyntaxError"),
        mend: Ok("there are no modules here but \"codenode\""),
        shown: &["import axios from 'axios';"],
    },
    Mistake {
        what: "an exception",
        handler: "function share(of) {\n  throw new RangeError(`no ${of}`);\n}\nexport function handle(event) {\n  return { response: [share('speaker')] };\n}\n",
        line: Ok("main.js:2 in share: RangeError: no speaker"),
        mend: Err("only its author knows why it was thrown"),
        shown: &["at handle (main.js:5"],
    },
    Mistake {
        what: "no grant",
        handler: "import { kv } from 'codenode';\nexport function handle(event) {\n  kv.node().set('a', 'b');\n  return { response: ['Hi'] };\n}\n",
        line: Ok("main.js:3 in handle: KvError: kv:node: it is not granted to this node"),
        mend: Ok("grants = [\"kv:node\"]"),
        shown: &[],
    },
    Mistake {
        what: "a key of the configuration that nobody has set",
        handler: "import { config } from 'codenode';\nexport function handle(event) {\n  return { response: [config.text('shop')] };\n}\n",
        line: Ok("main.js:3 in handle: ConfigError: shop is not set, or not granted"),
        mend: Ok("codenode config set shop VALUE"),
        shown: &[],
    },
];

/// Beside those of JavaScript.
const TYPESCRIPT: [Mistake; 5] = [
    Mistake {
        what: "a type that is not there",
        handler: "export function handle(event: {}) {\n  const name: = 'Asha';\n  return { response: [name] };\n}\n",
        line: Ok("main.ts:2:15: SyntaxError: Unexpected token"),
        mend: Err("what takes the types away tells what it did not expect, and nothing of what it did"),
        shown: &["const name: = 'Asha';", "^"],
    },
    Mistake {
        what: "a namespace",
        handler: "namespace Shop {\n  export const name = 'Corner';\n}\nexport const handle = () => ({ response: [Shop.name] });\n",
        line: Ok("main.ts:1:1: SyntaxError: there is no namespace here"),
        mend: Ok("write an object, or functions and variables"),
        shown: &[],
    },
    Mistake {
        what: "a module that is not there",
        handler: "import type { Order } from './order';\nimport axios from 'axios';\nexport const handle = (_: Order) => axios.get('');\n",
        line: Ok("main.ts:2:1: SyntaxError: there are no modules here"),
        mend: Ok("but \"codenode\""),
        shown: &["import axios from 'axios';"],
    },
    Mistake {
        what: "an exception",
        handler: "type Product =\n  | 'speaker'\n  | 'house';\nconst share = (of: Product): string => {\n  throw new RangeError(`no ${of as string}`);\n};\n\
                  export function handle(): object {\n  return { response: [share('speaker')] };\n}\n",
        line: Ok("main.ts:5 in share: RangeError: no speaker"),
        mend: Err("only its author knows why it was thrown"),
        shown: &["at handle (main.ts:8:23)", "throw new RangeError(`no ${of as string}`)"],
    },
    Mistake {
        what: "nothing is returned",
        handler: "interface A {\n  b: string;\n}\nexport const handle: (event: A) => void = (event) => {\n  event.b as unknown;\n};\n",
        line: Ok("main.ts:4: handle returned undefined"),
        mend: Ok("the reply itself, an object"),
        shown: &["ends without `return`"],
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
        line: Ok("src/lib.rs:5:36"),
        mend: Ok("help: add `;` here"),
        shown: &["expected `;`, found `Ok`", "cargo cannot build this crate"],
    },
    Mistake {
        what: "a missing import",
        handler: handler!(
            "    let prices = HashMap::from([(event.node, 1500)]);\n    Ok(Reply::text(format!(\"{prices:?}\")))"
        ),
        line: Ok("src/lib.rs:5:18"),
        mend: Ok("use std::collections::HashMap;"),
        shown: &["cannot find type `HashMap`"],
    },
    Mistake {
        what: "nothing is returned",
        handler: handler!("    Reply::text(event.user.full_name);"),
        line: Ok("src/lib.rs:4:28"),
        mend: Ok("no tail or `return` expression"),
        shown: &["expected `Result<Reply, Error>`, found `()`"],
    },
    Mistake {
        what: "a text is returned",
        handler: handler!("    event.user.full_name"),
        line: Ok("src/lib.rs:5:5"),
        mend: Ok("expected `Result<Reply, Error>`, found `String`"),
        shown: &[],
    },
    Mistake {
        what: "a misspelt field",
        handler: handler!("    Ok(Reply::text(event.user.fullname))"),
        line: Ok("src/lib.rs:5:31"),
        mend: Ok("event.user.full_name"),
        shown: &["no field `fullname` on type `User`"],
    },
    Mistake {
        what: "a part of the SDK that was not asked for",
        handler: handler!(
            "    let visits = codenode::kv::node()?.increment(&event.node, 1)?;\n    Ok(Reply::text(visits.to_string()))"
        ),
        line: Ok("src/lib.rs:5:28"),
        mend: Ok("the item is gated behind the `kv` feature"),
        shown: &["could not find `kv` in `codenode`"],
    },
    Mistake {
        what: "a misspelt entity",
        handler: handler!("    let product = event.entities.text(\"product\").unwrap();\n    Ok(Reply::text(product))"),
        line: Ok("panicked at src/lib.rs:5:50: called `Option::unwrap()` on a `None` value"),
        mend: Err("a panic tells what was there, and nothing of what was looked for"),
        shown: &["handle at "],
    },
    Mistake {
        what: "an index that is not there",
        handler: handler!(
            "    let prices = [1500, 1000];\n    Ok(Reply::text(prices[event.user.full_name.len()].to_string()))"
        ),
        line: Ok("panicked at src/lib.rs:6:20: index out of bounds"),
        mend: Err("only its author knows what should come of a fifth price"),
        shown: &["the len is 2 but the index is 4"],
    },
    Mistake {
        what: "a loop without an end",
        handler: handler!("    loop {\n        std::hint::black_box(&event);\n    }"),
        line: Ok("src/lib.rs:6:9"),
        mend: Ok("look for a loop that does not end, or set `cpu_time` in [limits]"),
        shown: &["out_of_cpu"],
    },
    Mistake {
        what: "no handler",
        handler: "pub fn handle() {}\n",
        line: Err("what is not there is on no line"),
        mend: Ok("carries no component type: build a WASI program or use an SDK"),
        shown: &["codenode refuses "],
    },
];

/// Makes each mistake, and looks at what is said.
fn are_explained(project: &Project<'_>, handler: &str, mistakes: &[Mistake]) {
    project.write("events/asha.json", EVENT);
    for Mistake { what, handler: source, line, mend, shown } in mistakes {
        project.write(handler, source);
        let told = project.fails("test", "--filter asha");
        for part in line.iter().chain(mend).chain(*shown) {
            assert!(told.contains(part), "{what}: no `{part}` in: {told}");
        }
    }
}

#[test]
fn ten_mistakes_in_python_name_the_line_and_the_mend_where_there_is_one() {
    let author = Author::new();
    are_explained(&author.project("hello", "python", "minimal"), "main.py", &PYTHON);
}

#[test]
fn ten_mistakes_in_javascript_name_the_line_and_the_mend_where_there_is_one() {
    let author = Author::new();
    are_explained(&author.project("hello", "javascript", "minimal"), "main.js", &JAVASCRIPT);
}

#[test]
fn mistakes_in_typescript_name_the_line_and_the_mend() {
    let author = Author::new();
    are_explained(&author.project("hello", "typescript", "minimal"), "main.ts", &TYPESCRIPT);
}

#[test]
fn ten_mistakes_in_rust_name_the_line_and_the_mend_where_there_is_one() {
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
