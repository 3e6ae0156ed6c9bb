import math
import unittest
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

from codenode import Event, Reply, config, handler, http, kv, messages, otp, testing


class Keeping(unittest.TestCase):
    def setUp(self) -> None:
        self.kept = self.enterContext(testing.kv())

    def test_what_a_run_writes_is_kept_if_it_replies(self) -> None:
        @handler
        def handle(event: Event) -> Reply:
            bucket = kv.node()
            bucket.set("a", event.node)
            bucket.increment("tries")
            self.assertEqual(bucket.text("a"), event.node)
            if event.node == "BREAKS":
                raise ValueError
            return Reply("kept")

        testing.run(handle, testing.event("BREAKS"))
        self.assertEqual((kv.node().text("a"), kv.node().json("tries")), (None, 1))
        testing.run(handle, testing.event("X"))
        self.assertEqual((kv.node().text("a"), kv.node().json("tries")), ("X", 2))
        self.assertIsNone(kv.tenant().get("a"))

    def test_entries_expire(self) -> None:
        kv.node().keep_for(hours=1).set("a", b"x")
        kv.node().set("b", "y")
        self.kept.advance(timedelta(minutes=59))
        self.assertTrue(kv.node().exists("a"))
        self.kept.advance(60)
        self.assertEqual((kv.node().exists("a"), list(kv.node().keys())), (False, ["b"]))

    def test_an_update_is_tried_again_while_others_change_the_entry(self) -> None:
        bucket = kv.node()

        def later(before: bytes | None) -> str:
            if before is None:
                bucket.increment("a")
            return f"{(before or b'').decode()}x"

        self.assertEqual(bucket.update("a", later), b"1x")
        self.assertEqual(bucket.update_json("list", lambda found: [*(found or []), 1]), [1])
        with self.assertRaises(kv.Contended):
            bucket.update("n", lambda _: str(bucket.increment("n")))

    def test_all_keys_come_page_by_page_in_the_order_of_their_bytes(self) -> None:
        for number in range(230):
            kv.tenant().set(f"{number:03}", "x")
        kv.tenant().set("é", "x")
        self.assertEqual(list(kv.tenant().keys()), [f"{number:03}" for number in range(230)] + ["é"])

    def test_what_cannot_be_is_refused_in_words(self) -> None:
        bucket = kv.node()
        bucket.set("a", "007")
        refused: list[tuple[Callable[[], object], type[kv.Error], str]] = [
            (lambda: bucket.get(""), kv.Invalid, "a key has at least one byte"),
            (lambda: bucket.get("é" * 257), kv.Invalid, "at most 512 bytes"),
            (lambda: bucket.set("a?ttl=5", "x"), kv.Invalid, "use `keep_for`"),
            (lambda: bucket.set("a", b"x" * (256 * 1024 + 1)), kv.Invalid, "at most 256 KiB"),
            (lambda: bucket.keep_for(0.0), kv.Invalid, "1 second to 366 days"),
            (lambda: bucket.keep_for(math.nan), kv.Invalid, "1 second to 366 days"),
            (lambda: bucket.keep_for(math.inf), kv.Invalid, "1 second to 366 days"),
            (lambda: bucket.keep_for(days=1e300), kv.Invalid, "1 second to 366 days"),
            (lambda: bucket.get("\ud800"), kv.Invalid, "a key is UTF-8"),
            (lambda: bucket.set("a", "\ud800"), kv.Invalid, "its value is no valid text"),
            (lambda: bucket.set_json("a", {1, 2}), kv.Invalid, "cannot be JSON"),
            (lambda: bucket.increment("a"), kv.Failed, "no whole number"),
            (lambda: bucket.json("a"), kv.Unreadable, "cannot be read as JSON"),
        ]
        for act, kind, why in refused:
            with self.subTest(why), self.assertRaisesRegex(kind, why):
                act()
        with self.assertRaisesRegex(TypeError, "kv:node n: what is added is a whole number, not float"):
            bucket.increment("n", 1.5)  # type: ignore[arg-type]

    def test_a_code_is_right_once_and_has_few_tries(self) -> None:
        codes = otp.Codes(digits=12, good_for=60, tries=2)
        code = codes.issue("a")
        self.assertRegex(code, "^[0-9]{12}$")
        self.assertEqual(codes.verify("b", code).kind, otp.Kind.NO_CODE)
        self.assertEqual(codes.verify("a", "no"), otp.Verdict(otp.Kind.WRONG, 1))
        self.assertTrue(codes.verify("a", f" {code}\n").is_right)
        self.assertEqual(codes.verify("a", code).kind, otp.Kind.TOO_MANY_TRIES)
        code = codes.issue("a")
        self.kept.advance(60)
        self.assertEqual(codes.verify("a", code).kind, otp.Kind.NO_CODE)

    def test_a_right_code_is_used_up_even_if_the_run_breaks(self) -> None:
        def handle(event: object) -> None:
            self.assertTrue(codes.verify("a", code).is_right)
            raise ValueError("after it was right")

        codes = otp.Codes(good_for=timedelta(minutes=1))
        code = codes.issue("a")
        self.assertRegex(testing.run(handle, testing.event("X")).error, "after it was right")
        self.assertEqual(codes.verify("a", code).kind, otp.Kind.NO_CODE)
        self.assertTrue(codes.verify("a", codes.issue("a")).is_right)

    def test_of_two_who_bring_a_code_at_the_same_time_one_is_right(self) -> None:
        codes, others = otp.Codes(), list[otp.Verdict]()
        code = codes.issue("a")

        def while_another_does(known: bytes, given: bytes) -> bool:
            if not others:
                others.append(otp.Verdict(otp.Kind.NO_CODE))
                others[0] = codes.verify("a", code)
            return known == given

        with mock.patch("codenode.otp.hmac.compare_digest", while_another_does):
            mine = codes.verify("a", code)
        self.assertEqual([others[0].kind, mine.kind], [otp.Kind.RIGHT, otp.Kind.NO_CODE])


