"""What the bot platform sent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from . import values
from .entities import Entities
from .error import Error
from .values import Fields

#: Why a node is asked: the bot has reached it. The only documented reason.
API_INTEGRATION = "API_INTEGRATION"


class Platform(IntEnum):
    """Where a chat takes place. The platform may add places: compare a user's `device_platform` with these."""

    ANDROID = 2
    FACEBOOK = 3
    JIO = 4
    WEB = 5
    IOS = 6
    BOT_API = 13
    WHATS_APP = 14
    JIO_CHAT_CONNECTOR = 15


@dataclass(frozen=True, slots=True)
class User:
    """Who is chatting. What came after the form of 2018 is optional."""

    #: The platform's name for the user.
    user_name: str = ""
    #: The user's own name; often empty.
    full_name: str = ""
    #: Where the chat takes place, as a `Platform`; 0 where the platform did not say.
    device_platform: int = 0
    #: The platform's id of the user.
    user_id: str | None = None
    #: The language of the chat: `en`, `hi` …
    language_code: str | None = None
    #: The user's id with the bot's owner.
    auth_id: str | None = None
    #: The user's token with the bot's owner.
    auth_code: str | None = None
    #: Every other key.
    extra: Fields = field(default_factory=Fields)

    @classmethod
    def of(cls, given: Any) -> "User":
        """Reads the platform's object. Raises `Error` if it is none."""
        user = _object("user", given)
        return cls(
            user_name=_text(user.pop("user_name", None)) or "",
            full_name=_text(user.pop("full_name", None)) or "",
            device_platform=values.integer(user.pop("device_platform", None)) or 0,
            user_id=_text(user.pop("user_id", None)),
            language_code=_text(user.pop("language_code", None)),
            auth_id=_text(user.pop("auth_id", None)),
            auth_code=_text(user.pop("auth_code", None)),
            extra=user,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Which node is asked, by whom, and what was detected.

    The form of 2018 has only `node`, `event`, three fields of `user`, and `entities`. So nothing is required: an absent text is empty, absent details
    have no entries, and keys that have no field here are in `extra`.
    """

    #: The node's system name, such as `ORDER_STATUS`. Since 2023 the platform calls it `step`; where both are there it is `node`, unless that is null.
    node: str = ""
    #: Why the node is asked: `API_INTEGRATION`.
    event: str = ""
    #: Who is chatting. The platform's Run panel calls it `user_data`; likewise.
    user: User = field(default_factory=User)
    #: How many conversations this one makes for the user.
    conversation_no: int | None = None
    #: What earlier nodes kept for this conversation: the platform, or codenode with the grant `state:conversation`.
    conversation_details: Fields = field(default_factory=Fields)
    #: What is kept for this user: by the platform, or by codenode with the grant `state:user`.
    user_details: Fields = field(default_factory=Fields)
    #: What was detected.
    entities: Entities = field(default_factory=Entities)
    #: The bot's settings.
    env_variables: Fields = field(default_factory=Fields)
    #: Every other key of the event.
    extra: Fields = field(default_factory=Fields)
    #: The platform's JSON, all of it, as it was given; empty for an event that was made by hand.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Event":
        """Reads an event's JSON. Raises `Error` if it is no JSON, or a part that must be an object is something else."""
        try:
            return cls.of(json.loads(text))
        except ValueError as error:
            raise Error(f"the event is not JSON: {error}") from None

    @classmethod
    def of(cls, given: Any) -> "Event":
        """Reads the platform's JSON as Python has it: a dict. Raises `Error` if a part that must be an object is something else."""
        event = _object("the event", given)
        node, step = _text(event.pop("node", None)), _text(event.pop("step", None))
        user, user_data = event.pop("user", None), event.pop("user_data", None)
        return cls(
            node=(step if node is None else node) or "",
            event=_text(event.pop("event", None)) or "",
            user=User.of(user_data if user is None else user),
            conversation_no=values.integer(event.pop("conversation_no", None)),
            conversation_details=_object("conversation_details", event.pop("conversation_details", None)),
            user_details=_object("user_details", event.pop("user_details", None)),
            entities=Entities.of(event.pop("entities", None)),
            env_variables=_object("env_variables", event.pop("env_variables", None)),
            extra=event,
            raw={} if given is None else given,
        )


def _object(name: str, given: Any) -> Fields:
    """A copy."""
    if given is None:
        return Fields()
    if not isinstance(given, Mapping):
        raise Error(f"the event cannot be read: {name} is an object, not {type(given).__name__}")
    return Fields(given)


def _text(given: Any) -> str | None:
    """Odd scalars are read as text."""
    return given if isinstance(given, str) else None if given is None or isinstance(given, list | dict) else str(given)
