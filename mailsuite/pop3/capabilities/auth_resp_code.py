"""AUTH-RESP-CODE (RFC 3206 §6): ``[AUTH]`` is given where the credentials, and nothing else, are at fault."""

from typing import ClassVar

from mailsuite.pop3.command import Capability


class AuthRespCode(Capability):
    """Always offered; it brings no command."""

    keyword: ClassVar[str] = "AUTH-RESP-CODE"


PART = AuthRespCode()
