"""From the platform's JSON to a handler, and from what that returns to the reply's."""

import functools
import inspect
import json
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from .element import Raw
from .error import Error
from .event import Event
from .reply import OWN, Message, Reply

_MAX_SHOWN_CHARS = 60
#: What tells a function that `handler` made, also within decorators of others that use `functools.wraps`.
_MARK = "_takes_codenode_events"

_More = ParamSpec("_More")
_Returned = TypeVar("_Returned", bound=Reply | dict[str, Any] | Coroutine[Any, Any, Any])


def handler(function: Callable[Concatenate[Event, _More], _Returned]) -> Callable[Concatenate[Any, _More], _Returned]:
    """Makes a handler of a function from an `Event` to a `Reply`: whoever calls it may give the event as the dict that the platform's JSON is.

        @codenode.handler
        def handle(event: Event) -> Reply:
            return Reply(f"Order {event.entities.text('product_id')} is on its way.")

    A handler that is kept as a source may be called `main`, too, and may take the `context` of its run behind the event.
    """

    @functools.wraps(function)
    def handle(event: Any, /, *more: _More.args, **named: _More.kwargs) -> _Returned:
        return function(event if isinstance(event, Event) else Event.of(event), *more, **named)

    setattr(handle, _MARK, True)
    return handle


def takes_events(handle: Callable[..., Any]) -> bool:
    """Whether `handler` made it: any other function takes the platform's JSON as it is."""
    return getattr(handle, _MARK, False) is True


def why_not_called(handle: Any) -> str | None:
    """Why this cannot be called with an event alone, as a component calls its handler; `None`: it can."""
    if not callable(handle):
        return "there is no function `handle`"
    try:
        signature = inspect.signature(handle)
    except (TypeError, ValueError):
        # Written in C: nobody knows before it is called.
        return None
    try:
        signature.bind(None)
    except TypeError:
        return f"handle takes {signature}"
    return None


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
    """A dict, as it is, seen as a reply: what it must be is the host's to judge."""

    def __init__(self, given: dict[str, Any]) -> None:
        response, status = given.get("response"), given.get("status", True)
        super().__init__(
            *(_message(item) for item in (response if isinstance(response, list) else ()) if isinstance(item, str | dict)),
            status=bool(status),
            conversation_details=_details(given.get("conversation_details")),
            user_details=_details(given.get("user_details")),
            extra={name: value for name, value in given.items() if name not in OWN},
        )
        self._given = given

    def to_dict(self) -> dict[str, Any]:
        return self._given


def _message(item: str | dict[str, Any]) -> Message:
    return item if isinstance(item, str) else Raw(item)


def _details(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


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
