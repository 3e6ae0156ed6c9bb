"""What the host looks for in a reply, for unit tests: in its words, without its limits."""

import json
from typing import Any

from .error import Error
from .reply import Reply


def checked(reply: Reply) -> Reply:
    """The reply. Raises `Error` if the host would not take it."""
    given = json.loads(reply.to_json())
    messages = given.get("response")
    if messages is None:
        raise Error("the reply has no message: `response` is absent")
    if not isinstance(messages, list):
        raise _wrong("`response` must be a list of messages")
    if not messages:
        raise Error("the reply has no message: `response` is an empty list")
    if not isinstance(given.get("status", True), bool):
        raise _wrong("`status` must be true or false")
    for at, message in enumerate(messages):
        if not isinstance(message, str | dict):
            raise _wrong(f"`response[{at}]` is neither a string nor a message element")
        if isinstance(message, dict) and (why := _why_no_element(message)):
            raise _wrong(f"`response[{at}]` is not a message element: {why}")
    return reply


def _why_no_element(element: dict[str, Any]) -> str | None:
    if "type" not in element:
        return "missing field `type`"
    if not isinstance(element["type"], str):
        return "its `type` is not a string"
    if not element["type"]:
        return "its `type` is empty"
    for name in ("text", "title"):
        if not isinstance(element.get(name), str | None):
            return f"its `{name}` is not a string"
    return None if isinstance(element.get("data"), dict | None) else "its `data` is not an object"


def _wrong(why: str) -> Error:
    return Error(f"the reply has the wrong shape: {why}")
