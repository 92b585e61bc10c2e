"""UTF8 (RFC 6856 §2): a client that takes header fields in UTF-8 says so before it logs in.

All others get a surrogate of a message that has such fields (`mailsuite.message.surrogate`). Names and passwords may
be in UTF-8 in any case (RFC 6856 §2.2).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3 import responses
from mailsuite.pop3.command import AUTHORIZATION, Capability, Command, Result, Words

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


def utf8(session: "ServerSession", words: Words) -> Result:
    """UTF8: for the whole session from now on."""
    session.utf8 = True
    return responses.UTF8_MODE


class Utf8(Capability):
    """Always offered."""

    keyword: ClassVar[str] = "UTF8"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"UTF8": Command(AUTHORIZATION, utf8)}

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        return f"{self.keyword} USER"


PART = Utf8()
