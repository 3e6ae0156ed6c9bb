"""What a node keeps between its runs: values by their keys, in a bucket of its own (`node`) and in one that it shares with the other nodes of its
tenant (`tenant`). Each is granted per revision: `kv:node`, `kv:tenant`, or only to look things up, `kv:tenant read`.

What a run sets and deletes it sees itself at once. Others see it once the run has replied; a run that breaks leaves nothing of it.
`Bucket.increment` and `Bucket.update` are done at once, for good.

    visits = kv.node().keep_for(days=1).increment(f"visits/{user}")
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from . import _host

_T = TypeVar("_T")

#: How a key says for how long its entry is kept: for the host, never for an author.
_TTL = "?ttl="
_MAX_KEY_BYTES = 512
_MAX_VALUE_BYTES = 256 << 10
_MAX_SECONDS = 366 * 24 * 3_600
_UPDATE_TRIES = 10


class Error(Exception):
    """Why nothing was read or written."""


class Refused(Error):
    """It is not granted to the node's revision."""


class Invalid(Error):
    """There can be no such key, no such value, or no such time to keep it."""


class Failed(Error):
    """The host could not do it: the store does not answer, the tenant keeps all that it may, the run read and wrote all that it may, or a value that
    should be incremented is no number."""


class Contended(Error):
    """Others changed the entry each time before `Bucket.update` could."""


class Unreadable(Error):
    """The value is not what it was read as."""


def node() -> "Bucket":
    """The node's own bucket, which no other node sees. It outlives the node's revisions. Raises `Refused` without the grant `kv:node`."""
    return Bucket("node")


def tenant() -> "Bucket":
    """The bucket that all nodes of the tenant share, if they are granted it. Raises `Refused` without the grant `kv:tenant` or `kv:tenant read`."""
    return Bucket("tenant")


