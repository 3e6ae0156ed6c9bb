"""Runs a handler without a host, for an author's unit tests, with a fake for every capability. Nothing is limited here: `codenode run` does that.

    class Orders(unittest.TestCase):
        def test_an_order_is_on_its_way(self) -> None:
            with testing.http(lambda request: http.Response.of_json(200, {"state": "on its way"})):
                run = testing.run(handle, testing.event("ORDER", entities={"order_id": "71"}))
            self.assertEqual(run.texts, ["Order 71 is on its way."])

What a test does not give is not granted. Each fake is a context manager, for `with` and for `TestCase.enterContext`.
"""

import contextlib
import json
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import _fakes, _host
from . import http as _http
from ._failures import Failures
from .event import Event
from ._checks import checked
from ._handler import reply_of, takes_events
from .log import Level
from .reply import Reply


def event(
    node: str,
    *,
    entities: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    language: str | None = None,
    conversation_details: Mapping[str, Any] | None = None,
    user_details: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Event:
    """An event for this node, in the platform's form of 2018.

    `entities` are values by name, each as detected in the user's message: a text, a dict for the object shapes, or a list of several. `language` is the
    user's `language_code`, `env` the bot's settings, and `extra` any other key at the top of the event.
    """
    language_code = {} if language is None else {"language_code": language}
    given: dict[str, Any] = {
        "node": node,
        "event": "API_INTEGRATION",
        "user": {"user_name": "u-1", "full_name": "", "device_platform": 5, **language_code, **(user or {})},
        "entities": {name: _detected(value) for name, value in (entities or {}).items()},
    }
    more = {"conversation_details": conversation_details, "user_details": user_details, "env_variables": env}
    given |= {name: dict(details) for name, details in more.items() if details}
    # As JSON, so that a test cannot give what a platform cannot.
    return Event.parse(json.dumps(given | extra, allow_nan=False))


def event_file(path: str | Path) -> Event:
    """An event from a JSON file. Raises `OSError`, and `Error` if it holds no event."""
    return Event.parse(Path(path).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Line:
    """One line that a handler logged."""

    level: Level
    context: str
    message: str


@dataclass(frozen=True)
class Run:
    """What came of running a handler once."""

    _reply: Reply | None
    _error: Exception | SystemExit | None
    #: What the handler logged, in order.
    logs: list[Line]

    @property
    def reply(self) -> Reply:
        """The handler's reply. Raises `AssertionError`, from its exception, if there is none."""
        if self._reply is None:
            raise AssertionError(f"the handler gave no reply: {self._error}") from self._error
        return self._reply

    @property
    def texts(self) -> list[str]:
        """The reply's plain messages; elements are left out. Raises `AssertionError` if there is no reply."""
        return self.reply.texts

    @property
    def json(self) -> Any:
        """The reply as the host would read it. Raises `AssertionError` if there is no reply."""
        return json.loads(self.reply.to_json())

    @property
    def error(self) -> str:
        """The detail of the bot break, of a handler that raised an exception. Raises `AssertionError` if there is a reply."""
        if self._error is None:
            raise AssertionError(f"the handler gave a reply: {self._reply}")
        return _FAILURES.line(self._error)


def run(handle: Callable[[Any], Any], event: Event) -> Run:
    """Runs a handler on an event, and keeps what it logs; what it wrote to `codenode.kv` too, if it replies. As on a host, a function that
    `codenode.handler` did not make gets the platform's JSON, and what has no message is no reply."""
    fakes, lines = _ours(), list[tuple[int, str, str]]()
    before, fakes.lines = fakes.lines, lines
    store, reply, failure = fakes.store, None, None
    if store is not None:
        store.pending = {}
    try:
        given = event if takes_events(handle) else _json_of(event)
        reply = checked(reply_of(handle(given)))
    except (Exception, SystemExit) as error:
        reply, failure = None, error
    finally:
        fakes.lines = before
        if store is not None:
            store.end(reply is not None)
    return Run(reply, failure, [Line(Level(level), context, message) for level, context, message in lines])


def _json_of(event: Event) -> Any:
    """A copy, which the handler may change."""
    if not event.raw:
        raise TypeError("a handler without `@handler` takes the platform's JSON, which this event does not have: make it with `testing.event`")
    return json.loads(json.dumps(event.raw))


class Keeping:
    """What `kv` keeps, in a test."""

    def __init__(self, store: _fakes.Store) -> None:
        self._store = store

    def advance(self, time: timedelta | float) -> None:
        """Lets time pass, so that entries expire. A number is seconds."""
        self._store.now += time.total_seconds() if isinstance(time, timedelta) else time


@contextlib.contextmanager
def kv() -> Iterator[Keeping]:
    """Grants both buckets of `codenode.kv`, empty. What a handler sets or deletes under `run` is kept if it replies; what is written outside of one is
    kept at once. Time stands still, but for `Keeping.advance`."""
    store = _fakes.Store()
    with _given("store", store):
        yield Keeping(store)


def messages(texts: Mapping[str, str]) -> contextlib.AbstractContextManager[None]:
    """Grants messages that say this, by their names: `order.not_found` or `order.not_found/hi`."""
    return _given("texts", dict(texts))


def config(values: Mapping[str, str]) -> contextlib.AbstractContextManager[None]:
    """Sets these values of `codenode.config`, and no others."""
    return _given("values", dict(values))


def secrets(values: Mapping[str, str]) -> contextlib.AbstractContextManager[None]:
    """Grants these secrets of `codenode.config`, and no others."""
    return _given("secrets", dict(values))


def http(service: Callable[[_http.Request], _http.Response]) -> contextlib.AbstractContextManager[None]:
    """Takes the place of every service that a handler calls. It is given the request with its whole URL, and its body in `data`. It may raise an error of
    `codenode.http`, such as `TimedOut`, for one that does not answer."""
    return _given("service", lambda request: _answer(service, request))


def _answer(service: Callable[[_http.Request], _http.Response], sent: _host.Request) -> _host.Response:
    headers = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in sent.headers}
    request = _http.Request(sent.method, sent.url, headers=headers, data=sent.body, timeout=sent.read_seconds)
    try:
        response = service(request)
    except _http.Error as error:
        raise _KINDS.get(type(error), _host.Unanswered)(f"{sent.shown}: {error}") from None
    return _host.Response(response.status, response.headers, response.body)


_KINDS = {_http.Invalid: _host.Invalid, _http.Refused: _host.Refused, _http.TimedOut: _host.TimedOut}


@contextlib.contextmanager
def _given(what: str, value: object) -> Iterator[None]:
    fakes = _ours()
    before = getattr(fakes, what)
    setattr(fakes, what, value)
    try:
        yield
    finally:
        setattr(fakes, what, before)


def _ours() -> _fakes.Fakes:
    if not isinstance(_host.host, _fakes.Fakes):
        raise RuntimeError("codenode.testing is for unit tests: here is a host")
    return _host.host


def _detected(value: Any) -> list[dict[str, Any]]:
    several = value if isinstance(value, list) else [value]
    return [{"detection": "message", "original_text": one if isinstance(one, str) else "", "entity_value": one} for one in several]


def _own(file: str) -> str | None:
    """The author's files are those that are neither the SDK's nor in a folder of packages or of Python."""
    path = Path(file)
    is_theirs = path.parent == _HERE or any(path.is_relative_to(folder) for folder in _PYTHONS) or not path.is_file()
    return None if is_theirs else path.name


_HERE = Path(__file__).parent
_PYTHONS = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]


_FAILURES = Failures(_own)
