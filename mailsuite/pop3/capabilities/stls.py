"""STLS (RFC 2595 §4): TLS on a connection that began without it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3 import responses
from mailsuite.pop3.command import AUTHORIZATION, Capability, Command, Result, State, Words

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


def stls(session: "ServerSession", words: Words) -> Result:
    """STLS: what comes behind it in the clear is never read (CVE-2011-0411)."""
    if session.encrypted:
        return responses.TLS_ACTIVE
    if not session.settings.stls:
        return responses.NO_TLS
    if session.utf8:
        # RFC 6856 §2.1: an error of the client's.
        return responses.TLS_BEFORE_UTF8
    session.begin_tls()
    return responses.BEGIN_TLS


class Stls(Capability):
    """Offered where it may be used: RFC 2595 §4 ties the line in CAPA to the current state."""

    keyword: ClassVar[str] = "STLS"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"STLS": Command(AUTHORIZATION, stls)}

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        offered = session.settings.stls and not session.encrypted and session.state is State.AUTHORIZATION
        return self.keyword if offered else None


PART = Stls()
