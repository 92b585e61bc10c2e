"""ENHANCEDSTATUSCODES (RFC 2034): every named reply carries its code, so there is only the offer to make."""

from typing import ClassVar

from mailsuite.smtp.extension import Extension


class EnhancedStatusCodes(Extension):
    """Replies begin with a status code of RFC 3463."""

    keyword: ClassVar[str] = "ENHANCEDSTATUSCODES"


PART = EnhancedStatusCodes()