class Granting(unittest.TestCase):
    def test_nothing_is_granted_unless_a_test_grants_it(self) -> None:
        refused: list[tuple[Callable[[], object], type[Exception], str]] = [
            (kv.node, kv.Refused, "testing.kv"),
            (messages.open, kv.Refused, "testing.messages"),
            (lambda: http.get("https://a.example/x?token=secret"), http.Refused, "^GET https://a.example/x: .*testing.http"),
            (lambda: config.text("crm.url"), config.Missing, "`codenode config set crm.url VALUE`.*secret:crm.url"),
        ]
        for act, kind, what in refused:
            with self.subTest(what), self.assertRaisesRegex(kind, what):
                act()

    def test_messages_are_looked_up_by_language(self) -> None:
        with testing.messages({"late": "late {order}", "late/hi": "देर {order}"}):
            for language, text in [("hi-IN", "देर {order}"), ("HI", "देर {order}"), ("de", "late {order}"), (None, "late {order}")]:
                self.assertEqual(messages.text("late", language), text, language)
            with self.assertRaisesRegex(messages.Missing, "there is no message none in hi, nor one without a language"):
                messages.text("none", "hi")

    def test_a_value_is_read_as_what_it_is(self) -> None:
        with testing.config({"text": 'a "b"', "list": "[1,2]"}), testing.secrets({"signing_key": "s3cret"}):
            self.assertEqual((config.text("text"), config.read("list"), config.read("none")), ('a "b"', [1, 2], None))
            self.assertEqual((config.text("signing_key"), config.all()), ("s3cret", {"list": "[1,2]", "text": 'a "b"'}))
            with self.assertRaisesRegex(config.Unreadable, "the value of text is not as expected"):
                config.read("text")
            self.assertIsNone(config.get("\ud800"))
            with self.assertRaisesRegex(TypeError, "a key is a text, not int"):
                config.get(5)  # type: ignore[arg-type]

    def test_any_place_of_a_message_can_be_filled(self) -> None:
        self.assertEqual(messages.fill("{text} {self}", text="a", self="b"), "a b")


