"""The runner for Python, as the component that it is."""

import json
import unittest

import host
import service
from host import Broken, Runner, World

RUNNER = Runner("python.wasm", "main.py")
SERVICE = service.start()


def run(source: str, event: object = None, world: World | None = None) -> object:
    return json.loads(RUNNER.run(source, event, world))


def value_of(expression: str, setup: str = "", world: World | None = None) -> object:
    """What an expression is in a handler."""
    return run(f"{setup}\ndef handle(event):\n    return {{'value': {expression}}}\n", world=world)["value"]


class Case(host.Case):
    runner = RUNNER


class Compile(Case):
    def test_what_is_wrong_is_shown_with_its_line_and_a_caret(self) -> None:
        self.assert_refused(
            "import json\n\ndef main(event context):\n    return {}\n",
            "main.py:3:16: SyntaxError: invalid syntax",
            "    def main(event context):",
            "                   ^^^^^^^",
        )
        self.assert_refused(
            "def main(event, context):\nreturn 1\n",
            "main.py:2:1: IndentationError: expected an indented block after function definition on line 1",
            "    return 1",
            "    ^^^^^^",
        )
        self.assert_refused("x = 1\0", "main.py: SyntaxError: source code string cannot contain null bytes")

    def test_a_missing_module_is_told_before_the_first_event(self) -> None:
        self.assert_refused(
            "import json\nimport numpy as np\n",
            "main.py:2:8: ModuleNotFoundError: there is no module numpy here: there are codenode, requests, pytz, dateutil and the standard library, "
            "as far as that needs no files, processes or sockets",
            "    import numpy as np",
            "           ^^^^^^^^^^^",
        )
        self.assertEqual(value_of("numpy", "try:\n    import numpy\nexcept ImportError:\n    numpy = None"), None)

    def test_a_misspelt_name_is_told_with_what_was_meant(self) -> None:
        for wrong, mend in [
            ("evnt['node']", "NameError: name 'evnt' is not defined. Did you mean: 'event'?"),
            ("json.loads('{}')", "NameError: name 'json' is not defined. Did you forget to import 'json'?"),
            ("'a'.uper()", "AttributeError: 'str' object has no attribute 'uper'. Did you mean: 'upper'?"),
        ]:
            self.assert_breaks(f"def handle(event):\n    return {wrong}\n", f"main.py:2 in handle: {mend}")

    def test_nothing_of_the_handler_runs(self) -> None:
        self.assertIsInstance(RUNNER.compile("while True: pass"), bytes)


class Events(Case):
    def test_a_platforms_handler_gets_the_event_as_text(self) -> None:
        source = """
import json
def main(event, context):
    order = json.loads(event["body"])["order"]
    return {"statusCode": 200, "body": json.dumps({"status": True, "response": [f"{order} for {context.function_name}"]})}
"""
        self.assertEqual(run(source, {"order": "ü71"}), {"status": True, "response": ["ü71 for order_status"]})

    def test_a_plain_handler_gets_it_parsed(self) -> None:
        self.assertEqual(run("def handle(event): return event", {"a": ["ü"]}), {"a": ["ü"]})

    def test_a_handler_may_be_async(self) -> None:
        source = """
import asyncio
async def late(n):
    await asyncio.sleep(0.01)
    return n
async def main(event, context):
    return {"sum": sum(await asyncio.gather(late(1), late(2)))}
"""
        self.assertEqual(run(source), {"sum": 3})

    def test_the_context_knows_the_run_and_its_time(self) -> None:
        source = """
import time
def handle(event, context):
    before = context.get_remaining_time_in_millis()
    time.sleep(0.05)
    return {"id": context.aws_request_id, "before": before, "used": before - context.get_remaining_time_in_millis()}
"""
        told = run(source)
        self.assertEqual(told["id"], "run-1")
        self.assertTrue(9_000 < told["before"] <= 10_000 and 50 <= told["used"] < 5_000, told)

    def test_a_handler_that_cannot_be_called_is_told_so(self) -> None:
        self.assert_breaks(
            "x = 1", "main.py: there is no handler: write `def main(event, context)` or `def handle(event)`"
        )
        self.assert_breaks("main = 5", "main.py: main is no function but 5 (int): write `def main(event, context)`")
        self.assert_breaks("def main(): pass", "main.py: main takes (): write `def main(event, context)`")


