"""SCRAM-SHA-256 (RFC 7677), server side."""

from typing import ClassVar

from mailsuite.sasl.scram_server import ScramServer


class ScramSha256(ScramServer):
    """Without channel binding."""

    name: ClassVar[str] = "SCRAM-SHA-256"
    strength: ClassVar[int] = 50
    needs: ClassVar[str] = "scram-sha-256"


PART = ScramSha256
