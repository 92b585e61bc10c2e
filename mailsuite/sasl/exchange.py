"""One authentication exchange as SMTP (RFC 4954 §4) and POP3 (RFC 5034 §4) carry it: base64 lines, ``=``, ``*``."""

from base64 import b64encode
from typing import Any

from mailsuite.sasl.base64_text import decoded
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
        response = decoded(initial)
        return Refusal.NOT_BASE64 if response is None else self._mechanism.begin(response)

    def line(self, line: bytes) -> Step:
        """Go on with a whole line from the client, without its CRLF."""
        if line == b"*":
            return Refusal.CANCELLED
        response = decoded(line)
        return Refusal.NOT_BASE64 if response is None else self._mechanism.step(response)

    def answered(self, answer: Any) -> Step:
        """Go on with the answer to the question that the last step was."""
        return self._mechanism.answered(answer)


def challenge_line(challenge: Challenge) -> str:
    """Return *challenge* as a line of base64."""
    return b64encode(challenge.octets).decode("ascii")
