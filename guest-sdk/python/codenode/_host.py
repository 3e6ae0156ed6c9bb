"""What a host offers, in plain Python: the one seam between this package and where it runs.

In a component that is `_component`, over the bindings of the world; in a unit test it is `_fakes`. Nothing else here knows which of them it is.
"""

import importlib.util
from typing import NamedTuple, Protocol


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
        """For messages: no query, for it may hold what nobody should read."""
        return f"{self.method} {self.url.partition('?')[0].partition('#')[0]}"


class Response(NamedTuple):
    """A response as it came in, whatever its status."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Unsent(Exception):
    """There is no response; its text names the request, without its query, and says why."""


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


def _host() -> Host:
    if importlib.util.find_spec("wit_world") is not None:
        from ._component import Component

        return Component()
    from ._fakes import Fakes

    return Fakes()


#: Where this runs.
host: Host = _host()
