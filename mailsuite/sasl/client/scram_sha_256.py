"""SCRAM-SHA-256 (RFC 7677), client side."""

from typing import ClassVar

from mailsuite.sasl.scram import Scram


class ScramSha256(Scram):
    """The best that we have."""

    name: ClassVar[str] = "SCRAM-SHA-256"
    strength: ClassVar[int] = 50
    hash_name: ClassVar[str] = "sha256"


PART = ScramSha256
