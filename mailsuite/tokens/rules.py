"""What a token has to say of itself to be good here, whoever vouches for it (RFC 7519 §4.1, RFC 7662 §2.2)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# How far the issuer's clock may be from ours, in seconds.
LEEWAY = 60.0
# No address is longer (RFC 5321 §4.5.3.1: 64 octets, an @, 255 octets).
NAME_LETTERS = 320


@dataclass(frozen=True, slots=True)
class Rules:
    """*issuer* and *audience* as they must be, *scope* the words that it must have; each may be empty: not looked at.

    *claim* is where the name of the login stands, an address.
    """

    issuer: str
    audience: str
    scope: str
    claim: str

    def owner(self, claims: Mapping[str, Any], now: float) -> str | None:
        """Return whose token it is that says these *claims*; ``None`` where it is not good for us at *now*."""
        expires, begins = claims.get("exp"), claims.get("nbf")
        if not (_after(expires, now - LEEWAY) and _before(begins, now + LEEWAY)):
            return None
        if self.issuer and claims.get("iss") != self.issuer:
            return None
        if self.audience and self.audience not in _texts(claims.get("aud")):
            return None
        # RFC 8693 §4.2 has scope in one text; some issuers have it as scp, or as a list.
        if not set(self.scope.split()) <= set(_words(claims.get("scope", claims.get("scp")))):
            return None
        name = claims.get(self.claim)
        if self.claim == "email" and claims.get("email_verified") is False:
            return None
        return name if isinstance(name, str) and 0 < len(name) <= NAME_LETTERS else None


def seconds(value: Any) -> float | None:
    """Return a time of a token (RFC 7519 §2, NumericDate); ``None`` where it is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    # Python's JSON has numbers that JSON has not.
    return found if math.isfinite(found) else None


def _after(value: Any, time: float) -> bool:
    """A token that does not say when it expires is good while its issuer says so; one that says nonsense is not."""
    found = seconds(value)
    return value is None or (found is not None and found > time)


def _before(value: Any, time: float) -> bool:
    found = seconds(value)
    return value is None or (found is not None and found <= time)


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, str)]


def _words(value: Any) -> list[str]:
    return [word for text in _texts(value) for word in text.split()]