class Requests(unittest.TestCase):
    def test_a_query_is_escaped_and_json_is_sent(self) -> None:
        seen = list[http.Request]()

        def service(request: http.Request) -> http.Response:
            seen.append(request)
            return http.Response.of_json(201, {"got": "it"})

        with testing.http(service):
            answer = http.post("https://a.example/x", params={"naïve key": "a&b=c d/"}, json={"ä": 1}, timeout=3)
        self.assertEqual((answer.checked().json(), answer.header("Content-Type")), ({"got": "it"}, "application/json"))
        self.assertEqual(seen[0].url, "https://a.example/x?na%C3%AFve%20key=a%26b%3Dc%20d%2F")
        self.assertEqual((seen[0].data, seen[0].headers), ('{"ä": 1}'.encode(), {"content-type": "application/json"}))
        self.assertEqual((seen[0].method, seen[0].timeout), ("POST", 3))

    def test_a_parameter_may_have_several_values_or_none(self) -> None:
        of: dict[str, http.Parameter] = {"id": [1, None, 2], "no": None, "q": "a b"}
        for url, full in [
            ("https://a.example/x", "https://a.example/x?id=1&id=2&q=a%20b"),
            ("https://a.example/x?y=1", "https://a.example/x?y=1&id=1&id=2&q=a%20b"),
            ("https://a.example/#top?", "https://a.example/?id=1&id=2&q=a%20b#top?"),
        ]:
            self.assertEqual(http.Request("GET", url, of).full_url(), full)
        self.assertEqual(http.Request("GET", "https://a.example/", {"no": None}).full_url(), "https://a.example/")

    def test_what_no_host_can_send_is_told_before_it_is_asked(self) -> None:
        url = "https://a.example/x"
        refused: list[tuple[http.Request, str]] = [
            (http.Request("GET", url, timeout=-1), "^GET https://a.example/x: its timeout is -1 seconds: give more than 0"),
            (http.Request("GET", url, timeout=math.nan), "its timeout is nan seconds"),
            (http.Request("GET", url, timeout=math.inf), "its timeout is inf seconds"),
            (http.Request("POST", url, data="\ud800"), "its body is no valid text"),
            (http.Request("POST", url, json="\ud800"), "its body is no valid text"),
            (http.Request("GET", f"{url}\ud800"), "no valid text"),
            (http.Request("GET", url, {"a": "\ud800"}), "a parameter is no valid text"),
            (http.Request("GET", url, headers={"\ud800": "a"}), "the name of a header is no valid text"),
            (http.Request("GET", "https://[a/"), "its URL is invalid"),
            (http.Request("GET", "https://user:pass@a.example/x?y"), "^GET https://a.example/x: its URL holds a user's name or password: .*`headers`"),
        ]
        with testing.http(lambda request: http.Response(200)):
            for request, why in refused:
                with self.subTest(why), self.assertRaisesRegex(http.Invalid, why):
                    request.send()
            outcomes = http.all([request for request, _ in refused] + [http.Request("GET", url, timeout=10**30)])
        self.assertEqual([type(outcome) for outcome in outcomes], [http.Invalid] * len(refused) + [http.Response])

    def test_what_is_of_another_type_is_told_too(self) -> None:
        wrong: list[tuple[Callable[[], object], str]] = [
            (lambda: http.post("https://a.example/", data={"a": 1}), "`data` is text or bytes, not dict; `json` takes"),  # type: ignore[arg-type]
            (lambda: http.get(None), "are texts, not str and NoneType"),  # type: ignore[arg-type]
            (lambda: http.get("https://a.example/", timeout="3"), "a number of seconds, not str"),  # type: ignore[arg-type]
            (lambda: http.get("https://a.example/", headers={"n": 3}), "the header 'n' is a text, not int"),  # type: ignore[dict-item]
        ]
        with testing.http(lambda _: http.Response(200)):
            for act, why in wrong:
                with self.subTest(why), self.assertRaisesRegex(TypeError, why):
                    act()

    def test_all_are_answered_in_their_order(self) -> None:
        def service(request: http.Request) -> http.Response:
            if request.url.endswith("2"):
                raise http.TimedOut("too late")
            return http.Response(200, body=request.url.encode())

        with testing.http(service):
            first, second, third = http.all(http.Request("GET", f"https://a.example/{at}") for at in (1, 2, 3))
        assert isinstance(first, http.Response) and isinstance(third, http.Response)
        self.assertEqual((first.text(), str(second), third.text()), ("https://a.example/1", "GET https://a.example/2: too late", "https://a.example/3"))

    def test_a_failure_says_whose_it_is(self) -> None:
        def handle(event: Event) -> Reply:
            return Reply(http.get("https://a.example/").checked().text())

        for status, start in [(503, "upstream: test_capabilities.py"), (404, "test_capabilities.py")]:
            with testing.http(lambda _: http.Response(status, body=b"why")):
                error = testing.run(handle, testing.event("X")).error
            self.assertTrue(error.startswith(start) and error.endswith(f"in handle: Status: the service answered with status {status}: why"), error)

    def test_what_cannot_be_json_is_never_sent(self) -> None:
        with testing.http(lambda _: http.Response(200)), self.assertRaisesRegex(http.Invalid, "its body is no JSON"):
            http.post("https://a.example/", json={"a": {1}})
        with testing.http(lambda _: http.Response(200, body=b"\xff")):
            with self.assertRaisesRegex(http.Unreadable, "cannot be read as JSON"):
                http.get("https://a.example/").json()
