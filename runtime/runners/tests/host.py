"""A host for one runner, small and in memory: what the tests run `compile` and `run` of a real component in.

It serves `wasi:logging`, `wasi:config` and `wasi:keyvalue` itself, and WASI with `wasi:http` as wasmtime does. It has none of codenode's limits.
"""

import copy
import json
import os
import time
import unittest
from dataclasses import dataclass, field
from pathlib import Path

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, ResourceAny, ResourceHost, ResourceType, Variant
from wasmtime.component._types import VariantLikeType

# Else a value of a variant is told by its Python type, and an error of `wasi:keyvalue` cannot be told at all.
VariantLikeType._tagged = lambda _: True

#: Where the set-up puts runners.
FOLDER = Path(os.environ.get("CODENODE_RUNNERS", Path(__file__).parents[3] / "target/runners"))

LEVELS = ["trace", "debug", "info", "warn", "error", "critical"]
BUCKET, CAS = 1, 2
#: As much as codenode gives a run.
STACK_BYTES = 512 << 10


@dataclass
class World:
    """What the host is asked by a run: what is set, what is kept, and what was logged."""

    config: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"node": {}, "tenant": {}, "messages": {}})
    log: list[tuple[str, str]] = field(default_factory=list)
    #: How long each kept entry was asked to be kept, in seconds, by its key.
    times: dict[str, int] = field(default_factory=dict)
    #: How often a swap fails because somebody else was faster.
    contention: int = 0

    def lines(self, level: str) -> list[str]:
        return [line for of, text in self.log if of == level for line in text.splitlines()]


class Runner:
    """A runner, compiled once. Each call is in a fresh instance. `file` is what sources are called."""

    def __init__(self, name: str, file: str) -> None:
        self.file = file
        config = Config()
        config.wasm_component_model = True
        config.max_wasm_stack = STACK_BYTES
        self._engine = Engine(config)
        self._component = Component(self._engine, (FOLDER / name).read_bytes())

    def called(self, file: str) -> "Runner":
        """The same, for sources of another name."""
        runner = copy.copy(self)
        runner.file = file
        return runner

    def compile(self, source: str) -> bytes:
        return self._call(World(), "compile", self.file, source)

    def run(self, source_or_program: str | bytes, event: object = None, world: World | None = None, **context: object) -> str:
        """The answer to an event. Raises `Broken` with the error."""
        program = source_or_program if isinstance(source_or_program, bytes) else self.compile(source_or_program)
        told = {"function_name": "order_status", "request_id": "run-1", "wall_time_millis": 10_000, **context}
        text = event if isinstance(event, str) else json.dumps({"node": "ORDER"} if event is None else event)
        return self._call(world or World(), "run", program, text, json.dumps(told))

    def _call(self, world: World, name: str, *arguments: object) -> object:
        store = Store(self._engine)
        wasi = WasiConfig()
        output = _Lines(world)
        wasi.stdout_custom = lambda data: output.put("info", data)
        wasi.stderr_custom = lambda data: output.put("warn", data)
        store.set_wasi(wasi)
        store.set_wasi_http()
        linker = Linker(self._engine)
        linker.add_wasip2()
        linker.add_wasi_http()
        _serve(linker, world)
        instance = linker.instantiate(store, self._component)
        started = time.monotonic()
        answer = instance.get_func(store, name)(store, *arguments)
        self.seconds = time.monotonic() - started
        output.end()
        if answer.tag == "err":
            raise Broken(answer.payload)
        return answer.payload


class Broken(Exception):
    """There is no reply, or no program; its text says why."""


class Case(unittest.TestCase):
    """Tests of one runner."""

    runner: Runner

    def assert_breaks(self, source: str, error: str, world: World | None = None) -> None:
        with self.assertRaises(Broken) as broken:
            self.runner.run(source, world=world)
        self.assertEqual(str(broken.exception), error)

    def assert_refused(self, source: str, *lines: str) -> None:
        with self.assertRaises(Broken) as broken:
            self.runner.compile(source)
        self.assertEqual(str(broken.exception), "\n".join(lines))


class _Lines:
    """Cuts output into log lines."""

    def __init__(self, world: World) -> None:
        self._world, self._rest = world, {"info": b"", "warn": b""}

    def put(self, level: str, data: bytes) -> int:
        *lines, self._rest[level] = (self._rest[level] + bytes(data)).split(b"\n")
        self._world.log += [(level, line.decode()) for line in lines]
        return len(data)

    def end(self) -> None:
        self._world.log += [(level, rest.decode()) for level, rest in self._rest.items() if rest]


