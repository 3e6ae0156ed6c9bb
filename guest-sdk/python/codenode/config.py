"""What people set for a node: values of its own or of all its tenant's nodes, and those that a revision brings along.

Granted per revision: `config` for what is no secret, and `secret:KEY` for each secret. The host is asked each time, so a change is seen by the next
question. What is not granted is not there.

    most = config.read("orders.shown") or 5
    shop = config.text("shop.name")
"""

import json
from typing import Any

from . import _host


class Error(Exception):
    """Why there is no value."""


class Missing(Error):
    """It is not set, or not granted to the node's revision."""


class Unreadable(Error):
    """It is not what it was read as."""


class Failed(Error):
    """The host could not say."""


def get(key: str) -> str | None:
    """The value of a key, if one is set and granted: a text as it is, and a number, a boolean, a list or an object as JSON. Raises `Failed`."""
    if not isinstance(key, str):
        raise TypeError(f"a key is a text, not {type(key).__name__}")
    if not _host.is_text(key):
        return None
    try:
        return _host.host.config(key)
    except _host.Refusal as refusal:
        raise Failed(str(refusal)) from None


def text(key: str) -> str:
    """The value of a key that must be there, as text. Raises `Missing`, which says how it is set and granted, and `Failed`."""
    value = get(key)
    if value is None:
        raise Missing(
            f"{key} is not set, or not granted: `codenode config set {key} VALUE`, and grant `config`; "
            f"for a secret `--secret`, and `secret:{key}`"
        )
    return value


def read(key: str) -> Any:
    """The value of a key, if there is one, read as JSON: a number, a boolean, a list or a dict. Raises `Unreadable` and `Failed`."""
    value = get(key)
    try:
        return None if value is None else json.loads(value)
    except ValueError as error:
        raise Unreadable(f"the value of {key} is not as expected: {error}") from None


def all() -> dict[str, str]:
    """All values that are set, by their keys, but for secrets. None without the grant `config`. Raises `Failed`."""
    try:
        return dict(_host.host.all_config())
    except _host.Refusal as refusal:
        raise Failed(str(refusal)) from None
