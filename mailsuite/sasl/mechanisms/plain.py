"""PLAIN (RFC 4616): ``[authzid] NUL authcid NUL password`` in one response."""

from typing import ClassVar

from mailsuite.sasl.claims import Challenge, PasswordClaim, Refusal, Step
from mailsuite.sasl.mechanism import Mechanism


class Plain(Mechanism):
    """The client speaks first; without an initial response it is asked by an empty challenge."""

    name: ClassVar[str] = "PLAIN"
    strength: ClassVar[int] = 20

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`."""
        return Challenge(b"") if response is None else self.step(response)

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`."""
        try:
            authorize, name, password = response.decode("utf-8").split("\0")
        except (UnicodeDecodeError, ValueError):
            return Refusal.MALFORMED
        # RFC 4616 §2: authcid and password have at least one character.
        if not name or not password:
            return Refusal.MALFORMED
        return PasswordClaim(name, password, authorize)


PART = Plain
