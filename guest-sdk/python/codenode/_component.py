"""The host of a component: the bindings that `componentize-py` makes of the world, as `_host` has them."""

from collections.abc import Callable
from typing import TypeVar

from componentize_py_types import Err
from wit_world.imports import atomics, batch, logging, wasi_config_store, wasi_keyvalue_store as store

from . import _host, _outgoing

_T = TypeVar("_T")


class Component:
    """The host, asked over its interfaces."""

    def log(self, level: int, context: str, message: str) -> None:
        logging.log(logging.Level(level), context, message)

    def config(self, key: str) -> str | None:
        try:
            return wasi_config_store.get(key)
        except Err as error:
            raise _host.Refusal(error.value.value) from None

    def all_config(self) -> list[tuple[str, str]]:
        try:
            return wasi_config_store.get_all()
        except Err as error:
            raise _host.Refusal(error.value.value) from None

    def open(self, bucket: str) -> _host.Bucket:
        return _Bucket(bucket, _told(bucket, lambda: store.open(bucket)))

    def start(self, request: _host.Request) -> _host.Started:
        return _outgoing.start(request)


class _Bucket:
    def __init__(self, name: str, opened: store.Bucket) -> None:
        self._name, self._opened = name, opened

    def get(self, key: str) -> bytes | None:
        return _told(self._name, lambda: self._opened.get(key))

    def get_many(self, keys: list[str]) -> list[bytes | None]:
        found = _told(self._name, lambda: batch.get_many(self._opened, keys))
        return [None if entry is None else entry[1] for entry in found]

    def exists(self, key: str) -> bool:
        return _told(self._name, lambda: self._opened.exists(key))

    def keys(self, cursor: str | None) -> tuple[list[str], str | None]:
        page = _told(self._name, lambda: self._opened.list_keys(cursor))
        return page.keys, page.cursor

    def set(self, key: str, value: bytes) -> None:
        _told(self._name, lambda: self._opened.set(key, value))

    def delete(self, key: str) -> None:
        _told(self._name, lambda: self._opened.delete(key))

    def increment(self, key: str, delta: int) -> int:
        return _told(self._name, lambda: atomics.increment(self._opened, key, delta))

    def see(self, key: str) -> _host.Seen:
        return _Seen(self._name, _told(self._name, lambda: atomics.Cas.new(self._opened, key)))


class _Seen:
    def __init__(self, bucket: str, cas: atomics.Cas) -> None:
        self._bucket, self._cas = bucket, cas

    def current(self) -> bytes | None:
        return _told(self._bucket, self._cas.current)

    def swap(self, value: bytes) -> _host.Seen | None:
        try:
            atomics.swap(self._cas, value)
            return None
        except Err as error:
            if isinstance(error.value, atomics.CasError_CasFailed):
                return _Seen(self._bucket, error.value.value)
            raise _refusal(self._bucket, error.value.value) from None


def _told(bucket: str, ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except Err as error:
        raise _refusal(bucket, error.value) from None


def _refusal(bucket: str, error: store.Error) -> _host.Refusal:
    """One that is granted may be granted only for looking things up."""
    if isinstance(error, store.Error_AccessDenied):
        return _host.NotGranted(_host.not_granted(f"kv:{bucket}"))
    if isinstance(error, store.Error_NoSuchStore):
        return _host.Refusal("the host has no such bucket")
    return _host.Refusal(error.value)
