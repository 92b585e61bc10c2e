"""RESP-CODES (RFC 2449 §6.4): a text that begins with ``[`` begins with a response code."""

from typing import ClassVar

from mailsuite.pop3.command import Capability


class RespCodes(Capability):
    """Always offered; it brings no command."""

    keyword: ClassVar[str] = "RESP-CODES"


PART = RespCodes()
