"""From the platform's JSON to a handler, and from what that returns to the reply's."""

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from .error import Error
from .event import Event
from .reply import Reply

_MAX_SHOWN_CHARS = 60


def handler(function: Callable[[Event], Reply]) -> Callable[[Event], Reply]:
    """Makes a handler of a function from an `Event` to a `Reply`: whoever calls it may give the event as the dict that the platform's JSON is.

        @codenode.handler
        def handle(event: Event) -> Reply:
            return Reply(f"Order {event.entities.text('product_id')} is on its way.")
    """

    @functools.wraps(function)
    def handle(event: Any) -> Reply:
        return function(event if isinstance(event, Event) else Event.of(event))

    return handle


def answer(handle: Callable[[Any], Any], event: str) -> str:
    """The reply's JSON to the platform's. Raises what the handler raises, and `Error` if it gives no reply."""
    try:
        asked = json.loads(event)
    except ValueError as error:
        raise Error(f"the event is not JSON: {error}") from None
    return reply_of(handle(asked)).to_json()


def reply_of(returned: Any) -> Reply:
    """What a handler returned, a `Reply` or a dict of the platform's shape, as a reply. Raises `Error` if it is neither."""
    if isinstance(returned, Reply):
        return returned
    if isinstance(returned, dict):
        return _Given(returned)
    if inspect.iscoroutine(returned):
        returned.close()
        raise Error("handle returned a coroutine: write `def handle(event)`, without `async`")
    raise Error(f"handle returned {kind(returned)}: return a `codenode.Reply`, or a dict")


class _Given(Reply):
    """A dict, as it is: what it must be is the host's to judge."""

    def __init__(self, given: dict[str, Any]) -> None:
        messages = given.get("response")
        super().__init__(*(text for text in messages if isinstance(text, str)) if isinstance(messages, list) else ())
        self.status = bool(given.get("status", True))
        self._given = given

    def to_dict(self) -> dict[str, Any]:
        return self._given


def kind(value: Any) -> str:
    """`7 (int)`, for messages."""
    if value is None:
        return "None"
    try:
        shown = " ".join(repr(value).split())
    except Exception:
        shown = "what cannot be shown"
    shown = shown if len(shown) <= _MAX_SHOWN_CHARS else shown[: _MAX_SHOWN_CHARS - 1] + "…"
    return f"{shown} ({type(value).__name__})"
