"""Stands in for what `componentize-py` generates, so that the runner's own logic can be tried without a component."""

import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType


class Err(Exception):
    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class Level(IntEnum):
    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    CRITICAL = 5


LOG: list[tuple[str, str, str]] = []


def _module(name: str, **names: object) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(names)
    sys.modules[name] = module
    return module


def install() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    _module("componentize_py_types", Err=Err)

    def log(level: Level, context: str, message: str) -> None:
        LOG.append((level.name.lower(), context, message))

    parts = {
        "logging": _module("wit_world.imports.logging", Level=Level, log=log),
        "wasi_config_store": _module("wit_world.imports.wasi_config_store"),
        "wasi_keyvalue_store": _module("wit_world.imports.wasi_keyvalue_store", Error=object),
        "atomics": _module("wit_world.imports.atomics"),
        "batch": _module("wit_world.imports.batch"),
    }
    _module("wit_world", imports=_module("wit_world.imports", **parts))


install()