def _serve(linker: Linker, world: World) -> None:
    handles: dict[int, object] = {}

    def made(kind: int, what: object) -> ResourceHost:
        handles[len(handles) + 1] = what
        return ResourceHost.own(len(handles), kind)

    def at(store: Store, handle: ResourceAny) -> object:
        """What a handle stands for. It can be asked once: that takes it."""
        return handles[handle.to_host(store).rep]

    def kept(key: str) -> str:
        key, _, seconds = key.partition("?ttl=")
        if seconds:
            world.times[key] = int(seconds)
        return key

    def open_bucket(_store: Store, name: str) -> Variant:
        if name not in world.buckets:
            return Variant("err", Variant("access-denied"))
        return Variant("ok", made(BUCKET, world.buckets[name]))

    def increment(store: Store, bucket: ResourceAny, key: str, delta: int) -> Variant:
        key, entries = kept(key), at(store, bucket)
        try:
            total = int(entries.get(key, b"0")) + delta
        except ValueError:
            return Variant("err", Variant("other", "its value is no number"))
        entries[key] = str(total).encode()
        return Variant("ok", total)

    def new_cas(store: Store, bucket: ResourceAny, key: str) -> Variant:
        key, entries = kept(key), at(store, bucket)
        return Variant("ok", made(CAS, (entries, key, entries.get(key))))

    def swap(store: Store, cas: ResourceAny, value: bytes) -> Variant:
        entries, key, seen = at(store, cas)
        if world.contention > 0:
            world.contention -= 1
            entries[key] = str(world.contention).encode()
        if entries.get(key) != seen:
            return Variant("err", Variant("cas-failed", made(CAS, (entries, key, entries.get(key)))))
        entries[key] = value
        return Variant("ok")

    def list_keys(store: Store, bucket: ResourceAny, cursor: Variant) -> Variant:
        keys = sorted(at(store, bucket))
        start = 0 if cursor.tag == "none" else int(cursor.payload)
        page = type("Page", (), {})()
        page.keys = keys[start : start + 100]
        page.cursor = Variant("some", str(start + 100)) if start + 100 < len(keys) else Variant("none")
        return Variant("ok", page)

    def done(change: object) -> Variant:
        return Variant("ok")

    gone = lambda _store, _rep: None
    with linker.root() as root:
        with root.add_instance("wasi:logging/logging@0.1.0-draft") as logging:
            logging.add_func("log", lambda _, level, context, text: world.log.append((level, text)))
        with root.add_instance("wasi:config/store@0.2.0-rc.1") as config:
            config.add_func("get", lambda _, key: Variant("ok", _option(world.config.get(key))))
            config.add_func("get-all", lambda _: Variant("ok", list(world.config.items())))
        with root.add_instance("wasi:keyvalue/store@0.2.0-draft2") as store:
            store.add_resource("bucket", ResourceType.host(BUCKET), gone)
            store.add_func("open", open_bucket)
            store.add_func("[method]bucket.get", lambda s, b, key: Variant("ok", _option(at(s, b).get(key))))
            store.add_func("[method]bucket.set", lambda s, b, key, value: done(at(s, b).update({kept(key): value})))
            store.add_func("[method]bucket.delete", lambda s, b, key: done(at(s, b).pop(key, None)))
            store.add_func("[method]bucket.exists", lambda s, b, key: Variant("ok", key in at(s, b)))
            store.add_func("[method]bucket.list-keys", list_keys)
        with root.add_instance("wasi:keyvalue/atomics@0.2.0-draft2") as atomics:
            atomics.add_resource("cas", ResourceType.host(CAS), gone)
            atomics.add_func("increment", increment)
            atomics.add_func("[static]cas.new", new_cas)
            atomics.add_func("[method]cas.current", lambda s, cas: Variant("ok", _option(at(s, cas)[2])))
            atomics.add_func("swap", swap)
        with root.add_instance("wasi:keyvalue/batch@0.2.0-draft2") as batch:
            batch.add_func("get-many", lambda s, b, keys: Variant("ok", _pairs(at(s, b), keys)))
            batch.add_func("set-many", lambda s, b, pairs: done(at(s, b).update(pairs)))
            batch.add_func("delete-many", lambda s, b, keys: done(list(map(at(s, b).pop, keys))))


def _option(value: object) -> Variant:
    return Variant("none") if value is None else Variant("some", value)


def _pairs(entries: dict[str, bytes], keys: list[str]) -> list[Variant]:
    return [_option((key, entries[key]) if key in entries else None) for key in keys]
