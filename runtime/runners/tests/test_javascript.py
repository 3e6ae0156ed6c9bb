"""The runner for JavaScript, as the component that it is."""

import hashlib
import hmac
import json
import time
import unittest
from pathlib import Path

import host
import service
from host import Runner, World

RUNNER = Runner("javascript.wasm", "main.js")
TYPED = RUNNER.called("main.ts")
SERVICE = service.start()


def run(source: str, event: object = None, world: World | None = None) -> object:
    return json.loads(RUNNER.run(source, event, world))


def value_of(expression: str, setup: str = "", world: World | None = None) -> object:
    """What an expression is in a handler."""
    return run(f"{setup}\nexport async function handle(event) {{ return {{ value: {expression} }}; }}\n", world=world)["value"]


class Case(host.Case):
    runner = RUNNER


class Compile(Case):
    def test_what_is_wrong_is_shown_with_its_line_and_a_caret(self) -> None:
        self.assert_refused(
            "const a = 1;\nexport function handle(event {\n}",
            "main.js:2:30: SyntaxError: missing ) after formal parameters",
            "    export function handle(event {",
            "                                 ^",
        )
        self.assert_refused("let x = ;", "main.js:1:9: SyntaxError: expected expression, got ';'", "    let x = ;", "            ^")
        self.assert_refused("export function handle() {\n", "main.js:1:27: SyntaxError: the source ends too early", "    export function handle() {", " " * 30 + "^")
        self.assert_refused(
            "\nimport fs from 'fs';", 'main.js:2:1: SyntaxError: there are no modules here but "codenode"', "    import fs from 'fs';", "    ^"
        )
        self.assert_refused("x = " + "(" * 5_000, "main.js: the source is nested too deeply, or too large")

    def test_nothing_of_the_handler_runs(self) -> None:
        self.assertIsInstance(RUNNER.compile("for (;;) {}"), bytes)


class Example(Case):
    def test_it_takes_both_shapes_of_a_value(self) -> None:
        source = (Path(__file__).parents[3] / "examples/price-javascript/main.js").read_text()
        for value, said in [
            ("speaker", "The price of the speaker is ₹1500."),
            ({"value": "speaker", "unit": "quantity"}, "The price of the speaker is ₹1500."),
            ({"dd": 1, "mm": 2}, "Sorry, we don't sell that."),
            (None, "Sorry, we don't sell that."),
        ]:
            event = {"entities": {"product_name": [{"detection": "message", "original_text": "", "entity_value": value}]}}
            self.assertEqual(run(source, event)["response"], [said])


class Events(Case):
    def test_a_handler_is_called_as_its_name_says(self) -> None:
        answer = "{ statusCode: 200, body: JSON.stringify({ r: JSON.parse(event.body).node, id: context.awsRequestId }) }"
        for source in (f"exports.handler = async (event, context) => ({answer})", f"export const main = (event, context) => ({answer})"):
            self.assertEqual(run(source), {"r": "ORDER", "id": "run-1"}, source)
        for source in (
            "export function handle(event) { return { r: event.node } }",
            "export default async (event) => ({ r: event.node })",
            "module.exports = (event) => ({ r: event.node })",
            "function handle(event) { return { r: event.node } }",
            "import { handler } from 'codenode'; export const main = handler((event) => ({ r: event.node }))",
            "const { handler } = require('codenode'); exports.handler = handler((event) => ({ r: event.node }))",
        ):
            self.assertEqual(run(source), {"r": "ORDER"}, source)
        late = "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, { statusCode: 200, body: { a: 1 } }), 5) }"
        self.assertEqual(run(late), {"a": 1})

    def test_what_is_no_handler_or_no_reply_is_told_so(self) -> None:
        shape = "write `export function handle(event)` or `exports.handler = async (event, context) => …`"
        expected = "return { statusCode: 200, body: JSON.stringify(reply) } or the reply itself, an object"
        for source, error in [
            ("let x = 1", f"main.js: there is no handler: {shape}"),
            ("export const handle = 5", f"main.js: handle is no function but 5 (number): {shape}"),
            ("export function handle() {}", f"main.js:1: handle returned undefined, as a function does that ends without `return`: {expected}"),
            ("export function handle() { return 'a' }", f'main.js:1: handle returned "a" (string): {expected}'),
            ("export function handle() { return { statusCode: 500, body: 'no\\nway' } }", "the handler answered with the statusCode 500: no way"),
            ("export function handle() { return { a: 5n } }", "the reply cannot be JSON: BigInt value can't be serialized in JSON"),
        ]:
            self.assert_breaks(source, error)


