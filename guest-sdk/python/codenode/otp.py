"""One-time codes: made, kept for a while, and verified in a few tries, in the node's own bucket (the grant `kv:node`). Whoever makes one sends it.

A try counts at once and for good, so many runs at the same time have no more tries, and one that breaks has not had none. A code is kept only if its run
replies: one that could not be sent never was.

    codes = otp.Codes()
    code = codes.issue(phone)
    verdict = codes.verify(phone, typed)
    if verdict.is_right: …
"""

import hmac
import secrets
from dataclasses import dataclass
from enum import Enum

from . import kv

_MIN_DIGITS, _MAX_DIGITS = 4, 12


class Kind(Enum):
    """What becomes of a code that somebody typed."""

    #: It is the one that was issued, and is used up now.
    RIGHT = "right"
    #: It is not.
    WRONG = "wrong"
    #: It was tried too often, so it is not even looked at.
    TOO_MANY_TRIES = "too many tries"
    #: There is none, or not any more.
    NO_CODE = "no code"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a code that somebody typed, and how often it can be tried again."""

    kind: Kind
    #: After a wrong one; 0: never.
    tries_left: int = 0

    @property
    def is_right(self) -> bool:
        """Whether it is the one that was issued."""
        return self.kind is Kind.RIGHT


class Codes:
    """The codes of a node: of so many digits (4 to 12), good for so many seconds (1 second to 366 days) and so many tries.

    Raises `kv.Refused` without the grant `kv:node`; whatever it does may raise `kv.Error`.
    """

    def __init__(self, *, digits: int = 6, good_for: float = 300, tries: int = 3) -> None:
        # A code of fewer digits is guessed, and nobody types more of them.
        self._digits = min(max(digits, _MIN_DIGITS), _MAX_DIGITS)
        self._tries = max(1, tries)
        self._bucket = kv.node().keep_for(good_for)

    def issue(self, to: str) -> str:
        """A new code for somebody, such as a phone number of up to 500 bytes. It takes the place of the one before, with tries of its own."""
        code = f"{secrets.randbelow(10**self._digits):0{self._digits}}"
        # As it is: whoever has a hash of six digits has the digits.
        self._bucket.set(f"otp/code/{to}", code)
        self._bucket.delete(f"otp/tries/{to}")
        return code

    def verify(self, to: str, typed: str) -> Verdict:
        """Whether somebody has typed the code that was issued to them, in a time that does not tell how much of it is right."""
        tries_left = self._tries - self._bucket.increment(f"otp/tries/{to}")
        if tries_left < 0:
            return Verdict(Kind.TOO_MANY_TRIES)
        code = self._bucket.get(f"otp/code/{to}")
        if code is None:
            return Verdict(Kind.NO_CODE)
        if not hmac.compare_digest(code, typed.strip().encode("utf-8", "replace")):
            return Verdict(Kind.WRONG, tries_left)
        self._bucket.delete(f"otp/code/{to}")
        return Verdict(Kind.RIGHT)
