"""What went wrong with the author's one file; how it is told is `codenode`'s."""

from codenode._failures import Failures, bare, shortened

__all__ = ["FAILURES", "Failed", "bare", "call_it", "file", "shortened"]

_file = "main.py"


def file() -> str:
    """What the author's source is called. There is one in each instance."""
    return _file


def call_it(file: str) -> None:
    """Says what it is called, before anything is said of it."""
    global _file
    _file = file


FAILURES = Failures(lambda name: name if name == _file else None)


class Failed(Exception):
    """There is no reply, or no program. Its text is the answer to the host."""
