"""BINARYMIME (RFC 3030 §3): content of any octets, kept as they are; it comes by BDAT alone.

A value of the parameter BODY, which is 8BITMIME's: without that, and without CHUNKING, there is no BINARYMIME.
"""

from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp.extension import Extension
from mailsuite.smtp.extensions import chunking

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession


class BinaryMime(Extension):
    """BODY=BINARYMIME at MAIL."""

    keyword: ClassVar[str] = "BINARYMIME"
    mail_octets: ClassVar[int] = 16  # RFC 3030 §3

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`."""
        without = session.settings.without
        return "8BITMIME" not in without and chunking.PART.offered(session) and super().offered(session)


PART = BinaryMime()
