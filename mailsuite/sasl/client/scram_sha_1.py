"""SCRAM-SHA-1 (RFC 5802), client side."""

from typing import ClassVar

from mailsuite.sasl.scram import Scram


class ScramSha1(Scram):
    """The older one; its hash is sound where it is used here (as HMAC)."""

    name: ClassVar[str] = "SCRAM-SHA-1"
    strength: ClassVar[int] = 40
    hash_name: ClassVar[str] = "sha1"


PART = ScramSha1
