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
        try:
            return _Bucket(store.open(bucket))
        except Err as error:
            if isinstance(error.value, store.Error_AccessDenied):
                how = f'grants = ["kv:{bucket}"] in node.toml, or --grant kv:{bucket}'
                raise _host.NotGranted(f"it is not granted to this node: {how}") from None
            raise _refusal(error.value) from None

    def start(self, request: _host.Request) -> _host.Started:
        return _outgoing.start(request)


class _Bucket:
    def __init__(self, opened: store.Bucket) -> None:
        self._opened = opened

    def get(self, key: str) -> bytes | None:
        return _told(lambda: self._opened.get(key))

    def get_many(self, keys: list[str]) -> list[bytes | None]:
        found = _told(lambda: batch.get_many(self._opened, keys))
        return [None if entry is None else entry[1] for entry in found]

    def exists(self, key: str) -> bool:
        return _told(lambda: self._opened.exists(key))

    def keys(self, cursor: str | None) -> tuple[list[str], str | None]:
        page = _told(lambda: self._opened.list_keys(cursor))
        return page.keys, page.cursor

    def set(self, key: str, value: bytes) -> None:
        _told(lambda: self._opened.set(key, value))

    def delete(self, key: str) -> None:
        _told(lambda: self._opened.delete(key))

    def increment(self, key: str, delta: int) -> int:
        return _told(lambda: atomics.increment(self._opened, key, delta))

    def see(self, key: str) -> _host.Seen:
        return _Seen(_told(lambda: atomics.Cas.new(self._opened, key)))


class _Seen:
    def __init__(self, cas: atomics.Cas) -> None:
        self._cas = cas

    def current(self) -> bytes | None:
        return _told(self._cas.current)

    def swap(self, value: bytes) -> _host.Seen | None:
        try:
            atomics.swap(self._cas, value)
            return None
        except Err as error:
            if isinstance(error.value, atomics.CasError_CasFailed):
                return _Seen(error.value.value)
            raise _refusal(error.value.value) from None


def _told(ask: Callable[[], _T]) -> _T:
    try:
        return ask()
    except Err as error:
        raise _refusal(error.value) from None


def _refusal(error: store.Error) -> _host.Refusal:
    if isinstance(error, store.Error_AccessDenied):
        return _host.NotGranted("it is not granted to this node")
    if isinstance(error, store.Error_NoSuchStore):
        return _host.Refusal("the host has no such bucket")
    return _host.Refusal(error.value)