class Bucket:
    """Entries that are kept: values by their keys. A key has 1 to 512 bytes, without NUL and without `?ttl=`; a value up to 256 KiB.

    Whatever this does raises one of the module's `Error`s when it cannot be done, and `TypeError` for what is of another type.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seconds: int | None = None
        self._opened = self._told("", lambda: _host.host.open(name))

    def keep_for(self, time: timedelta | float | None = None, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> "Bucket":
        """The same bucket, for entries that are gone after so long: 1 second to 366 days, rounded up to whole seconds. A number is seconds.

        Whatever is written without this is kept until it is deleted.
        """
        try:
            kept = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            if time is not None:
                kept += time if isinstance(time, timedelta) else timedelta(seconds=time)
        except (ValueError, OverflowError):
            raise Invalid(f"kv:{self._name}: an entry is kept for 1 second to 366 days, and this is no such time") from None
        whole = -(-kept // timedelta(seconds=1))
        if not 1 <= whole <= _MAX_SECONDS:
            raise Invalid(f"kv:{self._name}: an entry is kept for 1 second to 366 days, not for {kept}")
        other = object.__new__(Bucket)
        other._name, other._seconds, other._opened = self._name, whole, self._opened
        return other

    def get(self, key: str) -> bytes | None:
        """The value of a key, if there is one."""
        self._check(key)
        return self._told(key, lambda: self._opened.get(key))

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """The values of these keys, in their order. For the host it is one call, for the limit `kv_calls` one for each key."""
        keys = list(keys)
        for key in keys:
            self._check(key)
        return self._told(f"{len(keys)} keys", lambda: self._opened.get_many(keys))

    def text(self, key: str) -> str | None:
        """The value as text. Raises `Unreadable` if it is not UTF-8."""
        value = self.get(key)
        try:
            return None if value is None else value.decode()
        except UnicodeDecodeError as error:
            raise self._unreadable(key, "text", error) from None

    def json(self, key: str) -> Any:
        """The value as JSON; so what `increment` counts is read as a number. Raises `Unreadable` if it is no JSON."""
        return self._read_json(key, self.get(key))

    def exists(self, key: str) -> bool:
        """Whether there is an entry."""
        self._check(key)
        return self._told(key, lambda: self._opened.exists(key))

    def keys(self) -> Iterator[str]:
        """All keys, in the order of their bytes. The host is asked for a page of up to 100 when the one before is used up, and each page counts as one
        of the run's `kv_calls`: take no more than you need."""
        cursor: str | None = None
        while True:
            keys, cursor = self._page(cursor)
            yield from keys
            if cursor is None:
                return

    def set(self, key: str, value: str | bytes) -> None:
        """Keeps a value under a key, in the place of the one before."""
        written, given = self._written(key), self._value(key, value)
        self._told(key, lambda: self._opened.set(written, given))

    def set_json(self, key: str, value: Any) -> None:
        """Keeps this as JSON. Raises `Invalid` if it cannot be JSON."""
        self.set(key, self._write_json(key, value))

    def delete(self, key: str) -> None:
        """Deletes an entry, if there is one."""
        self._check(key)
        self._told(key, lambda: self._opened.delete(key))

    def increment(self, key: str, delta: int = 1) -> int:
        """Adds to a number, at once and for good, and gives the sum. What is not there counts as 0. The time of `keep_for` is only for an entry that
        this makes: one that is there keeps its own. Raises `Failed` if the value is no whole number, or the sum does not fit into 64 bits."""
        written = self._written(key)
        if not isinstance(delta, int):
            raise TypeError(self._at(key, f"what is added is a whole number, not {type(delta).__name__}"))
        if not -(1 << 63) <= delta < 1 << 63:
            raise self._invalid(key, "what is added does not fit into 64 bits")
        return self._told(key, lambda: self._opened.increment(written, delta))

    def update(self, key: str, change: Callable[[bytes | None], str | bytes | None]) -> bytes | None:
        """Replaces a value by what `change` makes of it, at once and for good, and only if nobody else has changed it meanwhile: else `change` is asked
        again, ten times at most. It gets `None` where there is no entry, and gives `None` to leave everything as it is. What it gave last is given
        back. Raises `Contended` if it was changed each time."""
        written = self._written(key)
        seen = self._told(key, lambda: self._opened.see(written))
        for _ in range(_UPDATE_TRIES):
            given = change(self._told(key, seen.current))
            if given is None:
                return None
            value = self._value(key, given)
            now = self._told(key, partial(seen.swap, value))
            if now is None:
                return value
            seen = now
        raise Contended(self._at(key, f"others have changed it {_UPDATE_TRIES} times meanwhile"))

    def update_json(self, key: str, change: Callable[[Any], Any]) -> Any:
        """`update` for a value that is kept as JSON."""
        given: list[Any] = []

        def changed(value: bytes | None) -> str | None:
            given[:] = [change(self._read_json(key, value))]
            return None if given[0] is None else self._write_json(key, given[0])

        self.update(key, changed)
        return given[0]

    def _check(self, key: str) -> None:
        if not isinstance(key, str):
            raise TypeError(f"kv:{self._name}: a key is a text, not {type(key).__name__}")
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise self._invalid(key, "a key is UTF-8") from None
        if not key:
            raise self._invalid(key, "a key has at least one byte")
        if size > _MAX_KEY_BYTES:
            raise self._invalid(key, "a key has at most 512 bytes")
        if "\0" in key:
            raise self._invalid(key, "a key has no NUL")
        if _TTL in key:
            raise self._invalid(key, "a key has no `?ttl=`; use `keep_for`")

    def _written(self, key: str) -> str:
        """How the host is told for how long the entry is kept."""
        self._check(key)
        return key if self._seconds is None else f"{key}{_TTL}{self._seconds}"

    def _value(self, key: str, value: str | bytes) -> bytes:
        if not isinstance(value, str | bytes | bytearray):
            raise TypeError(self._at(key, f"a value is text or bytes, not {type(value).__name__}; use `set_json`"))
        try:
            given = value.encode() if isinstance(value, str) else bytes(value)
        except UnicodeEncodeError as error:
            raise self._invalid(key, f"its value is no valid text: {error}") from None
        if len(given) > _MAX_VALUE_BYTES:
            raise self._invalid(key, f"a value has at most 256 KiB, and this one {len(given)} bytes")
        return given

    def _read_json(self, key: str, value: bytes | None) -> Any:
        try:
            return None if value is None else json.loads(value)
        except ValueError as error:
            raise self._unreadable(key, "JSON", error) from None

    def _write_json(self, key: str, value: Any) -> str:
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise self._invalid(key, f"its value cannot be JSON: {error}") from None

    def _page(self, cursor: str | None) -> tuple[list[str], str | None]:
        return self._told("its keys", lambda: self._opened.keys(cursor))

    def _told(self, key: str, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except _host.NotGranted as refusal:
            raise Refused(self._at(key, str(refusal))) from None
        except _host.Refusal as refusal:
            raise Failed(self._at(key, str(refusal))) from None

    def _invalid(self, key: str, why: str) -> Invalid:
        return Invalid(self._at(repr(key[:64])[1:-1], why))

    def _unreadable(self, key: str, form: str, error: Exception) -> Unreadable:
        return Unreadable(self._at(key, f"its value cannot be read as {form}: {error}"))

    def _at(self, key: str, why: str) -> str:
        return f"kv:{self._name} {key}: {why}" if key else f"kv:{self._name}: {why}"
