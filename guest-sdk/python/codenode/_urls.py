"""What of a URL everybody may read, in messages and logs: not its query, and nobody's name or password before its host."""

import re
from urllib.parse import urlsplit

# All of them take time in proportion to the text, which may be long.
_USERINFO = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?[^/?#]*@")
#: A URL within a text, as far as it goes there.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s'\"<>`]+")
#: One without its scheme, which cannot be told for sure: in quotes, or begun with a host or a path, and then a query.
_BEGUN = re.compile(r"((?<=')[^\s'?]*|(?<![^\s\"<(])(?:/|[\w-]+\.[\w-])[^\s'\"<>`?]*)\?[^\s'\"<>`]*=[^\s'\"<>`]*")
_PASSWORD = re.compile(r"(?<=')[^\s'/:@]*:[^\s'/@]*@")


def bare(url: str) -> str:
    """A URL without its query, its fragment, and what stands before its host."""
    return _USERINFO.sub(lambda found: found[1] or "", re.split("[?#]", url, maxsplit=1)[0])


def origin(url: str) -> str:
    """Where it leads, as a grant has it: `https://api.example.com:8443`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def without_secrets(text: str) -> str:
    """A text in which each URL is bare."""
    text = _URL.sub(lambda found: bare(found[0]), text)
    return _PASSWORD.sub("", _BEGUN.sub(r"\1", text))
