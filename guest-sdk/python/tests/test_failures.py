import os
import subprocess
import sys
import tempfile
import time
import unittest
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codenode import Event, Reply, _failures, _host, _urls, handler, testing

FAILURES = _failures.Failures(lambda file: "main.py" if file == __file__ else None)


def told(act: Callable[[], object]) -> str:
    try:
        act()
    except Exception as error:
        return FAILURES.line(error).partition(": ")[2]
    raise AssertionError("nothing was raised")


class Secrets(unittest.TestCase):
    def test_a_request_is_shown_without_them(self) -> None:
        for url, shown in [
            ("https://user:pass@a.example/x?token=1", "GET https://a.example/x"),
            ("https://a.example:8443/users/@me#top", "GET https://a.example:8443/users/@me"),
            ("//user@a.example", "GET //a.example"),
            ("user:pass@a.example/x", "GET a.example/x"),
        ]:
            self.assertEqual(_host.Request("GET", url, [], b"", None, None).shown, shown)

    def test_no_text_has_them_in_its_urls(self) -> None:
        for text, safe in [
            ("503 Server Error for url: https://a.example/x?token=secret", "503 Server Error for url: https://a.example/x"),
            ("Invalid URL 'a.example/x?token=secret': No scheme supplied", "Invalid URL 'a.example/x': No scheme supplied"),
            ("No connection adapters were found for 'ftp://h/x?token=secret'", "No connection adapters were found for 'ftp://h/x'"),
            ("'https://user:secret@a.example/' (Caused by x)", "'https://a.example/' (Caused by x)"),
            ("Invalid URL 'user:secret@a.example/x'", "Invalid URL 'a.example/x'"),
            ("Max retries exceeded with url: /x?token=secret (Caused by x)", "Max retries exceeded with url: /x (Caused by x)"),
            ("Invalid URL 'localhost/x?token=secret'", "Invalid URL 'localhost/x'"),
            ("kv:node otp/7?ttl=5: a key has no `?ttl=`; use `keep_for`", "kv:node otp/7?ttl=5: a key has no `?ttl=`; use `keep_for`"),
            ("What is it? a = b, of asha@a.example", "What is it? a = b, of asha@a.example"),
        ]:
            self.assertEqual(_urls.without_secrets(text), safe)

    def test_a_long_text_takes_no_longer_than_its_length(self) -> None:
        for part in ("a", "a.", "'a:", "/", "?a=", "a@", "://", "a?"):
            text = part * 100_000
            started = time.monotonic()
            _urls.without_secrets(text)
            self.assertLess(time.monotonic() - started, 5, part)

    def test_neither_the_line_nor_the_traceback_has_them(self) -> None:
        def fail() -> None:
            try:
                raise OSError("https://a.example/x?first=secret")
            except OSError as error:
                raise ValueError("https://user:secret@a.example/x?second=1") from error

        self.assertEqual(told(fail), "ValueError: https://a.example/x")
        try:
            fail()
        except ValueError as error:
            full = FAILURES.full(error)
        self.assertIn("OSError: https://a.example/x\n", full)
        self.assertTrue(full.endswith("ValueError: https://a.example/x"), full)

    def test_a_grant_is_named_as_it_is_written(self) -> None:
        self.assertEqual(_urls.origin("HTTPS://A.example:8443/x?y#z"), "https://a.example:8443")
        self.assertEqual(_host.not_granted("kv:node"), 'it is not granted to this node: grants = ["kv:node"] in node.toml, or --grant kv:node')


class Keys(unittest.TestCase):
    def test_a_key_that_is_not_there_says_which_one_was_meant(self) -> None:
        event: dict[str, Any] = {"entities": {"product_name": []}}
        self.assertEqual(told(lambda: event["entity"]), "KeyError: 'entity': did you mean 'entities'?")
        self.assertEqual(told(lambda: event["entities"]["x"]), "KeyError: 'x': there is no such key; `.get('x')` gives None for it")

    def test_so_does_an_entity(self) -> None:
        event = testing.event("X", entities={"product_name": "speaker"})
        self.assertEqual(told(lambda: event.entities["product"]), "KeyError: 'product': did you mean 'product_name'?")

    def test_every_other_one_is_told_as_it_stands(self) -> None:
        known = {"order": 1}

        def decline() -> None:
            raise KeyError("no order 71 was found")

        for act, text in [
            (lambda: zoneinfo.ZoneInfo("Asia/Calcuta"), "ZoneInfoNotFoundError: 'No time zone found with key Asia/Calcuta'"),
            (decline, "KeyError: 'no order 71 was found'"),
            (lambda: set[str]().remove("x"), "KeyError: 'x'"),
            (lambda: "{x}".format(), "KeyError: 'x'"),  # type: ignore[str-format]
            (lambda: known.pop("orders"), "KeyError: 'orders'"),
            (lambda: known[7], "KeyError: 7"),  # type: ignore[index]
        ]:
            self.assertEqual(told(act), text)


class Odd(unittest.TestCase):
    def test_an_exception_may_be_of_any_class(self) -> None:
        class Broken(Exception):
            @property
            def response(self) -> object:
                raise RuntimeError

            def __str__(self) -> str:
                raise RuntimeError

        @handler
        def handle(event: Event) -> Reply:
            raise Broken

        run = testing.run(handle, testing.event("X"))
        self.assertRegex(run.error, rf"^{Path(__file__).name}:\d+ in handle: .*Broken: \(its text cannot be made\)$")


class Where(unittest.TestCase):
    def test_bindings_beside_a_handler_are_no_host(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for package in ("wit_world", "componentize_py_types"):
                Path(folder, package).mkdir()
                Path(folder, package, "__init__.py").touch()
            path = os.pathsep.join([folder, str(Path(_host.__file__).parents[1])])
            subprocess.run([sys.executable, "-c", "import codenode.testing; codenode.testing.event('X')"], env={"PYTHONPATH": path}, check=True)
