import logging
import sys
import unittest
from typing import Any

from codenode import Error, Event, Reply, handler, kv, log, testing
from codenode._handler import answer, why_not_called
from codenode.log import Level


class Running(unittest.TestCase):
    def test_a_run_keeps_the_reply_and_the_lines(self) -> None:
        @handler
        def handle(event: Event) -> Reply:
            log.info("asked by %s in %d%%", event.user.full_name, 5)
            log.warn("100%")
            logging.getLogger("shop").handle(logging.LogRecord("shop", logging.ERROR, "", 0, "late", None, None))
            return Reply(event.env_variables.text("GREETING") or "?")

        logger, target = logging.getLogger("shop"), log.Handler()
        logger.addHandler(target)
        self.addCleanup(logger.removeHandler, target)
        run = testing.run(handle, testing.event("HELLO", user={"full_name": "आशा"}, env={"GREETING": "नमस्ते"}))
        self.assertEqual((run.texts, run.json), (["नमस्ते"], {"status": True, "response": ["नमस्ते"]}))
        lines = [(line.level, line.context, line.message) for line in run.logs]
        self.assertEqual(lines, [(Level.INFO, "", "asked by आशा in 5%"), (Level.WARN, "", "100%"), (Level.ERROR, "shop", "late")])

    def test_an_exception_names_the_line_and_an_error_is_told_as_it_stands(self) -> None:
        @handler
        def divide(event: Event) -> Reply:
            return Reply(str(1 // len(event.entities)))

        def decline(event: Event) -> Reply:
            raise Error("no product\nwas asked for")

        run = testing.run(divide, testing.event("X"))
        self.assertRegex(run.error, r"^test_running\.py:\d+ in divide: ZeroDivisionError: ")
        self.assertEqual(testing.run(decline, testing.event("X")).error, "no product was asked for")
        with self.assertRaisesRegex(AssertionError, "the handler gave no reply"):
            _ = run.reply
        with self.assertRaisesRegex(AssertionError, "the handler gave a reply"):
            _ = testing.run(lambda _: Reply("a"), testing.event("X")).error

    def test_a_handler_takes_what_the_platform_sent(self) -> None:
        @handler
        def typed(event: Event) -> Reply:
            return Reply(event.node, status=False)

        def plain(event: dict[str, object]) -> dict[str, object]:
            return {"response": [event["node"]], "next": "X"}

        self.assertEqual(answer(typed, '{"step":"ORDER"}'), '{"status":false,"response":["ORDER"]}')
        self.assertEqual(answer(plain, '{"node":"ORDER"}'), '{"response":["ORDER"],"next":"X"}')
        self.assertEqual(testing.run(typed, testing.event("ORDER")).texts, ["ORDER"])
        self.assertEqual(testing.run(plain, testing.event("ORDER")).json, {"response": ["ORDER"], "next": "X"})

    def test_a_plain_handler_may_change_its_event(self) -> None:
        def plain(event: dict[str, Any]) -> dict[str, object]:
            return {"response": [event["entities"].pop("a")[0]["entity_value"]]}

        event = testing.event("ORDER", entities={"a": "71"})
        for _ in range(2):
            self.assertEqual(testing.run(plain, event).texts, ["71"])
        self.assertRegex(testing.run(plain, Event(node="X")).error, "make it with `testing.event`")

    def test_a_dict_is_seen_as_the_reply_that_it_is(self) -> None:
        def plain(event: object) -> dict[str, object]:
            element = {"type": "SILENT", "data": {}}
            return {"response": ["a", element], "user_details": {"b": 1}, "conversation_details": {"c": "2"}, "next": "X", "status": False}

        reply = testing.run(plain, testing.event("X")).reply
        self.assertEqual((reply.texts, len(reply.messages), reply.status), (["a"], 2, False))
        self.assertEqual((reply.user_details, reply.conversation_details, reply.extra), ({"b": 1}, {"c": "2"}, {"next": "X"}))

    def test_what_the_host_would_not_take_is_no_reply_and_keeps_nothing(self) -> None:
        wrong: list[tuple[object, str]] = [
            (Reply(), "the reply has no message: `response` is an empty list"),
            ({}, "the reply has no message: `response` is absent"),
            ({"response": "a"}, "the reply has the wrong shape: `response` must be a list of messages"),
            ({"response": ["a", 7]}, "the reply has the wrong shape: `response[1]` is neither a string nor a message element"),
            ({"response": [{"text": "a"}]}, "the reply has the wrong shape: `response[0]` is not a message element: missing field `type`"),
            ({"response": [{"type": "A", "data": 1}]}, "the reply has the wrong shape: `response[0]` is not a message element: its `data` is not an object"),
            ({"response": ["a"], "status": 1}, "the reply has the wrong shape: `status` must be true or false"),
        ]

        def keep(returned: object) -> object:
            kv.node().set("a", "x")
            return returned

        for returned, why in wrong:
            with self.subTest(why), testing.kv():
                self.assertEqual(testing.run(lambda _: keep(returned), testing.event("X")).error, why)
                self.assertIsNone(kv.node().get("a"))

    def test_an_exit_is_no_reply(self) -> None:
        def handle(event: object) -> None:
            sys.exit(3)

        self.assertRegex(testing.run(handle, testing.event("X")).error, r"in handle: the handler ended with SystemExit\(3\) and gave no reply")

    def test_half_a_surrogate_pair_is_told_and_traps_nothing(self) -> None:
        def fail(event: object) -> None:
            log.info("\ud83d")
            raise ValueError("\ud83d")

        for reply in (Reply("\ud83d"), {"response": ["\ud83d"]}, Reply("a", extra={"\ud83d": 1})):
            with self.assertRaisesRegex(Error, "^the reply is no valid text: "):
                answer(lambda _: reply, "{}")
        run = testing.run(fail, testing.event("X"))
        self.assertRegex(run.error, r"in fail: ValueError: \?$")
        self.assertEqual([line.message for line in run.logs], ["?"])

    def test_no_line_of_a_log_breaks_a_run(self) -> None:
        class Odd:
            def __str__(self) -> str:
                raise ValueError

        def handle(event: object) -> Reply:
            log.info("100% of %s", "a")
            log.info("%(a)s and %(b)d", {"a": 1, "b": 2})
            log.info("%s", {"a": 1})
            log.info("%s", Odd())
            log.info("%s %s", "a")
            return Reply("a")

        lines = [line.message for line in testing.run(handle, testing.event("X")).logs]
        self.assertEqual(lines, ["100% of %s a", "1 and 2", "{'a': 1}", "%s (a Odd that cannot be shown)", "%s %s a"])

    def test_an_event_has_what_was_said_of_it_and_nothing_else(self) -> None:
        self.assertEqual(list(testing.event("X").raw), ["node", "event", "user", "entities"])
        self.assertEqual(testing.event("X", env={"a": "b"}).raw["env_variables"], {"a": "b"})
        with self.assertRaisesRegex(ValueError, "not JSON compliant"):
            testing.event("X", user_details={"a": float("nan")})

    def test_what_is_no_reply_is_told(self) -> None:
        async def later(event: object) -> None:
            return None

        for handle, why in [
            (lambda _: None, "handle returned None: return a `codenode.Reply`, or a dict"),
            (lambda _: "x" * 99, f"handle returned '{'x' * 58}… \\(str\\)"),
            (later, "handle returned a coroutine: write `def handle\\(event\\)`, without `async`"),
        ]:
            with self.subTest(why), self.assertRaisesRegex(Error, why):
                answer(handle, "{}")
        with self.assertRaisesRegex(Error, "the event is not JSON"):
            answer(lambda _: Reply("a"), "{")

    def test_what_a_component_cannot_call_is_told_when_it_is_built(self) -> None:
        @handler
        def of_two(event: Event, context: object) -> Reply:
            return Reply("a")

        self.assertEqual(why_not_called(None), "there is no function `handle`")
        self.assertEqual(why_not_called(of_two), "handle takes (event: codenode.event.Event, context: object) -> codenode.reply.Reply")
        self.assertIsNone(why_not_called(Event.of))
