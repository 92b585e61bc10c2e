"""Base64 as the RFCs of authentication have it: nothing but what the encoder makes (RFC 4648 §4, RFC 4954 §8)."""

import binascii
from base64 import b64decode, b64encode


def decoded(text: bytes) -> bytes | None:
    """Return what *text* says; ``None`` where it is no base64."""
    try:
        octets = b64decode(text, validate=True)
    except binascii.Error:
        return None
    # The library takes more padding than there has to be, and bits in it that say nothing (RFC 4648 §3.5).
    return octets if b64encode(octets) == text else None
