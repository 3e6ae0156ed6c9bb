"""The component of the world `codenode:node/code-node-with-requests` around an author's `main.py`, which has a function `handle`.

`componentize-py` takes this as its application. It runs once, when the component is built: what is imported by the end of it is in the image from which
each run starts, and nothing can be imported later.
"""

import importlib
import linecache
import os.path
import sys
import traceback
from pathlib import Path

import wit_world
from componentize_py_types import Err

from . import _guest, _memory, log
from ._failures import Failures, bare
from .error import Error
from ._handler import answer, why_not_called

_main = importlib.import_module("main")
_folder = os.path.dirname(os.path.abspath(_main.__file__ or ""))


class WitWorld(wit_world.WitWorld):
    """What the host calls."""

    def handle(self, event: str) -> str:
        _guest.begin()
        try:
            return answer(_main.handle, event)
        except BaseException as error:
            raise Err(_told(error)) from None
        finally:
            _guest.end()


def _own(file: str) -> str | None:
    """The name of a file that is the author's: one below the folder of `main.py`."""
    name = os.path.relpath(os.path.join("/", file), os.path.join("/", _folder))
    return None if name.startswith("..") else name


_failures = Failures(_own)


def _told(error: BaseException) -> str:
    """The one line; the traceback is in the log by then. Where even that takes more memory than there is, the little that is certain."""
    try:
        if not isinstance(error, Error):
            log.critical("%s", _failures.full(error))
        return _failures.line(error)
    except (MemoryError, RecursionError):
        return bare(error)


def _prepare() -> None:
    """Lines go to the host, and the author's sources are there for tracebacks."""
    if why := why_not_called(getattr(_main, "handle", None)):
        raise TypeError(f"main.py: {why}: write `def handle(event: Event) -> Reply`")
    _guest.send_lines()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and (name := _own(os.path.abspath(file))):
            source = Path(file).read_text()
            kept = (len(source), None, source.splitlines(keepends=True), file)
            linecache.cache[name] = linecache.cache[file] = kept
    # So that what a traceback makes once is in the image.
    try:
        raise ValueError
    except ValueError as error:
        "".join(traceback.TracebackException.from_exception(error).format())
    _memory.settle()


_prepare()
