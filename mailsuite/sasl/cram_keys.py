"""What a server keeps of a password for CRAM-MD5: the two states of its HMAC (RFC 2104 §4, RFC 2195 §2).

Who has them can log in by CRAM-MD5; the password itself is not in them, but is easily tried. The form is Dovecot's.
"""

import binascii
import hashlib
from dataclasses import dataclass, field

from mailsuite.sasl.md5_state import BLOCK_OCTETS, digest_from, first_state

_SCHEME = "{CRAM-MD5}"


@dataclass(frozen=True, slots=True)
class CramKeys:
    """The states of the outer and the inner hash after their first block."""

    outer: bytes = field(repr=False)
    inner: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.outer.hex()}{self.inner.hex()}"

    def digest(self, text: bytes) -> bytes:
        """Return HMAC-MD5 of *text* in lower-case hex."""
        return digest_from(self.outer, digest_from(self.inner, text)).hex().encode("ascii")


def cram_keys(password: bytes) -> CramKeys:
    """Make the keys of *password*."""
    # RFC 2104 §2
    key = hashlib.md5(password, usedforsecurity=False).digest() if len(password) > BLOCK_OCTETS else password
    padded = key.ljust(BLOCK_OCTETS, b"\0")
    outer, inner = (first_state(bytes(octet ^ pad for octet in padded)) for pad in (0x5C, 0x36))
    return CramKeys(outer, inner)


def parse_cram_keys(text: str) -> CramKeys | None:
    """Return the keys that *text* says; ``None`` where it says none."""
    if not text.startswith(_SCHEME) or len(text) != len(_SCHEME) + 64:
        return None
    try:
        states = binascii.unhexlify(text[len(_SCHEME) :])
    except ValueError:
        return None
    return CramKeys(states[:16], states[16:])
