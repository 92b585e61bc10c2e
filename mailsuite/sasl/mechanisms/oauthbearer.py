"""OAUTHBEARER (RFC 7628), server side: a bearer token in a message of the form of GS2 (RFC 5801)."""

import re
from typing import ClassVar

from mailsuite.sasl.bearer import Bearer, pairs

# gs2-header kvsep *kvpair kvsep (RFC 7628 §3.1). There is no channel binding for tokens.
_MESSAGE = re.compile("[ny],(?:a=([^,\x01]*))?,\x01(.*\x01)\x01", re.DOTALL)


class OAuthBearer(Bearer):
    """Host and port, which a client may name, are not looked at: TLS has said whom it reached."""

    name: ClassVar[str] = "OAUTHBEARER"
    strength: ClassVar[int] = 32

    def message(self, response: bytes) -> tuple[str, str] | None:
        """See `Bearer.message`."""
        found = _MESSAGE.fullmatch(response.decode("utf-8", "replace"))
        said = None if found is None else pairs(found[2])
        if found is None or said is None or "auth" not in said:
            return None
        return said["auth"], (found[1] or "").replace("=2C", ",").replace("=3D", "=")

    def failure(self) -> dict[str, str]:
        """See `Bearer.failure` (RFC 7628 §3.2.2)."""
        told = {"status": "invalid_token"}
        return {**told, "scope": self.context.scope} if self.context.scope else told


PART = OAuthBearer
