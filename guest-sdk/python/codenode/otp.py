"""One-time codes: made, kept for a while, and verified in a few tries, in the node's own bucket (the grant `kv:node`). Whoever makes one sends it.

A try counts at once and for good, so many runs at the same time have no more tries, and one that breaks has not had none. So is a right code used up:
of many runs that bring it at the same time one is told so, even if it breaks then. A code is kept only if its run replies: one that could not be sent
never was.

    codes = otp.Codes()
    code = codes.issue(phone)
    verdict = codes.verify(phone, typed)
    if verdict.is_right: …
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from . import kv

_MIN_DIGITS, _MAX_DIGITS = 4, 12
#: What is kept of a code that was right, for as long as a code is.
_USED = b""


class Kind(Enum):
    """What becomes of a code that somebody typed."""

    #: It is the one that was issued, and is used up now, for good.
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
    """The codes of a node: of so many digits (4 to 12), good for so long (1 second to 366 days; a number is seconds) and so many tries (at least one).
    Digits and tries that are out of that are taken for the nearest that are not.

    Raises `kv.Refused` without the grant `kv:node`; whatever it does may raise `kv.Error`.
    """

    def __init__(self, *, digits: int = 6, good_for: timedelta | float = 300, tries: int = 3) -> None:
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
        kind, given = Kind.NO_CODE, typed.strip().encode("utf-8", "replace")

        def claim(code: bytes | None) -> bytes | None:
            """Nothing in the place of the right code: a deletion would wait for the reply, and others would find the code meanwhile."""
            nonlocal kind
            kind = Kind.NO_CODE if not code else Kind.RIGHT if hmac.compare_digest(code, given) else Kind.WRONG
            return _USED if kind is Kind.RIGHT else None

        self._bucket.update(f"otp/code/{to}", claim)
        return Verdict(kind, tries_left if kind is Kind.WRONG else 0)