class Failing(Case):
    def test_an_exception_is_one_line_and_its_traceback_is_logged(self) -> None:
        world = World()
        source = "def share(n):\n    return 1 / n\ndef main(event, context):\n    return share(0)\n"
        self.assert_breaks(source, "main.py:2 in share: ZeroDivisionError: division by zero", world)
        self.assertEqual(
            world.lines("critical"),
            [
                "Traceback (most recent call last):",
                '  File "main.py", line 4, in main',
                "    return share(0)",
                '  File "main.py", line 2, in share',
                "    return 1 / n",
                "           ~~^~~",
                "ZeroDivisionError: division by zero",
            ],
        )

    def test_what_is_no_exception_is_told_too(self) -> None:
        body = "def main(event, context):\n    "
        self.assert_breaks(
            f"import sys\n{body}sys.exit(3)",
            "main.py:3 in main: the handler ended with SystemExit(3) and gave no reply; use `return`",
        )
        self.assert_breaks(f"{body}raise KeyboardInterrupt", "main.py:2 in main: KeyboardInterrupt")
        self.assert_breaks(
            f"{body}return main(event, context)",
            "main.py:2 in main: RecursionError: maximum recursion depth exceeded",
        )
        self.assert_breaks(f"{body}return [0] * (1 << 29)", "out of memory: main.py:2 in main: MemoryError")

    def test_what_cannot_be_text_breaks_nothing_else(self) -> None:
        self.assert_breaks("raise ValueError('\\ud800')", "main.py:1: ValueError: ?")
        world = World()
        run("print('\\ud800')\ndef handle(event): return {}", world=world)
        self.assertEqual(world.log, [("info", "?")])
        with self.assertRaisesRegex(Broken, "^the reply is no valid text: "):
            RUNNER.run("def handle(event): return {'a': '\\ud800'}")


class Runs(Case):
    def test_a_run_is_not_like_the_one_before(self) -> None:
        source = """
import os, random, secrets, time, uuid
def handle(event):
    return {"values": [random.random(), str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex(8), os.urandom(8).hex(), time.time()]}
"""
        program = RUNNER.compile(source)
        first, second = (json.loads(RUNNER.run(program))["values"] for _ in range(2))
        for one, other in zip(first, second, strict=True):
            self.assertNotEqual(one, other)

    def test_nobody_counts_who_holds_what_is_in_the_image(self) -> None:
        setup = "import gc, json, requests, sys"
        for held in ("json.loads", "json.loads.__code__", "requests.Session", "requests.models.__dict__", "sys.modules"):
            self.assertIs(value_of(f"sys._is_immortal({held})", setup), True, held)
        self.assertIs(value_of("sys._is_immortal(handle)", setup), False)
        self.assertEqual(value_of("(gc.unfreeze(), gc.collect(), json.loads('[1]'))[2]", setup), [1])

    def test_nothing_stays_from_one_run_to_the_next(self) -> None:
        program = RUNNER.compile("import json\njson.seen = getattr(json, 'seen', 0) + 1\ndef handle(event): return {'seen': json.seen}")
        self.assertEqual([json.loads(RUNNER.run(program))["seen"] for _ in range(2)], [1, 1])

    def test_there_is_a_standard_library_and_what_code_editors_have(self) -> None:
        modules = (
            "asyncio base64 bisect calendar cmath collections concurrent.futures copy csv dataclasses datetime decimal difflib email.mime.text "
            "enum fractions functools gzip hashlib heapq hmac html html.parser http.client io ipaddress itertools json locale logging math "
            "operator pickle pprint random re secrets statistics string struct textwrap time traceback types typing unicodedata urllib.parse "
            "urllib.request uuid xml.etree.ElementTree zipfile zlib zoneinfo "
            "chardet dateutil.parser dateutil.relativedelta dateutil.rrule idna pytz requests six urllib3 codenode"
        )
        imports = "\n".join(f"import {module}" for module in modules.split())
        self.assertEqual(value_of("1", imports), 1)

    def test_every_time_zone_is_there(self) -> None:
        setup = "import datetime, dateutil.tz, pytz, zoneinfo\nnoon = datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.timezone.utc)"
        for zone in ("zoneinfo.ZoneInfo('Asia/Kolkata')", "pytz.timezone('Asia/Kolkata')", "dateutil.tz.gettz('Asia/Kolkata')"):
            self.assertEqual(value_of(f"str(noon.astimezone({zone}))", setup), "2024-07-01 17:30:00+05:30", zone)
        self.assertGreater(value_of("len([zoneinfo.ZoneInfo(name) for name in zoneinfo.available_timezones()])", setup), 500)

    def test_print_and_logging_lead_to_the_log(self) -> None:
        world = World()
        source = """
import logging, sys
def handle(event):
    print("said")
    print("warned", file=sys.stderr)
    logging.getLogger("shop").info("order %d", 71)
    logging.debug("not at this level")
    logging.getLogger().setLevel(logging.DEBUG)
    logging.debug("at this level")
    logging.error("failed")
    print("no line break", end="")
    return {}
"""
        run(source, world=world)
        self.assertEqual(
            world.log,
            [
                ("info", "said"),
                ("warn", "warned"),
                ("info", "order 71"),
                ("debug", "at this level"),
                ("error", "failed"),
                ("info", "no line break"),
            ],
        )

    def test_files_sockets_and_threads_are_refused_in_words(self) -> None:
        for statement, error in [
            ("open('/etc/passwd')", "FileNotFoundError: [Errno 44] No such file or directory: '/etc/passwd'"),
            (
                "import socket; socket.create_connection(('localhost', 80))",
                "PermissionError: there are no sockets here: use `requests` or `urllib.request`",
            ),
            ("import threading; threading.Thread(target=print).start()", "RuntimeError: can't start new thread"),
        ]:
            self.assert_breaks(f"def main(event, context):\n    {statement}\n", f"main.py:2 in main: {error}")


