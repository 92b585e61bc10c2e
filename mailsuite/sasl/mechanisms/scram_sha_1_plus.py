"""SCRAM-SHA-1-PLUS (RFC 5802 §6), server side."""

from typing import ClassVar

from mailsuite.sasl.scram_server import ScramServer


class ScramSha1Plus(ScramServer):
    """With channel binding: nobody who stands between can pass the exchange on."""

    name: ClassVar[str] = "SCRAM-SHA-1-PLUS"
    strength: ClassVar[int] = 60
    needs: ClassVar[str] = "scram-sha-1"
    binds: ClassVar[bool] = True


PART = ScramSha1Plus
