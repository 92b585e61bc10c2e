"""One authentication exchange as SMTP (RFC 4954 §4) and POP3 (RFC 5034 §4) carry it: base64 lines, ``=``, ``*``."""

import base64
import binascii
from typing import Any

from mailsuite.sasl.claims import Challenge, Refusal, Step
from mailsuite.sasl.mechanism import Mechanism

# RFC 4954 §4: the longest base64 line that a server must take; RFC 5034 §4 has the same figure.
LINE_OCTETS = 12_288


class Exchange:
    """Drives one mechanism with the lines of a protocol."""

    __slots__ = ("_mechanism",)

    def __init__(self, mechanism: Mechanism) -> None:
        self._mechanism = mechanism

    def begin(self, initial: bytes | None) -> Step:
        """Start with the command's optional argument; ``=`` is an initial response of no octets."""
        if initial is None:
            return self._mechanism.begin(None)
        if initial == b"=":
            return self._mechanism.begin(b"")
        decoded = _decode(initial)
        return Refusal.NOT_BASE64 if decoded is None else self._mechanism.begin(decoded)

    def line(self, line: bytes) -> Step:
        """Go on with a whole line from the client, without its CRLF."""
        if line == b"*":
            return Refusal.CANCELLED
        decoded = _decode(line)
        return Refusal.NOT_BASE64 if decoded is None else self._mechanism.step(decoded)

    def answered(self, answer: Any) -> Step:
        """Go on with the answer to the question that the last step was."""
        return self._mechanism.answered(answer)


def challenge_line(challenge: Challenge) -> str:
    """Return *challenge* as a line of base64."""
    return base64.b64encode(challenge.octets).decode("ascii")


def _decode(text: bytes) -> bytes | None:
    # The library takes padding beyond what is needed (RFC 4648 §3.2 does not).
    if len(text) % 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
