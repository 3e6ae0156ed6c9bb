"""Lets the runner's own logic be tried without a component: `codenode` has a host for unit tests, which keeps what is logged."""

import sys
from pathlib import Path

_HERE = Path(__file__).parents[1]
sys.path[:0] = [str(_HERE), str(_HERE.parents[2] / "guest-sdk/python")]

from codenode import _host  # noqa: E402

#: What is logged: the level, the context and the text of each line.
LOG: list[tuple[int, str, str]] = []

_host.host.lines = LOG