class Failing(Case):
    def test_an_exception_is_one_line_and_its_frames_are_logged(self) -> None:
        world = World()
        source = "async function share(n) {\n  await null;\n  return n.a.b;\n}\nexport async function handle(event) {\n  return await share({});\n}"
        error = 'TypeError: can\'t access property "b", n.a is undefined'
        self.assert_breaks(source, f"main.js:3 in share: {error}", world)
        self.assertEqual(
            world.lines("critical"),
            [error, "    at share (main.js:3:3)", "        return n.a.b;", "    at handle (main.js:6:16)", "        return await share({});"],
        )

    def test_frames_are_right_after_characters_of_two_halves(self) -> None:
        world = World()
        source = "const party = '🎉🎉🎉'; // 🎈\nexport function handle(event) {\n  throw new Error(`no ${party}`);\n}"
        self.assert_breaks(source, "main.js:3 in handle: Error: no 🎉🎉🎉", world)
        self.assertEqual(world.lines("critical"), ["Error: no 🎉🎉🎉", "    at handle (main.js:3:9)", "        throw new Error(`no ${party}`);"])
        self.assertEqual(run("// 🎈\nexport const handle = () => ({ response: ['🎉'] })"), {"response": ["🎉"]})

    def test_whatever_is_thrown_is_told(self) -> None:
        self.assert_breaks("throw new RangeError('two\\nlines')", "main.js:1: RangeError: two lines")
        self.assert_breaks("export const handle = () => { throw 'text' }", 'main.js: "text" (string) was thrown, which is no Error')
        self.assert_breaks("export function handle() { return handle() }", "main.js:1 in handle: InternalError: too much recursion")
        self.assert_breaks("exports.handler = (e, c, callback) => callback(new Error('no'))", "main.js:1 in exports.handler: Error: no")
        timer = "export async function handle() {\n  setTimeout(function late() { throw new Error('late') }, 3);\n  await new Promise((r) => setTimeout(r, 50));\n}"
        self.assert_breaks(timer, "main.js:2 in late: Error: late")


class Runs(Case):
    def test_a_run_is_not_like_the_one_before(self) -> None:
        values = "[Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(8))]]"
        program = RUNNER.compile(f"export const handle = () => ({{ values: {values} }})")
        first, second = (json.loads(RUNNER.run(program))["values"] for _ in range(2))
        for one, other in zip(first, second, strict=True):
            self.assertNotEqual(one, other)
        self.assertLess(value_of("Date.now()"), value_of("Date.now()"))

    def test_what_scripts_of_the_web_have_is_there(self) -> None:
        self.assertEqual(
            value_of("[new TextDecoder().decode(new TextEncoder().encode('ü')), new URL('/b?c=1', 'https://a.example').href, btoa(atob('YWI=')), structuredClone({ a: 1 }).a]"),
            ["ü", "https://a.example/b?c=1", "YWI=", 1],
        )

    def test_digests_and_signatures_are_the_webs(self) -> None:
        bytes_of = "const bytes = (text) => new TextEncoder().encode(text); const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');"
        digest = hashlib.sha256("₹1500".encode()).hexdigest()
        self.assertEqual(value_of("hex(await crypto.subtle.digest('SHA-256', bytes('₹1500')))", bytes_of), digest)
        key = "await crypto.subtle.importKey('raw', bytes('key'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])"
        signature = hmac.new(b"key", b"order 7", "sha256").hexdigest()
        self.assertEqual(value_of(f"hex(await crypto.subtle.sign('HMAC', {key}, bytes('order 7')))", bytes_of), signature)
        signed = f"await crypto.subtle.sign('HMAC', {key}, bytes('order 7'))"
        for text, verdict in (("order 7", True), ("order 8", False)):
            self.assertEqual(value_of(f"await crypto.subtle.verify('HMAC', {key}, {signed}, bytes('{text}'))", bytes_of), verdict)

    def test_the_console_leads_to_the_log(self) -> None:
        world = World()
        run("console.log('a', 1, { b: [1] }); console.warn('w'); console.error(new Error('e')); console.debug('d')\nexport const handle = () => ({})", world=world)
        self.assertEqual(world.log, [("info", 'a 1 {"b":[1]}'), ("warn", "w"), ("error", "Error: e"), ("debug", "d")])


