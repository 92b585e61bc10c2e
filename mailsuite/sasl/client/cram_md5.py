"""CRAM-MD5 (RFC 2195), client side: the password proved by a keyed digest of the server's challenge."""

import hmac
from typing import ClassVar

from mailsuite.sasl.initiator import Secret


class CramMd5:
    """The server asks once. It is not proved itself (RFC 4954 §4)."""

    name: ClassVar[str] = "CRAM-MD5"
    strength: ClassVar[int] = 30
    proved: ClassVar[bool] = True

    def __init__(self, secret: Secret) -> None:
        self._secret: Secret | None = secret

    def begin(self) -> bytes | None:
        """See `Initiator.begin`."""
        return None

    def respond(self, challenge: bytes) -> bytes | None:
        """See `Initiator.respond` (RFC 2195 §2): the name, a space, and the digest in lower-case hex."""
        secret, self._secret = self._secret, None
        if secret is None or not challenge:
            return None
        digest = hmac.new(secret.password.encode("utf-8", "replace"), challenge, "md5").hexdigest()
        return f"{secret.name} {digest}".encode("utf-8", "replace")


PART = CramMd5
