"""The runner's own logic, on whatever Python runs this. What hangs on the component is tried in `runtime/runners/tests`."""

import json
import unittest
from pathlib import Path

from . import fakes  # First: it finds what the others import.
from codenode import _failures, log, messages
from codenode_runner import failures, handler, program
from codenode_runner.context import Context
from codenode_runner.failures import Failed

CONTEXT = json.dumps({"function_name": "order_status", "request_id": "run-1", "wall_time_millis": 10_000})


def run(source: str, event: str = '{"node": "ORDER"}') -> str:
    return handler.run(program.build("main.py", source), event, CONTEXT)


class Program(unittest.TestCase):
    def test_one_of_another_runner_is_refused(self) -> None:
        with self.assertRaisesRegex(Failed, "of another runner: compile the source again"):
            program.load(b"codenode python 0 \0\0\0\0")

    def test_a_tab_before_an_error_leaves_the_caret_in_its_place(self) -> None:
        with self.assertRaises(Failed) as refused:
            program.build("main.py", "if True:\n\tx = 'a\n")
        said, line, caret = str(refused.exception).split("\n")
        self.assertTrue(said.startswith("main.py:2:6: SyntaxError: unterminated string literal"), said)
        self.assertEqual((line, caret), ("     x = 'a", "         ^"))

    def test_a_source_is_called_by_its_own_name(self) -> None:
        with self.assertRaisesRegex(Failed, "^bot.py:1:5: SyntaxError: "):
            program.build("bot.py", "x = = 1")
        source = "def handle(event):\n    return 1 / len(event['node'])"
        with self.assertRaisesRegex(Failed, "^bot.py:2 in handle: ZeroDivisionError: "):
            handler.run(program.build("bot.py", source), '{"node": ""}', CONTEXT)
        with self.assertRaisesRegex(Failed, "^main.py: there is no handler"):
            run("x = 1")


class Events(unittest.TestCase):
    def test_a_handler_of_the_sdk_gets_an_event_whatever_it_is_called(self) -> None:
        for parameters, said in [
            ("def handle(event)", "event.node"),
            ("def handle(event, context)", "event.node + context.aws_request_id"),
            ("def main(event)", "event.node"),
            ("def main(event, context)", "event.node + context.aws_request_id"),
            ("async def main(event, context=None)", "event.node + context.aws_request_id"),
        ]:
            with self.subTest(parameters):
                told = run(f"import codenode\n@codenode.handler\n{parameters}:\n    return codenode.Reply({said})\n")
                self.assertEqual(json.loads(told)["response"], ["ORDER" + ("run-1" if "context" in said else "")])
        with self.assertRaises(Failed) as broken:
            run("import codenode\n@codenode.handler\ndef handle(event, context, more): pass\n")
        self.assertEqual(str(broken.exception), "main.py: handle takes (event, context, more): write `def handle(event)`")

    def test_the_example_takes_both_shapes_of_a_value(self) -> None:
        example = (Path(__file__).parents[4] / "examples/price-python/main.py").read_text()
        for value, said in [
            ("speaker", "The price of the speaker is ₹1500."),
            ({"value": "speaker", "unit": "quantity"}, "The price of the speaker is ₹1500."),
            ({"dd": 1, "mm": 2}, "Sorry, we don't sell that."),
            ({"value": ["speaker"]}, "Sorry, we don't sell that."),
        ]:
            entities = {"product_name": [{"detection": "message", "original_text": "", "entity_value": value}]}
            self.assertEqual(json.loads(run(example, json.dumps({"entities": entities})))["response"], [said])
        self.assertEqual(json.loads(run(example, '{"entities": {}}'))["status"], False)


class Reply(unittest.TestCase):
    def test_each_shape_that_is_taken(self) -> None:
        for returned, reply in [
            ('{"status": True, "response": ["a"]}', {"status": True, "response": ["a"]}),
            ('{"statusCode": 200, "body": "{\\"a\\": 1}"}', {"a": 1}),
            ('{"statusCode": "200", "headers": {}, "body": {"a": 1}}', {"a": 1}),
            ('{"body": "{}"}', {}),
            ('codenode.Reply("a", status=False)', {"status": False, "response": ["a"]}),
            ('{"body": "hello", "response": []}', {"body": "hello", "response": []}),
            ('{"statusCode": 200, "body": "eyJhIjoxfQ==", "isBase64Encoded": True}', {"a": 1}),
        ]:
            with self.subTest(returned):
                self.assertEqual(json.loads(run(f"import codenode\ndef main(event, context):\n    return {returned}\n")), reply)

    def test_each_shape_that_is_not(self) -> None:
        expected = 'return {"statusCode": 200, "body": json.dumps(reply)} or the reply itself, a dict'
        for returned, error in [
            ("None", f"main.py:1: main returned None, as a function does that ends without `return`: {expected}"),
            ("[1]", f"main.py:1: main returned [1] (list): {expected}"),
            ("'x' * 99", f"main.py:1: main returned '{'x' * 58}… (str): {expected}"),
            ('{"statusCode": 200}', f"main.py:1: main returned an answer without a body: {expected}"),
            ('{"statusCode": 200, "body": 7}', f"main.py:1: main returned an answer whose body is 7 (int): {expected}"),
            ('{"statusCode": 502, "body": "a\\nb"}', "the handler answered with the statusCode 502: a b"),
            ('{"statusCode": True, "body": "{}"}', "the handler answered with the statusCode True: {}"),
            ('{"a": {1}}', "the reply cannot be JSON: Object of type set is not JSON serializable"),
            ('{"body": "\\ud800"}', "the reply is no valid text: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"),
        ]:
            with self.subTest(returned), self.assertRaises(Failed) as broken:
                run(f"def main(event, context):\n    return {returned}\n")
            self.assertEqual(str(broken.exception), error)


