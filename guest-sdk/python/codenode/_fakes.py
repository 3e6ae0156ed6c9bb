"""The host of a unit test: it keeps in memory what a test gives it, and has no limits. `testing` is what tests call."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from . import _host

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")
#: As many keys as the host lists at once.
_MAX_LISTED = 100
_MESSAGES = "messages"
_TTL = "?ttl="

_NO_KV = "nothing is granted in a unit test; keep entries with `codenode.testing.kv`"
_NO_MESSAGES = "nothing is granted in a unit test; say what messages say with `codenode.testing.messages`"
_NO_HTTP = "nothing is granted in a unit test; answer it with `codenode.testing.http`"


@dataclass
class Fakes:
    """Everything that a test has given, and nothing else: what it has not is not granted."""

    lines: list[tuple[int, str, str]] | None = None
    values: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] | None = None
    store: "Store | None" = None
    service: Callable[[_host.Request], _host.Response] | None = None

    def log(self, level: int, context: str, message: str) -> None:
        if self.lines is None:
            print(f"{_LEVELS[level]} {context}: {message}" if context else f"{_LEVELS[level]} {message}", file=sys.stderr)
        else:
            self.lines.append((level, context, message))

    def config(self, key: str) -> str | None:
        return self.values.get(key, self.secrets.get(key))

    def all_config(self) -> list[tuple[str, str]]:
        return sorted(self.values.items())

    def open(self, bucket: str) -> _host.Bucket:
        if bucket == _MESSAGES:
            if self.texts is None:
                raise _host.NotGranted(_NO_MESSAGES)
            texts = {(_MESSAGES, spelled(name)): _Entry(text.encode()) for name, text in self.texts.items()}
            return _Bucket(Store(texts), _MESSAGES, spelled)
        if self.store is None:
            raise _host.NotGranted(_NO_KV)
        return _Bucket(self.store, bucket)

    def start(self, request: _host.Request) -> _host.Started:
        request.check()
        if self.service is None:
            raise _host.Refused(f"{request.shown}: {_NO_HTTP}")
        return _Answered(self.service(request))


def spelled(name: str) -> str:
    """A language is the same in every case: `order.late/hi-IN` is `order.late/hi-in`."""
    key, slash, language = name.partition("/")
    return key + slash + language.lower()


class _Answered:
    def __init__(self, response: _host.Response) -> None:
        self._response = response

    def finish(self) -> _host.Response:
        return self._response


@dataclass
class _Entry:
    value: bytes
    expires_at: float | None = None
    #: Drawn anew by every write.
    version: int = 0


_Place = tuple[str, str]


@dataclass
class Store:
    """What the host keeps, by bucket and key. Time stands still."""

    kept: dict[_Place, _Entry] = field(default_factory=dict)
    #: What the handler that runs has written; `None`: it has deleted that.
    pending: dict[_Place, _Entry | None] | None = None
    now: float = 0
    version: int = 0

    def seen_by_all(self, place: _Place) -> _Entry | None:
        entry = self.kept.get(place)
        return None if entry is None or (entry.expires_at is not None and entry.expires_at <= self.now) else entry

    def seen(self, place: _Place) -> _Entry | None:
        if self.pending is not None and place in self.pending:
            return self.pending[place]
        return self.seen_by_all(place)

    def write(self, place: _Place, entry: _Entry | None) -> None:
        if self.pending is None:
            self.keep(place, entry)
        else:
            self.pending[place] = entry

    def keep(self, place: _Place, entry: _Entry | None) -> None:
        self.version += 1
        if entry is None:
            self.kept.pop(place, None)
        else:
            self.kept[place] = _Entry(entry.value, entry.expires_at, self.version)

    def settle(self, place: _Place) -> None:
        """What is done at once takes with it what the handler wrote to the same key before."""
        if self.pending is not None and place in self.pending:
            self.keep(place, self.pending.pop(place))

    def end(self, has_replied: bool) -> None:
        """The run is over: what it wrote is kept if it replied."""
        pending, self.pending = self.pending or {}, None
        for place, entry in pending.items() if has_replied else ():
            self.keep(place, entry)


@dataclass
class _Bucket:
    store: Store
    name: str
    spelled: Callable[[str], str] = str

    def get(self, key: str) -> bytes | None:
        entry = self.store.seen((self.name, self.spelled(key)))
        return None if entry is None else entry.value

    def get_many(self, keys: list[str]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def keys(self, cursor: str | None) -> tuple[list[str], str | None]:
        places = {*self.store.kept, *(self.store.pending or {})}
        there = (key for bucket, key in places if bucket == self.name and self.exists(key))
        after = (key for key in there if cursor is None or key.encode() > cursor.encode())
        page = sorted(after, key=str.encode)[:_MAX_LISTED]
        return page, page[-1] if len(page) == _MAX_LISTED else None

    def set(self, key: str, value: bytes) -> None:
        place, expires_at = self._place(key)
        self.store.write(place, _Entry(value, expires_at))

    def delete(self, key: str) -> None:
        self.store.write((self.name, key), None)

    def increment(self, key: str, delta: int) -> int:
        place, expires_at = self._place(key)
        self.store.settle(place)
        before = self.store.seen_by_all(place)
        if before is not None:
            delta, expires_at = _number(before.value) + delta, before.expires_at
        if not -(1 << 63) <= delta < 1 << 63:
            raise _host.Refusal("the sum does not fit into 64 bits")
        self.store.keep(place, _Entry(str(delta).encode(), expires_at))
        return delta

    def see(self, key: str) -> _host.Seen:
        place, expires_at = self._place(key)
        self.store.settle(place)
        return _Seen(self.store, place, expires_at, self.store.seen_by_all(place))

    def _place(self, key: str) -> tuple[_Place, float | None]:
        key, _, seconds = key.partition(_TTL)
        return (self.name, key), self.store.now + int(seconds) if seconds else None


@dataclass
class _Seen:
    store: Store
    place: _Place
    expires_at: float | None
    entry: _Entry | None

    def current(self) -> bytes | None:
        return None if self.entry is None else self.entry.value

    def swap(self, value: bytes) -> "_Seen | None":
        now = self.store.seen_by_all(self.place)
        if (now and now.version) != (self.entry and self.entry.version):
            return _Seen(self.store, self.place, self.expires_at, now)
        self.store.keep(self.place, _Entry(value, self.expires_at))
        return None


def _number(value: bytes) -> int:
    """The number that a value is the text of; not `007`, for what was written is what is read."""
    try:
        number = int(value)
    except ValueError:
        raise _host.Refusal("its value is no whole number") from None
    if str(number).encode() != value:
        raise _host.Refusal("its value is no whole number")
    return number
