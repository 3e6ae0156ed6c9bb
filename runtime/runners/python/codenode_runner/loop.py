"""What `asyncio` runs on: timers, and nothing else to wait for."""

import asyncio
import time
from typing import Any


class Loop(asyncio.BaseEventLoop):
    """There are no sockets and no other threads here, so nothing but the time can wake a task. A request of `requests` holds up all of them."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self

    def select(self, timeout: float | None) -> list[Any]:
        """What the base class waits with; for ever, where no timer is set."""
        if timeout is None:
            raise RuntimeError("every task waits for something that cannot happen: there are no other threads here")
        time.sleep(max(0, timeout))
        return []

    def _process_events(self, _events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass
