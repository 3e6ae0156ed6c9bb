"""What a guest sees to by itself, as a component or in a runner: where its lines go, and the randomness of each run."""

import logging
import os
import random
import sys

from . import log


def send_lines() -> None:
    """Lines of `print` go out as they end, and those of `logging`, at `INFO` and above, to the host. Once, before the image is taken."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    handler = log.Handler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def begin() -> None:
    """Gives `random` a seed of the run's own: the image has that of the day on which it was built."""
    # By itself it would ask for 2,496 bytes, and take ten times as long.
    random.seed(int.from_bytes(os.urandom(32)))


def end() -> None:
    """Lets out what was printed without the end of a line."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
