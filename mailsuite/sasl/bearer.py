"""Bearer tokens (RFC 6750) by SASL: what OAUTHBEARER and XOAUTH2 have in common."""

import json
import re
from typing import Any, ClassVar

from mailsuite.meaning import Login
from mailsuite.sasl.claims import Challenge, LoginClaim, Refusal, Step, TokenShown
from mailsuite.sasl.mechanism import Context, Mechanism

# RFC 6750 §2.1: b64token; the scheme's name is in any case.
_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


class Bearer(Mechanism):
    """The client speaks first: a token, and whose it is. A subclass says how these are written."""

    needs: ClassVar[str] = "token"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._failed = False

    def message(self, response: bytes) -> tuple[str, str] | None:
        """Return the credentials (scheme and token) and the name in *response*; ``None`` where it has another form."""
        raise NotImplementedError

    def failure(self) -> dict[str, str]:
        """Return what the client is told where its token is refused."""
        raise NotImplementedError

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`."""
        return Challenge(b"") if response is None else self.step(response)

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`. Whatever answers the word of failure, it ends the exchange (RFC 7628 §3.2.3)."""
        if self._failed:
            return Refusal.DENIED
        message = self.message(response)
        found = None if message is None else _CREDENTIALS.fullmatch(message[0])
        if message is None or found is None:
            return Refusal.MALFORMED
        return TokenShown(found[1], message[1])

    def answered(self, answer: Any) -> Step:
        """See `Mechanism.answered`."""
        if isinstance(answer, Login):
            return LoginClaim(answer)
        self._failed = True
        return Challenge(json.dumps(self.failure()).encode("ascii"))


def pairs(text: str) -> dict[str, str] | None:
    """Return the pairs ``key=value`` that control-A ends (RFC 7628 §3.1); ``None`` where they are none."""
    *fields, rest = text.split("\x01")
    found = dict(field.split("=", 1) for field in fields if "=" in field)
    return None if rest or len(found) != len(fields) else found
