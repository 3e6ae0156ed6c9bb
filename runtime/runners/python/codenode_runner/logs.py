"""The module `logging` to the log of the run."""

import logging

from wit_world.imports import logging as host

#: Below it, so that what is less than `DEBUG` is seen as well.
_LEVELS = (
    (logging.CRITICAL, host.Level.CRITICAL),
    (logging.ERROR, host.Level.ERROR),
    (logging.WARNING, host.Level.WARN),
    (logging.INFO, host.Level.INFO),
    (logging.DEBUG, host.Level.DEBUG),
)


def level(number: int) -> host.Level:
    """The host's level of a number of `logging`'s."""
    return next((theirs for least, theirs in _LEVELS if number >= least), host.Level.TRACE)


def clean(text: str) -> str:
    """Without halves of surrogate pairs, which the host cannot take."""
    return text.encode("utf-8", "replace").decode("utf-8")


class HostHandler(logging.Handler):
    """Hands records on as they are: their time and level are the host's to write."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            name = "" if record.name == "root" else record.name
            host.log(level(record.levelno), clean(name), clean(self.format(record)))
        except Exception:
            self.handleError(record)
