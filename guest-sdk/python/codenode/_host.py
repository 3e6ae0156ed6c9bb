"""What a host offers, in plain Python: the one seam between this package and where it runs.

In a component that is `_component`, over the bindings of the world; in a unit test it is `_fakes`. Nothing else here knows which of them it is.
"""

import math
import sys
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from . import _urls


class Refusal(Exception):
    """The host does not do it; its text says why."""


class NotGranted(Refusal):
    """It is not granted to the node's revision."""


class Request(NamedTuple):
    """A request as it goes out. Times are in seconds; without them it waits as long as the run lasts."""

    method: str
    url: str
    headers: list[tuple[str, str | bytes]]
    body: bytes
    connect_seconds: float | None
    read_seconds: float | None

    @property
    def shown(self) -> str:
        """For messages: no query, and nobody's name or password, for these are not for everybody to read."""
        return f"{self.method} {_urls.bare(self.url)}"

    def check(self) -> None:
        """Raises `Invalid` for what no host can send, and `TypeError` where a part of it is of another type."""
        if not isinstance(self.method, str) or not isinstance(self.url, str):
            raise TypeError(f"the method and the URL of a request are texts, not {type(self.method).__name__} and {type(self.url).__name__}")
        if not is_text(self.method + self.url):
            raise Invalid("the URL or the method of a request is no valid text")
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise Invalid(f"{self.shown}: its URL is invalid: {error}") from None
        if "@" in parts.netloc:
            mend = "send them in `headers` as `Authorization`, or leave them to a connection of the tenant's"
            raise Invalid(f"{self.shown}: its URL holds a user's name or password: {mend}")
        for name, value in self.headers:
            if not isinstance(name, str) or not isinstance(value, str | bytes):
                raise TypeError(f"{self.shown}: the header {name!r} is a text, not {type(value).__name__}")
            if not is_text(name):
                raise Invalid(f"{self.shown}: the name of a header is no valid text")
        for seconds in (self.connect_seconds, self.read_seconds):
            self._check_time(seconds)

    def _check_time(self, seconds: float | None) -> None:
        if seconds is None:
            return
        if not isinstance(seconds, int | float):
            raise TypeError(f"{self.shown}: a timeout is a number of seconds, not {type(seconds).__name__}")
        if not 0 < seconds < math.inf:
            raise Invalid(f"{self.shown}: its timeout is {seconds} seconds: give more than 0, or none to wait as long as the run may")


class Response(NamedTuple):
    """A response as it came in, whatever its status."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Unsent(Exception):
    """There is no response; its text names the request, as `Request.shown` does, and says why."""


class Invalid(Unsent):
    """The request cannot be sent as it is."""


class Refused(Unsent):
    """The host does not let it out: it is not granted, or leads where no guest may go."""


class Unanswered(Unsent):
    """The service was not reached, or did not answer well."""


class TimedOut(Unanswered):
    """There was no answer in time."""


class Seen(Protocol):
    """An entry as it was seen, to be replaced if it is still so."""

    def current(self) -> bytes | None:
        """Its value. Raises `Refusal`."""

    def swap(self, value: bytes) -> "Seen | None":
        """Replaces it, or gives the entry as it is now. Raises `Refusal`."""


class Bucket(Protocol):
    """A bucket, open. Keys that are written may end with `?ttl=SECONDS`. Whatever this does may raise `Refusal`."""

    def get(self, key: str) -> bytes | None: ...
    def get_many(self, keys: list[str]) -> list[bytes | None]: ...
    def exists(self, key: str) -> bool: ...
    def keys(self, cursor: str | None) -> tuple[list[str], str | None]: ...
    def set(self, key: str, value: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def increment(self, key: str, delta: int) -> int: ...
    def see(self, key: str) -> Seen: ...


class Started(Protocol):
    """A request that is under way."""

    def finish(self) -> Response:
        """Waits for the whole response. Raises `Unsent`."""


class Host(Protocol):
    """Everything that a node may be granted, and its log."""

    def log(self, level: int, context: str, message: str) -> None:
        """Writes to the log of the run; levels are those of `wasi:logging`, 0 to 5."""

    def config(self, key: str) -> str | None:
        """What is set under a key. Raises `Refusal`."""

    def all_config(self) -> list[tuple[str, str]]:
        """What is set, but for secrets. Raises `Refusal`."""

    def open(self, bucket: str) -> Bucket:
        """Opens a bucket. Raises `Refusal`."""

    def start(self, request: Request) -> Started:
        """Sends a request. Raises `Unsent`."""


def not_granted(grant: str) -> str:
    """What to do where this is not granted, in one line."""
    return f'it is not granted to this node: grants = ["{grant}"] in node.toml, or --grant {grant}'


def is_text(text: str) -> bool:
    """Whether a host can take it: half a surrogate pair is no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _host() -> Host:
    # Not where the bindings are: authors have them beside their `main.py`, for their editors.
    if sys.platform == "wasi":
        from ._component import Component

        return Component()
    from ._fakes import Fakes

    return Fakes()


#: Where this runs.
host: Host = _host()