class Failures(unittest.TestCase):
    def test_only_the_authors_lines_are_told(self) -> None:
        fakes.LOG.clear()
        with self.assertRaises(Failed) as broken:
            run("import json\ndef main(event, context):\n    json.loads('{')\n")
        self.assertTrue(str(broken.exception).startswith("main.py:3 in main: JSONDecodeError: Expecting property name"))
        ((level, _, told),) = fakes.LOG
        self.assertEqual(level, log.Level.CRITICAL)
        self.assertIn("json.loads('{')", told)
        self.assertEqual(told.count("  File "), 1, told)

    def test_a_line_says_what_to_write_instead(self) -> None:
        event = "event = {'entities': {'product_name': [{'entity_value': 'speaker'}]}}"
        for wrong, mend in [
            ("event['entities']['product']", "KeyError: 'product': did you mean 'product_name'?"),
            ("event['entities']['colour']", "KeyError: 'colour': there is no such key; `.get('colour')` gives None for it"),
            ("{}[7]", "KeyError: 7"),
        ]:
            with self.subTest(wrong):
                with self.assertRaises(Failed) as broken:
                    run(f"def handle(event):\n    {event}\n    return {wrong}\n")
                self.assertEqual(str(broken.exception), f"main.py:3 in handle: {mend}")

    def test_an_error_of_the_sdk_is_told_as_it_stands(self) -> None:
        fakes.LOG.clear()
        with self.assertRaises(Failed) as broken:
            run("import codenode\n@codenode.handler\ndef handle(event):\n    raise codenode.Error(f'{event.node} is closed')\n")
        self.assertEqual(str(broken.exception), "ORDER is closed")
        self.assertEqual(fakes.LOG, [])

    def test_a_line_is_one_line_and_not_endless(self) -> None:
        with self.assertRaises(Failed) as broken:
            run("raise ValueError('a\\n' * 5000)")
        line = str(broken.exception)
        self.assertTrue(line.startswith("main.py:1: ValueError: a a a") and "\n" not in line, line)
        self.assertEqual(len(line), _failures.MAX_LINE_CHARS)

    def test_a_services_failure_shows_no_query(self) -> None:
        error = ValueError("503 for url: https://a.example/x?token=secret")
        error.response = type("Response", (), {"status_code": 503, "url": "https://a.example/x?token=secret"})()
        self.assertEqual(failures.FAILURES.line(error), "upstream: ValueError: 503 for url: https://a.example/x")
        error.response.status_code = 404
        self.assertFalse(_failures.is_of_a_service(error))


class Rest(unittest.TestCase):
    def test_a_proxy_event_has_the_platforms_bytes(self) -> None:
        event = handler.proxy_event('{"a":  1}', Context(CONTEXT))
        self.assertEqual((event["body"], event["requestContext"]["requestId"]), ('{"a":  1}', "run-1"))

    def test_a_level_is_the_next_lower_one_that_has_a_name(self) -> None:
        self.assertEqual([log.level_of(n).name for n in (60, 45, 25, 5)], ["CRITICAL", "ERROR", "INFO", "TRACE"])

    def test_a_language_is_looked_up_from_the_most_to_the_least_exact(self) -> None:
        self.assertEqual(messages.endings("zh-Hant-TW"), ["/zh-Hant-TW", "/zh-Hant", "/zh", ""])
        self.assertEqual(messages.endings("en_IN"), ["/en-IN", "/en", ""])
        self.assertEqual(messages.endings("en-x-shop"), ["/en-x-shop", "/en", ""])
        for none in ("", "hi/in", "hi?ttl=5", "é", "a" * 36, None):
            self.assertEqual(messages.endings(none), [""], none)

    def test_values_stand_where_their_names_are(self) -> None:
        for text, filled in [("{a}{b}", "1{a}"), ("{{a}}", "{1}"), ("{a", "{a"), ("a}", "a}"), ("{c} {a}", "{c} 1")]:
            self.assertEqual(messages.fill(text, a="1", b="{a}"), filled, text)


if __name__ == "__main__":
    unittest.main()
