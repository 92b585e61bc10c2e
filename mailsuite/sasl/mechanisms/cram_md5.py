"""CRAM-MD5 (RFC 2195), server side: a keyed digest of a challenge. For old clients; what it needs is not kept unasked.

Against SCRAM it proves nothing of the server, and who reads along can try passwords at the speed of MD5.
"""

import hmac
from typing import Any, ClassVar

from mailsuite.meaning import Login, Secret
from mailsuite.sasl.claims import Challenge, LoginClaim, Proof, Refusal, SecretWanted, Step
from mailsuite.sasl.cram_keys import parse_cram_keys
from mailsuite.sasl.mechanism import Context, Mechanism


class CramMd5(Mechanism):
    """The server asks, once."""

    name: ClassVar[str] = "CRAM-MD5"
    strength: ClassVar[int] = 24
    needs: ClassVar[str] = "cram-md5"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # RFC 2195 §2: of the form of a Message-ID, and never the same twice.
        self._challenge = f"<{context.nonce}@{context.hostname}>".encode("ascii", "replace")
        self._name = ""
        self._digest = b""

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`. RFC 4954 §4: where the server speaks first there is no initial response."""
        return Challenge(self._challenge) if response is None else Refusal.UNASKED

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`: the name, which may have spaces, and the digest."""
        name, space, digest = response.rpartition(b" ")
        try:
            self._name = name.decode("utf-8")
        except UnicodeDecodeError:
            return Refusal.MALFORMED
        if not space or not self._name or len(digest) != 32:
            return Refusal.MALFORMED
        self._digest = digest.lower()
        return SecretWanted(self._name, self.needs)

    def answered(self, answer: Any) -> Step:
        """See `Mechanism.answered`: the keys, then the login."""
        if isinstance(answer, Secret):
            keys = parse_cram_keys(answer.stored)
            right = keys is not None and hmac.compare_digest(keys.digest(self._challenge), self._digest)
            return Proof(self._name, answer.owner, right, "", self.needs, answer.stored)
        return LoginClaim(answer) if isinstance(answer, Login) else Refusal.DENIED


PART = CramMd5