class Codenode(Case):
    SETUP = "import { kv, config, messages, log } from 'codenode';"

    def test_what_is_granted_can_be_used(self) -> None:
        world = World(config={"shown": "3"})
        world.buckets["messages"] = {"late/hi": "ऑर्डर {order}".encode()}
        world.buckets["tenant"] = {f"a{n:03}": b"" for n in range(250)}
        entries = "(n.keepFor(60).set('k', 'v'), n.setJson('j', { a: 1 }), n.delete('k'), [n.text('k') ?? null, n.json('j'), n.increment('c'), n.increment('c', 2), n.exists('k'), n.getMany(['j', 'k']).length])"
        self.assertEqual(value_of(f"((n) => {entries})(kv.node())", self.SETUP, world), [None, {"a": 1}, 1, 3, False, 2])
        self.assertEqual(world.times, {"k": 60})
        self.assertEqual(value_of("[...kv.tenant().keys()].length", self.SETUP, world), 250)
        self.assertEqual(value_of("[config.read('shown'), config.get('none') ?? null, config.all()]", self.SETUP, world), [3, None, {"shown": "3"}])
        self.assertEqual(value_of("messages.fill(messages.text('late', 'hi_IN'), { order: 71 })", self.SETUP, world), "ऑर्डर 71")

    def test_events_and_replies_have_their_types(self) -> None:
        setup = "import { BotError, handler, Reply } from 'codenode';"
        source = f"{setup}\nexport const handle = handler(async (event) => new Reply([event.node, event.user.userName], {{ status: false }}))"
        self.assertEqual(run(source, {"step": "ORDER", "user": {"user_name": "u"}}), {"status": False, "response": ["ORDER", "u"]})
        self.assert_breaks(f"{setup}\nexport const handle = handler(() => {{ throw new BotError('it is\\nclosed') }})", "it is closed")

    def test_what_is_not_says_why(self) -> None:
        world = World()
        del world.buckets["tenant"]
        for call, error in [
            ("kv.tenant()", "KvError: kv:tenant: it is not granted to this node: grants = [\"kv:tenant\"] in node.toml, or --grant kv:tenant"),
            ("kv.node().get('')", "KvError: kv:node: a key is a string of 1 to 512 bytes"),
            ("require('fs')", "Error: there is no module fs here"),
            ("messages.text('w', 'de')", "MissingMessage: there is no message w in de, nor one without a language: add it with `codenode message set w TEXT`"),
        ]:
            self.assert_breaks(f"{self.SETUP}\nexport function handle() {{ {call} }}", f"main.js:2 in handle: {error}", world)


class Fetch(Case):
    def test_a_request_goes_out_as_it_was_meant(self) -> None:
        told = value_of(f"await (await fetch('{SERVICE}/a?x=1', {{ method: 'POST', headers: {{ a: 'b' }}, body: JSON.stringify({{ x: 'ü' }}) }})).json()")
        self.assertEqual((told["method"], told["path"], told["headers"]["a"]), ("POST", "/a?x=1", "b"))
        self.assertEqual(json.loads(told["body"].encode("latin-1")), {"x": "ü"})
        two = f"(await Promise.all([fetch('{SERVICE}/a'), fetch(new Request('{SERVICE}/404'))])).map((r) => r.status)"
        self.assertEqual(value_of(two), [200, 404])
        self.assertEqual(value_of(f"(await fetch('{SERVICE}/moved')).status"), 302)

    def test_a_service_is_blamed_for_its_own_failures_only(self) -> None:
        for url, options, error in [
            ("http://127.0.0.1:1/x?key=1", "{}", "upstream: main.js:1 in handle: TypeError: GET http://127.0.0.1:1/x: NetworkError when attempting to fetch resource"),
            (f"{SERVICE}/slow", "{ signal: AbortSignal.timeout(100) }", f"upstream: main.js:1 in handle: TypeError: GET {SERVICE}/slow: TimeoutError"),
            ("notaurl", "{}", "main.js:1 in handle: TypeError: URL constructor: notaurl is not a valid URL."),
        ]:
            self.assert_breaks(f"export async function handle() {{ await fetch('{url}', {options}) }}", error)


