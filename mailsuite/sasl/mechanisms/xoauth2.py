"""XOAUTH2, which Google and Microsoft had before RFC 7628 and clients still speak: user and bearer token."""

import re
from typing import ClassVar

from mailsuite.sasl.bearer import Bearer, pairs

_MESSAGE = re.compile("(.*\x01)\x01", re.DOTALL)


class XOAuth2(Bearer):
    """``user=NAME ^A auth=Bearer TOKEN ^A ^A``."""

    name: ClassVar[str] = "XOAUTH2"
    strength: ClassVar[int] = 30

    def message(self, response: bytes) -> tuple[str, str] | None:
        """See `Bearer.message`."""
        found = _MESSAGE.fullmatch(response.decode("utf-8", "replace"))
        said = None if found is None else pairs(found[1])
        if said is None or "auth" not in said or "user" not in said:
            return None
        return said["auth"], said["user"]

    def failure(self) -> dict[str, str]:
        """See `Bearer.failure`; clients know it so."""
        return {"status": "401", "schemes": "bearer", "scope": self.context.scope}


PART = XOAuth2
