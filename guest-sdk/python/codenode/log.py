"""Log lines that the host keeps with the run. The module `logging` leads to the same log, and `print` writes lines at `info`.

    log.info("order %s is late by %d days", order, days)
"""

import logging as _logging
from collections.abc import Mapping
from enum import IntEnum

from . import _host


class Level(IntEnum):
    """How much a line matters."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    CRITICAL = 5


def write(level: Level, context: str, message: str) -> None:
    """Logs a message, one line for each of its lines. `context` groups lines that belong together."""
    _host.host.log(int(level), clean(context), clean(message))


def trace(message: object, *arguments: object) -> None:
    """Logs a line at the level `trace`. Arguments take the places `%s` of the message."""
    _say(Level.TRACE, message, arguments)


def debug(message: object, *arguments: object) -> None:
    """Logs a line for whoever debugs the handler."""
    _say(Level.DEBUG, message, arguments)


def info(message: object, *arguments: object) -> None:
    """Logs a line on the course of a good run."""
    _say(Level.INFO, message, arguments)


def warn(message: object, *arguments: object) -> None:
    """Logs that something looks wrong, and the run goes on."""
    _say(Level.WARN, message, arguments)


def error(message: object, *arguments: object) -> None:
    """Logs that something failed."""
    _say(Level.ERROR, message, arguments)


def critical(message: object, *arguments: object) -> None:
    """Logs that the handler cannot go on."""
    _say(Level.CRITICAL, message, arguments)


class Handler(_logging.Handler):
    """Hands the records of the module `logging` on as they are: their time is the host's to write."""

    def emit(self, record: _logging.LogRecord) -> None:
        try:
            write(level_of(record.levelno), "" if record.name == "root" else record.name, self.format(record))
        except Exception:
            self.handleError(record)


def level_of(number: int) -> Level:
    """The level of a number of the module `logging`: the next lower one that has a name."""
    return next((ours for least, ours in _LEVELS if number >= least), Level.TRACE)


_LEVELS = (
    (_logging.CRITICAL, Level.CRITICAL),
    (_logging.ERROR, Level.ERROR),
    (_logging.WARNING, Level.WARN),
    (_logging.INFO, Level.INFO),
    (_logging.DEBUG, Level.DEBUG),
)


def _say(level: Level, message: object, arguments: tuple[object, ...]) -> None:
    write(level, "", _filled(message, arguments))


def _filled(message: object, arguments: tuple[object, ...]) -> str:
    """A message with its arguments in their places, as `logging` does it: a lone mapping is for `%(name)s`. What does not fit stands behind it, for no
    line of a log is worth a run."""
    try:
        text = str(message)
        if not arguments:
            return text
        named = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], Mapping) and arguments[0] else None
        return text % (arguments if named is None else named)
    except Exception:
        return " ".join(_as_it_is(part) for part in (message, *arguments))


def _as_it_is(part: object) -> str:
    try:
        return str(part)
    except Exception:
        return f"(a {type(part).__name__} that cannot be shown)"


def clean(text: str) -> str:
    """Without halves of surrogate pairs, which the host cannot take."""
    return text.encode("utf-8", "replace").decode("utf-8")
