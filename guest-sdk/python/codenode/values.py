"""The shapes in which the platform writes values: bare, or wrapped in `{"value": …}`. What is of another shape is read as `None`, never as an error."""

import math
import re
from dataclasses import dataclass
from datetime import date as Date, time as Time
from typing import Any

_LARGEST_WHOLE = 1 << 53
_WHOLE = re.compile("[+-]?[0-9]+")
_MAX_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Range:
    """A span of numbers, in the platform's form `{"min_value": "200000", "max_value": null, "unit": "rupees"}`; an end that is null or absent is open."""

    min: float | None = None
    max: float | None = None
    #: What is counted, as the platform names it.
    unit: str | None = None


class Fields(dict[str, Any]):
    """Named JSON values, with readers for the shapes that are known."""

    def text(self, name: str) -> str | None:
        """The value where it is a text, bare or wrapped."""
        return text(self.get(name))

    def integer(self, name: str) -> int | None:
        """The value where it is a whole number, or a text that spells one."""
        return integer(self.get(name))

    def number(self, name: str) -> float | None:
        """The value where it is a finite number, or a text that spells one."""
        return number(self.get(name))


def bare(value: Any) -> Any:
    """The value itself, without the wrapping `{"value": …}`."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def text(value: Any) -> str | None:
    """A text, bare or wrapped."""
    value = bare(value)
    return value if isinstance(value, str) else None


def integer(value: Any) -> int | None:
    """A whole number up to 2^53, beyond which JSON's numbers are not exact, or a text of up to 64 bits that spells one in the digits 0 to 9; bare or
    wrapped. `2.0` is whole."""
    value = bare(value)
    if isinstance(value, str):
        text = value.strip()
        # The length first, for CPython reads no number that is endless.
        number = int(text) if len(text) <= _MAX_DIGITS and _WHOLE.fullmatch(text) else None
        return number if number is not None and -(1 << 63) <= number < 1 << 63 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_whole = isinstance(value, int) or value.is_integer()
    return int(value) if is_whole and abs(value) <= _LARGEST_WHOLE else None


def number(value: Any) -> float | None:
    """A finite number, or a text that spells one; bare or wrapped."""
    value = bare(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def date(value: Any) -> Date | None:
    """The day in `{"dd": 23, "mm": 12, "yy": 2019, "type": "date"}`, wrapped or not; none where the calendar has no such day."""
    day, month, year = _parts(value, "dd", "mm", "yy")
    try:
        return None if day is None or month is None or year is None else Date(year, month, day)
    except (ValueError, OverflowError):
        return None


def time(value: Any) -> Time | None:
    """The time of day in `{"hh": 3, "mm": 0, "nn": "pm"}`, wrapped or not. `nn` is `am`, `pm`, or `hrs` for the 24-hour clock; any other word (`df` is a
    distance from now) is no time of day."""
    hour, minute = _parts(value, "hh", "mm")
    if hour is None or minute is None:
        return None
    half = bare(value).get("nn") or ""
    if half in ("am", "pm"):
        if not 0 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif half not in ("", "hrs"):
        return None
    try:
        return Time(hour, minute)
    except (ValueError, OverflowError):
        return None


def range_of(value: Any) -> Range | None:
    """The range in `{"min_value": "200000", "max_value": null, "unit": "rupees"}`, wrapped or not."""
    value = bare(value)
    if not isinstance(value, dict) or not ("min_value" in value or "max_value" in value):
        return None
    return Range(number(value.get("min_value")), number(value.get("max_value")), text(value.get("unit")))


def _parts(value: Any, *names: str) -> list[int | None]:
    value = bare(value)
    return [integer(value.get(name)) if isinstance(value, dict) else None for name in names]
