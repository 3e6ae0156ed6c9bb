"""Requests over HTTP, to origins that the node's revision is granted.

The host makes the connection, so there is nothing to set up and nothing to pool here. What is not granted is refused, and the run's record says so; a
redirect is a response like any other. Keys and tokens are best left to a *connection* of the tenant's: the host adds them to the request, so that the
code neither has them nor can lose them.

    order = http.get("https://api.example.com/orders", params={"id": id}, timeout=3).checked().json()

An `Error` that is the service's fault and is not caught breaks the run with the cause `upstream_failed`.
"""

import json as _json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from . import _host, _urls

_MAX_SHOWN_CHARS = 200

#: What a parameter of a query can be: one value, several of the same name, or `None`, which leaves it out.
Parameter = str | int | float | Sequence[str | int | float | None] | None


class Error(Exception):
    """Why there is no response, or not the one that was wanted. Its text never holds the URL's query, nor a password before its host."""

    #: Whether the service is to blame.
    is_of_a_service = False


class Invalid(Error):
    """The request cannot be sent as it is."""


class Refused(Error):
    """The host does not let it out: it is not granted, or leads where no guest may go."""


class Failed(Error):
    """The service was not reached, or did not answer well."""

    is_of_a_service = True


class TimedOut(Failed):
    """There was no answer in time."""


class Status(Error):
    """The service answered with this status; see `Response.checked`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the service answered with status {status}" + (f": {text}" if text else ""))
        self.status = status
        self.is_of_a_service = status >= 500


class Unreadable(Error):
    """The body is not what it was read as."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response that came, whatever its status. Its body is there as a whole."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def of_json(cls, status: int, value: Any) -> "Response":
        """A response with this as its JSON; for unit tests."""
        return cls(status, [("content-type", "application/json")], _json.dumps(value, ensure_ascii=False).encode())

    @property
    def is_success(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def checked(self) -> "Response":
        """Itself. Raises `Status` if its status is not 200 to 299."""
        if self.is_success:
            return self
        raise Status(self.status, self.body.decode("utf-8", "replace")[:_MAX_SHOWN_CHARS])

    def text(self) -> str:
        """The body as text. Raises `Unreadable` if it is not UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"the response is no text: {error}") from None

    def json(self) -> Any:
        """The body as JSON. Raises `Unreadable` if it is none."""
        try:
            return _json.loads(self.body)
        except ValueError as error:
            raise Unreadable(f"the response (status {self.status}) cannot be read as JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be sent.

    - `params` are added to the query, escaped: a list as several of its name, and `None` not at all. `json` is sent as JSON, `data` as it is.
    - `headers`: `Host` and the headers that frame a message are the host's.
    - `timeout`: how many seconds to wait for the response to begin, and for each part of it. Without, nine tenths of the time that the run has left.
    """

    method: str
    url: str
    params: Mapping[str, Parameter] | None = None
    headers: Mapping[str, str] | None = None
    data: bytes | str = b""
    json: Any = None
    timeout: float | None = None

    def send(self) -> Response:
        """Sends it, and waits for the whole response; any status is one. Raises `Invalid`, `Refused`, `Failed` or `TimedOut`, and `TypeError` where
        something is of another type."""
        return _finished(self._start())

    def full_url(self) -> str:
        """The URL with the parameters, before its fragment if it has one."""
        given = {name: value for name, value in (self.params or {}).items() if value is not None}
        query = urlencode({name: _several(value) for name, value in given.items()}, doseq=True, quote_via=quote, safe="")
        if not query:
            return self.url
        url, mark, fragment = self.url.partition("#")
        between = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
        return f"{url}{between}{query}{mark}{fragment}"

    def body(self) -> bytes:
        """What is sent. Raises `Invalid` if it cannot be JSON, or is no valid text."""
        try:
            if self.json is not None:
                return _json.dumps(self.json, ensure_ascii=False, allow_nan=False).encode()
            if isinstance(self.data, str):
                return self.data.encode()
        except UnicodeEncodeError as error:
            raise Invalid(f"{self._shown()}: its body is no valid text: {error}") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise Invalid(f"{self._shown()}: its body is no JSON: {error}") from None
        if not isinstance(self.data, bytes | bytearray | memoryview):
            raise TypeError(f"{self._shown()}: `data` is text or bytes, not {type(self.data).__name__}; `json` takes what is to be JSON")
        return bytes(self.data)

    def _shown(self) -> str:
        return f"{self.method} {_urls.bare(self.url)}"

    def _start(self) -> "_host.Started | Error":
        try:
            headers: list[tuple[str, str | bytes]] = list((self.headers or {}).items())
            if self.json is not None and not any(name.lower() == "content-type" for name, _ in headers):
                headers.append(("content-type", "application/json"))
            request = _host.Request(self.method, self.full_url(), headers, self.body(), None, self.timeout)
            return _host.host.start(request)
        except _host.Unsent as error:
            return _error(error)
        except UnicodeEncodeError as error:
            return Invalid(f"{self._shown()}: a parameter is no valid text: {error}")
        except Error as error:
            return error


def get(url: str, *, params: Mapping[str, Parameter] | None = None, headers: Mapping[str, str] | None = None, timeout: float | None = None) -> Response:
    """Gets a URL; see `Request` and `Request.send`."""
    return Request("GET", url, params, headers, timeout=timeout).send()


def post(
    url: str,
    *,
    params: Mapping[str, Parameter] | None = None,
    headers: Mapping[str, str] | None = None,
    data: bytes | str = b"",
    json: Any = None,
    timeout: float | None = None,
) -> Response:
    """Posts to a URL; see `Request` and `Request.send`. Other methods are `Request("PUT", …).send()`."""
    return Request("POST", url, params, headers, data, json, timeout).send()


def all(requests: Iterable[Request]) -> list[Response | Error]:
    """Sends all of these at once, and waits for all; what comes of them is in the order of the requests."""
    under_way = [request._start() for request in requests]
    return [_outcome(started) for started in under_way]


def _several(value: Parameter) -> Parameter:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return value
    return [one for one in value if one is not None]


def _finished(started: "_host.Started | Error") -> Response:
    outcome = _outcome(started)
    if isinstance(outcome, Error):
        raise outcome
    return outcome


def _outcome(started: "_host.Started | Error") -> Response | Error:
    if isinstance(started, Error):
        return started
    try:
        response = started.finish()
    except _host.Unsent as error:
        return _error(error)
    return Response(response.status, response.headers, response.body)


def _error(error: _host.Unsent) -> Error:
    kinds = {_host.Invalid: Invalid, _host.Refused: Refused, _host.TimedOut: TimedOut}
    return kinds.get(type(error), Failed)(str(error))
