"""SCRAM-SHA-256-PLUS (RFC 7677 §3), server side."""

from typing import ClassVar

from mailsuite.sasl.scram_server import ScramServer


class ScramSha256Plus(ScramServer):
    """With channel binding: nobody who stands between can pass the exchange on."""

    name: ClassVar[str] = "SCRAM-SHA-256-PLUS"
    strength: ClassVar[int] = 70
    needs: ClassVar[str] = "scram-sha-256"
    binds: ClassVar[bool] = True


PART = ScramSha256Plus
