"""What a node says, in the words of people who do not program: texts by their keys, in many languages, which they edit while the node serves.

A revision reads them if it is granted `kv:messages`. A key may have a text for each language, and one for every language that has none of its own. For
`hi-IN` that is the text for `hi-IN`, else the one for `hi`, else the one without a language; the host is asked once for all three.

    text = messages.text("order.on_its_way", event.user.language_code)
    reply = messages.fill(text, order="71")
"""

import re

from . import kv as _kv

_BUCKET = "messages"
_MAX_LANGUAGE_BYTES = 35
_TAG = re.compile(r"[A-Za-z0-9-]+")
_PLACE = re.compile(r"\{([^{}]*)\}")


class Missing(Exception):
    """Nobody has written it."""


class Messages:
    """The texts for one language, opened once for all that a run says."""

    def __init__(self, language: str | None = None) -> None:
        self._bucket = _kv.Bucket(_BUCKET)
        self._endings = endings(language)

    def text(self, key: str) -> str:
        """The text of a message. Raises `Missing`, and `kv.Error` if it could not be read."""
        found = self._bucket.get_many(f"{key}{ending}" for ending in self._endings)
        text = next((text for text in found if text is not None), None)
        if text is None:
            best = self._endings[0].removeprefix("/")
            language = f" in {best}, nor one without a language" if best else ""
            raise Missing(f"there is no message {key}{language}: add it with `codenode message set {key} TEXT`")
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise _kv.Unreadable(f"kv:{_BUCKET} {key}: {error}") from None


def text(key: str, language: str | None = None) -> str:
    """The text of a message for a language; without one, the text without a language. Raises `Missing`, and `kv.Error` if it could not be read."""
    return open(language).text(key)


def open(language: str | None = None) -> Messages:
    """The messages of the tenant for a language. What is no language's tag counts as none; `hi_IN` is taken for `hi-IN`.

    Raises `kv.Refused` without the grant `kv:messages`.
    """
    return Messages(language)


def fill(text: str, /, **values: object) -> str:
    """Puts values in their places: `{order}` becomes what `order` stands for. A place of another name stays as it is, and nothing is sought in values."""
    return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), text)


def endings(language: str | None) -> list[str]:
    """`/hi-IN`, `/hi` and nothing: as RFC 4647 (3.4) looks languages up."""
    tag = (language or "").replace("_", "-")
    if len(tag) > _MAX_LANGUAGE_BYTES or not _TAG.fullmatch(tag):
        return [""]
    parts, found = tag.split("-"), list[str]()
    while parts and parts != [""]:
        found.append("/" + "-".join(parts))
        parts.pop()
        # What a part of one letter announces is gone.
        while len(parts) > 1 and len(parts[-1]) <= 1:
            parts.pop()
    return [*found, ""]
