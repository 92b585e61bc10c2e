"""SCRAM-SHA-1 (RFC 5802), server side."""

from typing import ClassVar

from mailsuite.sasl.scram_server import ScramServer


class ScramSha1(ScramServer):
    """Without channel binding."""

    name: ClassVar[str] = "SCRAM-SHA-1"
    strength: ClassVar[int] = 40
    needs: ClassVar[str] = "scram-sha-1"


PART = ScramSha1
