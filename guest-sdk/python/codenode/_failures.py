"""What went wrong, for the author: one line for the bot break, and a traceback of the author's own lines for the log."""

import difflib
import traceback
import urllib.error
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from . import _urls, log
from .entities import Entities
from .error import Error
from .event import Event

#: How an error begins that is the failure of a service, or for want of memory, as `codenode:node/code-node` says.
UPSTREAM = "upstream: "
OUT_OF_MEMORY = "out of memory: "

MAX_LINE_CHARS = 1_000
#: The last ones are told, of each exception.
MAX_FRAMES = 20
#: So many dicts and lists are looked through for a key that may have been meant.
_MAX_LOOKED_AT = 200


class Failures:
    """Tells of exceptions. `own` gives the name of a file if it is the author's: of other files no line is shown."""

    def __init__(self, own: Callable[[str], str | None]) -> None:
        self._own = own

    def line(self, error: BaseException) -> str:
        """`main.py:7 in main: ZeroDivisionError: division by zero`, begun with `upstream: ` if a service is to blame, and with `out of memory: ` if
        the limit is. The place is the author's last line. An `Error` is its text alone."""
        place = "" if isinstance(error, Error) else self._place(error)
        what = self._what(error)
        said = _one_line(f"{place}: {what}" if place else what)
        return _begin(error) + shortened(said)

    def full(self, error: BaseException) -> str:
        """The whole traceback, causes too, without the lines of others and without what is secret in URLs."""
        told = traceback.TracebackException.from_exception(error)
        self._keep_the_authors(told, set())
        return "".join(told.format()).rstrip("\n")

    def _what(self, error: BaseException) -> str:
        if isinstance(error, Error):
            return str(error)
        if isinstance(error, SystemExit):
            return f"the handler ended with SystemExit({error.code!r}) and gave no reply; use `return`"
        try:
            text = self._mended(error)
        except Exception:
            text = "(its text cannot be made)"
        text = _urls.without_secrets(text)
        name = type(error).__qualname__
        return f"{name}: {text}" if text else name

    def _mended(self, error: BaseException) -> str:
        """The text of an exception, with what to write instead where that can be told."""
        if isinstance(error, NameError | AttributeError):
            # CPython knows what is near, and which module of the standard library has the name.
            told = traceback.TracebackException.from_exception(error)
            return "".join(told.format_exception_only()).strip().partition(": ")[2]
        text = str(error)
        if type(error) is not KeyError or not self._is_of_a_subscript(error) or not isinstance(error.args[0], str):
            return text
        near = _near(error.args[0], self._frame(error))
        return f"{text}: did you mean {near!r}?" if near else f"{text}: there is no such key; `.get({text})` gives None for it"

    def _is_of_a_subscript(self, error: KeyError) -> bool:
        """Whether the author wrote `what[key]` of something that had no such key: whatever else raises a `KeyError` says itself what is wrong."""
        last = _last(error.__traceback__)
        if last is None or _instruction(last) != _SUBSCRIPT:
            return False
        code = last.tb_frame.f_code
        return self._own(code.co_filename) is not None or code is Entities.__getitem__.__code__

    def _frame(self, error: BaseException) -> FrameType | None:
        """The author's innermost."""
        frame, entry = None, error.__traceback__
        while entry is not None:
            if self._own(entry.tb_frame.f_code.co_filename):
                frame = entry.tb_frame
            entry = entry.tb_next
        return frame

    def _place(self, error: BaseException) -> str:
        if isinstance(error, SyntaxError) and error.filename and (name := self._own(error.filename)):
            return f"{name}:{error.lineno}"
        place, entry = "", error.__traceback__
        while entry is not None:
            code = entry.tb_frame.f_code
            if name := self._own(code.co_filename):
                function = "" if code.co_name == "<module>" else f" in {code.co_name}"
                place = f"{name}:{entry.tb_lineno}{function}"
            entry = entry.tb_next
        return place

    def _keep_the_authors(self, told: traceback.TracebackException | None, seen: set[int]) -> None:
        if told is None or id(told) in seen:
            return
        seen.add(id(told))
        own = [frame for frame in told.stack if self._own(frame.filename)]
        for frame in own:
            frame.filename = self._own(frame.filename) or frame.filename
        told.stack = traceback.StackSummary.from_list(own[-MAX_FRAMES:])
        told._str = _urls.without_secrets(told._str)  # type: ignore[attr-defined]
        for other in (told.__cause__, told.__context__, *(told.exceptions or ())):
            self._keep_the_authors(other, seen)


def bare(error: BaseException) -> str:
    """The little that is certain of an error, where its text takes more memory than there is."""
    return _begin(error) + type(error).__name__


def shortened(text: str) -> str:
    """Cut to what a record of a run shows."""
    return text if len(text) <= MAX_LINE_CHARS else text[: MAX_LINE_CHARS - 1] + "…"


def _begin(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    return UPSTREAM if is_of_a_service(error) else ""


def is_of_a_service(error: BaseException) -> bool:
    """Whether a service did not answer, or answered with a status of 500 or more, as an exception of `requests` or `urllib` tells it."""
    if isinstance(error, urllib.error.HTTPError):
        return isinstance(error.code, int) and error.code >= 500
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return is_of_a_service(error.reason)
    status = _read(_read(error, "response"), "status_code")
    return _read(error, "is_of_a_service") is True or (isinstance(status, int) and status >= 500)


def _read(value: object, name: str) -> Any:
    """An attribute, if there is one. Of an author's class it may be a property, which may raise anything."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def _near(key: str, frame: FrameType | None) -> str | None:
    """The key most like this one in what a function has at hand."""
    found: list[str] = []
    waiting: list[object] = list(frame.f_locals.values()) if frame else []
    for _ in range(_MAX_LOOKED_AT):
        if not waiting:
            break
        value = waiting.pop(0)
        # No subclass: its methods would be the author's code.
        if type(value) is Event:
            waiting.append(value.raw)
        elif type(value) is dict:
            found += [known for known in list(value)[:_MAX_LOOKED_AT] if isinstance(known, str)]
            waiting += list(value.values())[:_MAX_LOOKED_AT]
        elif type(value) is list:
            waiting += value[:_MAX_LOOKED_AT]
    return next(iter(difflib.get_close_matches(key, found, n=1)), None)


def _last(entry: TracebackType | None) -> TracebackType | None:
    """Where an exception was raised."""
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return entry


def _instruction(entry: TracebackType) -> bytes:
    """What CPython was doing there, and on what."""
    return entry.tb_frame.f_code.co_code[entry.tb_lasti : entry.tb_lasti + 2]


def _instruction_of_a_subscript() -> bytes:
    """As this CPython has it, for each one numbers them anew."""
    try:
        nothing: dict[str, str] = {}
        nothing[""]
    except KeyError as error:
        last = _last(error.__traceback__)
    return _instruction(last) if last else b""


_SUBSCRIPT = _instruction_of_a_subscript()


def _one_line(text: str) -> str:
    return log.clean(" ".join(text.split()))