class Codenode(Case):
    def test_entries_are_kept(self) -> None:
        world = World()
        source = """
from codenode import kv
def handle(event):
    node, tenant = kv.node(), kv.tenant()
    node.keep_for(minutes=5).set("otp/1", "271828")
    tenant.set_json("order/7", {"state": "packed"})
    tenant.set("raw", b"\\xff")
    tenant.delete("order/8")
    return {
        "visits": [node.increment("visits"), node.keep_for(60).increment("visits", 2)],
        "read": [node.text("otp/1"), node.text("none"), tenant.json("order/7"), tenant.exists("order/8"), list(tenant.get("raw"))],
        "many": [value and value.decode() for value in node.get_many(["visits", "none"])],
        "keys": len(list(tenant.keys())),
    }
"""
        world.buckets["tenant"] = {f"a{n:03}": b"" for n in range(250)} | {"order/8": b"x"}
        told = run(source, world=world)
        self.assertEqual(told["visits"], [1, 3])
        self.assertEqual(told["read"], ["271828", None, {"state": "packed"}, False, [255]])
        self.assertEqual((told["many"], told["keys"]), (["3", None], 252))
        self.assertEqual(world.times, {"otp/1": 300, "visits": 60})
        self.assertEqual(world.buckets["node"], {"otp/1": b"271828", "visits": b"3"})

    def test_an_update_is_tried_again_when_others_were_faster(self) -> None:
        add = "kv.node().update_json('n', lambda n: (n or 0) + 1)"
        self.assertEqual(value_of(f"[{add}, {add}]", "from codenode import kv"), [1, 2])
        self.assertEqual(value_of(add, "from codenode import kv", World(contention=3)), 1)
        self.assert_breaks(
            f"from codenode import kv\ndef main(e, c): {add}",
            "main.py:2 in main: Contended: kv:node n: others have changed it 10 times meanwhile",
            World(contention=10),
        )
        self.assertEqual(value_of("kv.node().update('n', lambda seen: None)", "from codenode import kv"), None)

    def test_what_cannot_be_kept_says_why(self) -> None:
        world = World()
        del world.buckets["tenant"]
        world.buckets["node"]["word"] = b"x"
        for call, error in [
            ("kv.tenant()", "Refused: kv:tenant: it is not granted to this node: grants = [\"kv:tenant\"] in node.toml, or --grant kv:tenant"),
            ("kv.node().get('')", "Invalid: kv:node: a key has at least one byte"),
            ("kv.node().set('a?ttl=5', '')", "Invalid: kv:node a?ttl=5: a key has no `?ttl=`; use `keep_for`"),
            ("kv.node().set('a', 5)", "TypeError: kv:node a: a value is text or bytes, not int; use `set_json`"),
            ("kv.node().keep_for(0)", "Invalid: kv:node: an entry is kept for 1 second to 366 days, not for 0:00:00"),
            ("kv.node().increment('word')", "Failed: kv:node word: its value is no number"),
            ("kv.node().json('word')", "Unreadable: kv:node word: its value cannot be read as JSON: Expecting value: line 1 column 1 (char 0)"),
        ]:
            self.assert_breaks(f"from codenode import kv\ndef main(e, c): {call}", f"main.py:2 in main: {error}", world)

    def test_a_code_is_right_once(self) -> None:
        setup = "from codenode import otp\ncodes = otp.Codes()\ncode = codes.issue('a')"
        self.assertEqual(value_of("[codes.verify('a', typed).kind.value for typed in ('no', code, code)]", setup), ["wrong", "right", "no code"])

    def test_what_no_host_can_take_is_an_exception_and_no_trap(self) -> None:
        for call, error in [
            ("http.get('https://a.example/x?y=1', timeout=-1)", "Invalid: GET https://a.example/x: its timeout is -1 seconds: give more than 0, or none to wait as long as the run may"),
            ("http.post('https://a.example/', data='\\ud800')", "Invalid: POST https://a.example/: its body is no valid text: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"),
            ("http.get('https://a.example/\\ud800')", "Invalid: the URL or the method of a request is no valid text"),
            ("http.get('https://a.example/', headers={'n': 5})", "TypeError: GET https://a.example/: the header 'n' is a text, not int"),
            ("kv.node().increment('n', 1.5)", "TypeError: kv:node n: what is added is a whole number, not float"),
            ("config.get(5)", "TypeError: a key is a text, not int"),
            ("log.error('\\ud800'), config.text('\\ud800')", "Missing: ? is not set, or not granted: `codenode config set ? VALUE`, and grant `config`; for a secret `--secret`, and `secret:?`"),
            ("codenode.Reply('a').x", "AttributeError: 'Reply' object has no attribute 'x'"),
        ]:
            self.assert_breaks(f"import codenode; from codenode import config, http, kv, log\ndef main(e, c): {call}", f"main.py:2 in main: {error}")
        with self.assertRaisesRegex(Broken, "^the handler answered with the statusCode 500: \\?$"):
            RUNNER.run("def main(e, c): return {'statusCode': 500, 'body': '\\ud800'}")

    def test_messages_are_found_by_language(self) -> None:
        world = World()
        world.buckets["messages"] = {"late": "Order {order} is late.".encode(), "late/hi": "ऑर्डर {order}".encode()}
        say = "messages.fill(messages.text('late', {}), order=71)"
        self.assertEqual(value_of(say.format("'hi-IN'"), "from codenode import messages", world), "ऑर्डर 71")
        self.assertEqual(value_of(say.format("'de'"), "from codenode import messages", world), "Order 71 is late.")
        self.assert_breaks(
            "from codenode import messages\ndef main(e, c): messages.text('none', 'de')",
            "main.py:2 in main: Missing: there is no message none in de, nor one without a language: "
            "add it with `codenode message set none TEXT`",
            world,
        )

    def test_configuration_is_read(self) -> None:
        world = World(config={"shop.name": "Corner", "orders.shown": "3"})
        setup = "from codenode import config"
        self.assertEqual(value_of("[config.text('shop.name'), config.read('orders.shown'), config.get('no')]", setup, world), ["Corner", 3, None])
        self.assertEqual(value_of("config.all()", setup, world), world.config)
        with self.assertRaisesRegex(Broken, "main.py:2 in main: Missing: no is not set, or not granted: `codenode config set no VALUE`"):
            RUNNER.run(f"{setup}\ndef main(e, c): config.text('no')", world=world)

    def test_log_lines_have_their_levels(self) -> None:
        world = World()
        calls = "; ".join(f"log.{level}('%s', 1)" for level in ("trace", "debug", "info", "warn", "error", "critical"))
        run(f"from codenode import log\n{calls}\ndef handle(event): return {{}}", world=world)
        self.assertEqual([level for level, _ in world.log], ["trace", "debug", "info", "warn", "error", "critical"])


