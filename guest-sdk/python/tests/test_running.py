import logging
import unittest

from codenode import Error, Event, Reply, handler, log, testing
from codenode._handler import answer
from codenode.log import Level


class Running(unittest.TestCase):
    def test_a_run_keeps_the_reply_and_the_lines(self) -> None:
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
