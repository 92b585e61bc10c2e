"""Digests of a password and a salt by one round of a hash, as LDAP servers keep them (RFC 2307 §5.3).

They take some microseconds to check, and to guess: whoever can see one that a person has chosen soon knows it.
"""

import hashlib
import re
import secrets
from base64 import b64decode, b64encode
from hmac import compare_digest

# In braces the scheme; then in base64 the digest, and behind it the salt, where the scheme's name has an S more.
_FORM = re.compile(r"\{(S?SHA|S?MD5|SSHA256|SSHA512)\}([A-Za-z0-9+/]+={0,2})")
# The hash, and its octets.
_HASHES = {
    "SHA": ("sha1", 20), "SSHA": ("sha1", 20), "MD5": ("md5", 16), "SMD5": ("md5", 16),
    "SSHA256": ("sha256", 32), "SSHA512": ("sha512", 64),
}  # fmt: skip
_SALT_OCTETS = 8


def is_digest(stored: str) -> bool:
    """Say whether *stored* is a digest for `fits`."""
    return _parsed(stored) is not None


def fits(password: bytes, stored: str) -> bool | None:
    """Say whether *password* is that of *stored*; ``None`` where that is no digest."""
    parsed = _parsed(stored)
    if parsed is None:
        return None
    name, digest, salt = parsed
    return compare_digest(hashlib.new(name, password + salt, usedforsecurity=False).digest(), digest)


def salted(password: bytes) -> str:
    """Return a digest of *password*, which must be one that nobody can guess."""
    salt = secrets.token_bytes(_SALT_OCTETS)
    return f"{{SSHA512}}{b64encode(hashlib.sha512(password + salt).digest() + salt).decode()}"


def _parsed(stored: str) -> tuple[str, bytes, bytes] | None:
    """Return the name of the hash, the digest, and the salt."""
    found = _FORM.fullmatch(stored)
    if found is None:
        return None
    scheme, text = found.groups()
    name, size = _HASHES[scheme]
    try:
        octets = b64decode(text)
    except ValueError:
        return None
    has_salt = scheme.startswith("S") and scheme != "SHA"
    # A digest alone is no salted one that has lost its salt, nor the other way round.
    if len(octets) < size or has_salt != (len(octets) > size):
        return None
    return name, octets[:size], octets[size:]