class Requests(Case):
    SETUP = f"import json, requests, urllib.request\nURL = {SERVICE!r}\n"

    def answer(self, expression: str) -> object:
        return value_of(expression, self.SETUP)

    def test_a_request_goes_out_as_it_was_meant(self) -> None:
        told = self.answer("requests.post(URL + '/a?x=1', params={'q': 'ü b'}, json={'a': 'ü'}, auth=('user', 'pass'), timeout=5).json()")
        self.assertEqual((told["method"], told["path"]), ("POST", "/a?x=1&q=%C3%BC+b"))
        self.assertEqual(json.loads(told["body"]), {"a": "ü"})
        self.assertEqual(told["headers"]["authorization"], "Basic dXNlcjpwYXNz")
        self.assertEqual(told["headers"]["content-type"], "application/json")
        told = self.answer("requests.get(URL.replace('://', '://user:pass@')).json()")
        self.assertEqual(told["headers"]["authorization"], "Basic dXNlcjpwYXNz")
        told = self.answer("requests.put(URL, data=iter([b'a' * 5000, b'b'])).json()")
        self.assertEqual((told["method"], len(told["body"]), told["headers"]["content-length"]), ("PUT", 5_001, "5001"))

    def test_a_session_keeps_cookies_and_follows_redirects(self) -> None:
        self.assertEqual(self.answer("(lambda s: [s.get(URL).status_code, s.get(URL).json()['headers']['cookie']])(requests.Session())"), [200, "basket=7; theme=dark"])
        self.assertEqual(self.answer("(lambda r: [r.json()['path'], len(r.history)])(requests.get(URL + '/moved'))"), ["/here", 1])
        self.assertEqual(self.answer("requests.get(URL + '/packed').json()['path']"), "/packed")
        self.assertEqual(self.answer("len(requests.head(URL).content)"), 0)

    def test_urllib_works_too(self) -> None:
        self.assertEqual(self.answer("json.load(urllib.request.urlopen(URL + '/b', data=b'x', timeout=5))['body']"), "x")

    def test_a_service_is_blamed_for_its_own_failures_only(self) -> None:
        main = self.SETUP + "def main(event, context):\n    "
        for call, error in [
            ("requests.get(URL + '/503?key=1').raise_for_status()", f"upstream: main.py:4 in main: HTTPError: 503 Server Error: Service Unavailable for url: {SERVICE}/503"),
            ("requests.get(URL + '/404').raise_for_status()", f"main.py:4 in main: HTTPError: 404 Client Error: Not Found for url: {SERVICE}/404"),
            ("requests.get(URL + '/slow', timeout=0.2)", f"upstream: main.py:4 in main: ReadTimeout: GET {SERVICE}/slow: the service did not answer in time"),
            ("requests.get('http://127.0.0.1:1/x?key=1')", "upstream: main.py:4 in main: ConnectionError: GET http://127.0.0.1:1/x: nobody listens there"),
            ("urllib.request.urlopen(URL + '/503')", "upstream: main.py:4 in main: HTTPError: HTTP Error 503: Service Unavailable"),
            ("urllib.request.urlopen('http://127.0.0.1:1/')", "upstream: main.py:4 in main: URLError: <urlopen error GET http://127.0.0.1:1/: nobody listens there>"),
            ("requests.get(URL.replace('://', '://user:secret@') + '/404').raise_for_status()", f"main.py:4 in main: HTTPError: 404 Client Error: Not Found for url: {SERVICE}/404"),
            ("requests.get('http://user:secret@127.0.0.1:1/')", "upstream: main.py:4 in main: ConnectionError: GET http://127.0.0.1:1/: nobody listens there"),
            ("requests.get('a.example/x?token=secret')", "main.py:4 in main: MissingSchema: Invalid URL 'a.example/x': No scheme supplied. Perhaps you meant https://a.example/x"),
            ("requests.get('ftp://h/x?token=secret')", "main.py:4 in main: InvalidSchema: No connection adapters were found for 'ftp://h/x'"),
            ("requests.get(URL, headers={'Host': 'a'})", f"main.py:4 in main: InvalidURL: GET {SERVICE}/: the header Host is set by the host"),
        ]:
            with self.subTest(call):
                world = World()
                self.assert_breaks(main + call, error, world)
                self.assertFalse([line for line in world.lines("critical") if "Error: " in line and ("secret" in line or "key=" in line)])

    def test_advice_on_a_key_is_given_where_one_was_asked_for(self) -> None:
        for wrong, error in [
            ("event['entities']['product']", "KeyError: 'product': did you mean 'product_name'?"),
            ("codenode.Event.of(event).entities['product']", "KeyError: 'product': did you mean 'product_name'?"),
            ("zoneinfo.ZoneInfo('Asia/Calcuta')", "ZoneInfoNotFoundError: 'No time zone found with key Asia/Calcuta'"),
            ("pytz.timezone('Asia/Calcuta')", "UnknownTimeZoneError: 'Asia/Calcuta'"),
            ("set().remove('x')", "KeyError: 'x'"),
        ]:
            source = f"import codenode, pytz, zoneinfo\ndef handle(event):\n    return {wrong}\n"
            with self.assertRaises(Broken) as broken:
                RUNNER.run(source, {"entities": {"product_name": []}})
            self.assertEqual(str(broken.exception), f"main.py:3 in handle: {error}")


if __name__ == "__main__":
    unittest.main()
