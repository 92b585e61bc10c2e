"""BINARYMIME (RFC 3030 §3): content of any octets, kept as they are; it comes by BDAT alone.

It is a value of the parameter BODY, which is 8BITMIME's.
"""

from typing import ClassVar

from mailsuite.smtp.extension import Extension


class BinaryMime(Extension):
    """BODY=BINARYMIME at MAIL."""

    keyword: ClassVar[str] = "BINARYMIME"
    needs: ClassVar[frozenset[str]] = frozenset({"8BITMIME", "CHUNKING"})
    mail_octets: ClassVar[int] = 16  # RFC 3030 §3


PART = BinaryMime()