class TypeScript(host.Case):
    runner = TYPED

    def test_types_go_and_lines_stay(self) -> None:
        source = """import { BotError, handler, Reply, type Event } from "codenode";
import type { Nothing } from "nowhere";
interface Priced<T> {
  readonly of: T;
}
enum Tier { Silver = 1, Gold }
class Shop<T extends string> implements Priced<T> {
  constructor(readonly of: T, private off: number = 0) {}
  price(): number { return ({ speaker: 1500 } as const satisfies Record<string, number>)[this.of as "speaker"]! - this.off; }
}
export const handle = handler(async (event: Event): Promise<Reply> => {
  const shop = new Shop(event.node?.toLowerCase() as string, 100);
  if (Number.isNaN(shop.price())) throw new TypeError("no price" satisfies string);
  return new Reply(`${shop.price()} ${Tier[Tier.Gold]!}`);
});
"""
        program = TYPED.compile(source)
        self.assertEqual(json.loads(TYPED.run(program, {"node": "SPEAKER"})), {"status": True, "response": ["1400 Gold"]})
        world = World()
        with self.assertRaisesRegex(host.Broken, "^main.ts:13 in handle<?: TypeError: no price$"):
            TYPED.run(program, world=world)
        self.assertEqual(world.lines("critical")[2].strip(), 'if (Number.isNaN(shop.price())) throw new TypeError("no price" satisfies string);')

    def test_what_is_wrong_is_shown_with_its_line_and_a_caret(self) -> None:
        self.assert_refused(
            "type A = {\n  b: 1 };\nexport const a: = 1;",
            "main.ts:3:17: SyntaxError: Unexpected token",
            "    export const a: = 1;",
            "                    ^",
        )
        # Sucrase lets it pass; it is the engine that does not.
        self.assert_refused(
            "export const f = <T,>(a: Array<T>): T => { let a: T; };",
            "main.ts:1:48: SyntaxError: redeclaration of formal parameter a",
            "    export const f = <T,>(a: Array<T>): T => { let a: T; };",
            " " * 51 + "^",
        )
        self.assert_refused("interface A {", "main.ts:1:14: SyntaxError: Unexpectedly reached the end of input.", "    interface A {", " " * 17 + "^")
        self.assert_refused("\nenum A {}\nnamespace B { let c = 1 }", "main.ts:3:1: SyntaxError: there is no namespace here: write an object, or functions and variables", "    namespace B { let c = 1 }", "    ^")

    def test_a_hostile_source_ends_as_a_refusal(self) -> None:
        for nested in ("let x: " + "(" * 50_000, "x = " + "[" * 50_000, "let x: " + "A<" * 50_000, "x = `${" * 20_000, "x = " + "<a>" * 50_000, "x = " + "a?" * 50_000):
            self.assert_refused(nested, "main.ts: the source is nested too deeply, or too large")

    def test_the_longest_source_is_compiled_in_time(self) -> None:
        one = "interface A { a?: string }\nexport function share<T extends A>(a: T, n = 1): string { return `${a.a}` + (n as number); }\n"
        started = time.process_time()
        TYPED.compile(one * ((256 << 10) // len(one)))
        # The host allows for 10 s.
        self.assertLess(time.process_time() - started, 8)

    def test_a_source_is_called_by_its_own_name(self) -> None:
        for name in ("bot.mts", "a-b_c.js"):
            with self.assertRaisesRegex(host.Broken, f"^{name}:2 in handle: Error: no$"):
                RUNNER.called(name).run("export function handle() {\n  throw new Error('no');\n}")


if __name__ == "__main__":
    unittest.main()
