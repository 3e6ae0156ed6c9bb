"""What the bot answers."""

import json
from collections.abc import Mapping
from typing import Any

from .element import Element
from .error import Error

#: What a reply says: plain text or an element.
Message = str | Element


class Reply:
    """What the bot answers: messages, whether the business step succeeded, and what to remember.

    - `messages`: plain texts, and elements of `codenode.element`. A reply without any is a bot break.
    - `status`: whether the business step succeeded. After `False`, the chat of an end node stays with the bot.
    - `conversation_details`: what to keep for this conversation. It is kept once the run has succeeded: by the platform or, with the grant
      `state:conversation`, by codenode for three hours, which forgets what is `None`. The usual cap of a value is 2500 characters.
    - `user_details`: what to keep for this user, texts and numbers, likewise, with the grant `state:user`. The usual cap of a value is 200 characters.
    - `extra`: keys of your own at the top of the reply, for later nodes to branch on. Those that a reply has already are not free.

        Reply("Your order is on its way.", "Anything else?", conversation_details={"order": "71"})
    """

    def __init__(
        self,
        *messages: Message,
        status: bool = True,
        conversation_details: Mapping[str, Any] | None = None,
        user_details: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        for message in messages:
            if not isinstance(message, str | Element):
                raise TypeError(f"a message is a text or an element, not {type(message).__name__}; `element.Raw` takes a dict")
        taken = OWN.intersection(extra or {})
        if taken:
            raise ValueError(f"`extra` cannot have {', '.join(sorted(taken))}: a reply has it already")
        self.messages = messages
        self.status = status
        self.conversation_details = dict(conversation_details or {})
        self.user_details = dict(user_details or {})
        self.extra = dict(extra or {})

    @property
    def texts(self) -> list[str]:
        """The plain messages; elements are left out."""
        return [message for message in self.messages if isinstance(message, str)]

    def to_dict(self) -> dict[str, Any]:
        """The reply as the host gets it: an element stands as a text that holds its JSON, and details only where there are some."""
        reply: dict[str, Any] = {
            "status": self.status,
            "response": [message if isinstance(message, str) else _json(message.to_dict()) for message in self.messages],
        }
        if self.conversation_details:
            reply["conversation_details"] = self.conversation_details
        if self.user_details:
            reply["user_details"] = self.user_details
        return reply | self.extra

    def to_json(self) -> str:
        """The same as JSON. Raises `Error` if something in it cannot be JSON, or is no valid text."""
        return valid(_json(self.to_dict()))

    def __repr__(self) -> str:
        return f"Reply({self.to_dict()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reply) and self.to_dict() == other.to_dict()


#: The keys that a reply has already.
OWN = {"status", "response", "conversation_details", "user_details"}


def valid(text: str) -> str:
    """The text of a reply, as it is. Raises `Error` if half a surrogate pair is in it, which no host can take."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Error(f"the reply is no valid text: {error}") from None
    return text


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise Error(f"the reply cannot be JSON: {error}") from None
