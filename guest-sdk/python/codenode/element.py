"""Message elements: what a bot can show beside plain text.

What a channel cannot show, the platform converts: Facebook cuts captions at 20 to 25 characters, WhatsApp numbers the choices.

    Reply(Button("Where is my order?", [Action.say("Track it"), Action.link("Our shop", "https://example.com")]))
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ActionKind(StrEnum):
    """What happens when an `Action` is pressed. The platform may know more: any text is taken."""

    #: What the `Uri` says.
    APP_ACTION = "APP_ACTION"
    #: The text goes to the message bar, to be edited.
    MESSAGE_BAR = "MESSAGE_BAR"
    #: The text is sent.
    TEXT = "TEXT"
    #: The text is sent, with nothing else.
    TEXT_ONLY = "TEXT_ONLY"
    #: A form opens.
    FORM_SHOW = "FORM_SHOW"
    #: The text is shared.
    SHARE = "SHARE"


class Uri(StrEnum):
    """Where an `Action` of the kind `APP_ACTION` leads. The platform may know more: any text is taken."""

    NOWHERE = ""
    #: To the payload's `url`.
    LINK = "LINK"
    #: To a phone call.
    CALL = "CALL"
    #: To the user's pictures.
    GALLERY_PICKER = "GALLERY_PICKER"
    #: To sharing the place.
    SEND_LOCATION = "SEND_LOCATION"
    #: To another channel of the bot.
    LAUNCH_CHANNEL = "LAUNCH_CHANNEL"


class Width(StrEnum):
    """How wide the cards of a `Carousel` are."""

    THIN = "THIN"
    MEDIUM = "MEDIUM"
    FAT = "FAT"
    BIG = "BIG"


class FieldKind(StrEnum):
    """What a `Field` of a form asks for. The platform may know more: any text is taken."""

    TEXT = "text"
    PICKER = "picker"
    TIME = "time"
    DATE = "date"
    START_DATE = "startdate"
    END_DATE = "enddate"
    SEARCH = "search"
    DOB = "dob"
    MULTI_SELECT_PICKER = "multiselectpicker"


class Element(ABC):
    """Anything that a reply can show which is not plain text."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """As the platform has it: `{"text": …, "type": …, "data": {…}}`."""


@dataclass(frozen=True, slots=True)
class Raw(Element):
    """An element that has no type here, such as `SYSTEM`: an object with `type`, `text` and `data`. The host checks it."""

    given: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return dict(self.given)


@dataclass(frozen=True, slots=True)
class Action:
    """Something to press: a quick reply, a button, or an action of a card."""

    caption: str
    kind: str = ActionKind.APP_ACTION
    uri: str = Uri.NOWHERE
    payload: Mapping[str, Any] = field(default_factory=dict)
    #: Beside the caption.
    emoji: str | None = None
    #: Asks the user to share the place first.
    with_location: bool = False
    #: It is the one that is chosen already.
    preselected: bool = False

    @classmethod
    def say(cls, caption: str, *, sends: str | None = None, emoji: str | None = None, preselected: bool = False) -> "Action":
        """Pressing it says the caption, in the chat and to the bot; `sends` is what the bot receives in its place, such as `track order 71`."""
        payload = {"message": caption, "gogo_message": caption if sends is None else sends}
        return cls(caption, ActionKind.TEXT_ONLY, payload=payload, emoji=emoji, preselected=preselected)

    @classmethod
    def link(cls, caption: str, url: str, *, emoji: str | None = None) -> "Action":
        """Pressing it opens a page."""
        return cls(caption, ActionKind.APP_ACTION, Uri.LINK, {"url": url}, emoji)

    def to_dict(self) -> dict[str, Any]:
        """As the platform has it."""
        emoji = {} if self.emoji is None else {"emoji": self.emoji}
        return {
            "actionable_text": self.caption,
            "location_required": self.with_location,
            "is_default": int(self.preselected),
            "uri": self.uri,
            "type": self.kind,
            "payload": dict(self.payload),
            **emoji,
        }


@dataclass(frozen=True, slots=True)
class Text(Element):
    """`TEXT`: a text with quick replies below it, which go away once one is pressed."""

    text: str
    quick_replies: Sequence[Action] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "type": "TEXT", "data": {"quick_replies": _dicts(self.quick_replies)}}


@dataclass(frozen=True, slots=True)
class Button(Element):
    """`BUTTON`: a text with buttons, which stay."""

    text: str
    items: Sequence[Action] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "type": "BUTTON", "data": {"items": _dicts(self.items)}}


@dataclass(frozen=True, slots=True)
class Card:
    """One card of a `Carousel`; its picture by the URL."""

    title: str
    sub_title: str = ""
    description: str = ""
    image: str | None = None
    actions: Sequence[Action] = ()

    def to_dict(self) -> dict[str, Any]:
        """As the platform has it."""
        thumbnail = {} if self.image is None else {"thumbnail": {"image": self.image, "type": "LANDSCAPE"}}
        return {
            "title": self.title,
            "sub_title": self.sub_title,
            "description": self.description,
            **thumbnail,
            "actionables": _dicts(self.actions),
        }


@dataclass(frozen=True, slots=True)
class Carousel(Element):
    """`CAROUSEL`: cards side by side, below a text. A picture is a carousel of one card."""

    text: str
    cards: Sequence[Card] = ()
    #: The pictures' width divided by their height: a number, or a text that spells one.
    aspect_ratio: float | str = 1
    width: str = Width.MEDIUM

    @classmethod
    def image(cls, url: str) -> "Carousel":
        """A picture by its URL, with nothing around it."""
        return cls("", [Card("", image=url)])

    def to_dict(self) -> dict[str, Any]:
        data = {"image_aspect_ratio": self.aspect_ratio, "width": self.width, "items": _dicts(self.cards)}
        return {"text": self.text, "type": "CAROUSEL", "data": data}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a `Form`, and the key under which its answer comes back."""

    key: str
    kind: str = FieldKind.TEXT
    #: What the empty field shows.
    hint: str = ""
    #: The keyboard that a phone brings up, by the platform's name for it.
    keyboard: str | None = None
    #: What can be chosen from.
    options: Sequence[Any] = ()

    def to_dict(self, order: int) -> dict[str, Any]:
        """As the platform has it; `order` is its place in the form, from 1."""
        keyboard = {} if self.keyboard is None else {"keyboard_type": self.keyboard}
        return {"key": self.key, "type": self.kind, **keyboard, "order": order, "hint": self.hint, "options": list(self.options)}


@dataclass(frozen=True, slots=True)
class Form(Element):
    """`FORM`: several things asked for at once."""

    title: str
    fields: Sequence[Field] = ()
    subtitle: str | None = None

    def to_dict(self) -> dict[str, Any]:
        subtitle = {} if self.subtitle is None else {"subtitle": self.subtitle}
        fields = [field.to_dict(order) for order, field in enumerate(self.fields, 1)]
        return {"title": self.title, **subtitle, "type": "FORM", "data": {"fields": fields}}


def _dicts(parts: Sequence[Action] | Sequence[Card]) -> list[dict[str, Any]]:
    return [part.to_dict() for part in parts]
