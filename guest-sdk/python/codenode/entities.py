"""What the platform detected in what the user said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date, time as Time
from enum import StrEnum
from typing import Any

from . import values
from .error import Error
from .values import Fields, Range


class Detection(StrEnum):
    """How a value was detected. The platform may know more ways: compare an entity's `detection` with these."""

    MESSAGE = "message"
    STRUCTURE_VALUE_VERIFIED = "structure_value_verified"
    STRUCTURE_VALUE_NOT_VERIFIED = "structure_value_not_verified"
    FALLBACK_VALUE = "fallback_value"
    MODEL_VERIFIED = "model_verified"
    MODEL_NOT_VERIFIED = "model_not_verified"
    USER_PROFILE = "user_profile"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Entity:
    """One detected value: `{"detection": "message", "original_text": "71", "entity_value": "71"}`."""

    #: `entity_value`: a text, or a dict whose shape hangs on the entity's type. The methods read the shapes that are known.
    value: Any = None
    #: How the platform came to the value; see `Detection`.
    detection: str = ""
    #: What the user wrote; empty where nothing was written.
    original_text: str = ""
    #: Every other key, such as `language`.
    extra: Fields = field(default_factory=Fields)

    @classmethod
    def of(cls, given: Any) -> "Entity":
        """Reads the platform's object. Raises `Error` if it is none."""
        if not isinstance(given, Mapping):
            raise Error(f"the event cannot be read: an entity's value is an object, not {type(given).__name__}")
        extra = Fields((key, value) for key, value in given.items() if key not in ("detection", "original_text", "entity_value"))
        return cls(given.get("entity_value"), _text(given.get("detection")), _text(given.get("original_text")), extra)

    def text(self) -> str | None:
        """A plain text, or the text in `{"value": "…"}`."""
        return values.text(self.value)

    def integer(self) -> int | None:
        """A whole number, or a text that spells one, bare or in `{"value": …}`."""
        return values.integer(self.value)

    def number(self) -> float | None:
        """A finite number, or a text that spells one, bare or in `{"value": …}`."""
        return values.number(self.value)

    def unit(self) -> str | None:
        """The `unit` beside a value or a range: `rupees`, `quantity` …"""
        unit = self.value.get("unit") if isinstance(self.value, dict) else None
        return unit if isinstance(unit, str) else None

    def date(self) -> Date | None:
        """The day in `{"value": {"dd": 23, "mm": 12, "yy": 2019, "type": "date"}}`, wrapped or not; none where the calendar has no such day."""
        return values.date(self.value)

    def time(self) -> Time | None:
        """The time of day in `{"hh": 3, "mm": 0, "nn": "pm"}`, wrapped or not."""
        return values.time(self.value)

    def range(self) -> Range | None:
        """The range in `{"min_value": "200000", "max_value": null, "unit": "rupees"}`, wrapped or not."""
        return values.range_of(self.value)


class Entities(Mapping[str, Sequence[Entity]]):
    """What the platform detected: a list of values under each name, in the order in which they came.

    A name is absent when nothing was detected, and its list may hold several values. The methods read the first value of a name.
    """

    def __init__(self, entities: Mapping[str, Sequence[Entity]] | None = None) -> None:
        self._entities = dict(entities or {})

    @classmethod
    def of(cls, given: Any) -> "Entities":
        """Reads the platform's object of lists. Raises `Error` if it is none. A value that stands alone is a list of one."""
        if given is None:
            return cls()
        if not isinstance(given, Mapping):
            raise Error(f"the event cannot be read: `entities` is an object, not {type(given).__name__}")
        listed = {name: [] if found is None else found if isinstance(found, list) else [found] for name, found in given.items()}
        return cls({name: [Entity.of(value) for value in found] for name, found in listed.items()})

    def __getitem__(self, name: str) -> Sequence[Entity]:
        return self._entities[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entities)

    def __len__(self) -> int:
        return len(self._entities)

    def __repr__(self) -> str:
        return f"Entities({self._entities!r})"

    def all(self, name: str) -> Sequence[Entity]:
        """All values of this name; empty where there are none."""
        return self._entities.get(name, ())

    def first(self, name: str) -> Entity | None:
        """The first value of this name."""
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str | None:
        """The first value's `Entity.text`."""
        return first.text() if (first := self.first(name)) else None

    def integer(self, name: str) -> int | None:
        """The first value's `Entity.integer`."""
        return first.integer() if (first := self.first(name)) else None

    def number(self, name: str) -> float | None:
        """The first value's `Entity.number`."""
        return first.number() if (first := self.first(name)) else None

    def date(self, name: str) -> Date | None:
        """The first value's `Entity.date`."""
        return first.date() if (first := self.first(name)) else None

    def time(self, name: str) -> Time | None:
        """The first value's `Entity.time`."""
        return first.time() if (first := self.first(name)) else None

    def range(self, name: str) -> Range | None:
        """The first value's `Entity.range`."""
        return first.range() if (first := self.first(name)) else None


def _text(given: Any) -> str:
    """Odd scalars are read as text, and nothing is empty."""
    return given if isinstance(given, str) else "" if given is None or isinstance(given, list | dict) else str(given)
