"""What went wrong with the author's one file; how it is told is `codenode`'s."""

from codenode._failures import Failures, bare, shortened

__all__ = ["FAILURES", "FILE", "Failed", "bare", "shortened"]

#: What the author's source is called.
FILE = "main.py"

FAILURES = Failures(lambda file: file if file == FILE else None)


class Failed(Exception):
    """There is no reply, or no program. Its text is the answer to the host."""
