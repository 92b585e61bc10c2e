"""IMPLEMENTATION (RFC 2449 §6.9): what software this is, without a version to be read by the wrong people."""

from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3.command import Capability

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


class Implementation(Capability):
    """Always offered, in every state alike."""

    keyword: ClassVar[str] = "IMPLEMENTATION"

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        return f"{self.keyword} {session.settings.software}"


PART = Implementation()
