"""How other servers write what they keep of a password, brought into forms of `mailsuite.directory.passwords`.

Dovecot and LDAP servers put a scheme in braces before it, Dovecot perhaps with an encoding (``{SSHA256.HEX}``).
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

_SCHEME = re.compile(r"\{([A-Z0-9-]+)(?:\.(HEX|B64|BASE64))?\}(.*)", re.IGNORECASE | re.DOTALL)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
# crypt(3): what is behind {CRYPT} or the scheme's own name.
_CRYPT = (
    "CRYPT", "DES-CRYPT", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "ARGON2", "ARGON2I", "ARGON2ID",
)  # fmt: skip
_CLEAR = ("PLAIN", "CLEAR", "CLEARTEXT")
# The octets of a digest, behind which the salt is where there is one; and what we call it.
_DIGESTS: Mapping[str, tuple[str, int]] = {
    "SHA": ("SHA", 20),
    "SHA1": ("SHA", 20),
    "MD5": ("MD5", 16),
    "LDAP-MD5": ("MD5", 16),
    "PLAIN-MD5": ("MD5", 16),
    "SMD5": ("SMD5", 16),
    "SSHA": ("SSHA", 20),
    "SSHA256": ("SSHA256", 32),
    "SSHA512": ("SSHA512", 64),
}
# Digests without a salt that LDAP has no name for: as plain hex.
_HEX_DIGESTS = {"SHA256": 32, "SHA512": 64}
# Dovecot's: ``$1$``, the salt as it is, rounds, the key in hex.
_PBKDF2 = re.compile(r"\$1\$([^$]+)\$([1-9][0-9]{0,6})\$([0-9a-fA-F]{40})")
# As LDAP servers have it, which we know: rounds, salt and key.
_LDAP_PBKDF2 = re.compile(r"[1-9][0-9]{0,6}\$[./A-Za-z0-9]+\$[./A-Za-z0-9]+")


def own_form(stored: str) -> str:
    """Return *stored* in a form of ours; as it is where it has no other form that is known here.

    Empty where it has the name of a form and is none.
    """
    found = _SCHEME.fullmatch(stored)
    if found is None:
        return stored
    scheme, encoding, value = found[1].upper(), (found[2] or "").upper(), found[3]
    if scheme in _CRYPT or (scheme == "MD5" and value.startswith("$1$")):
        return value
    if scheme in ("CRAM-MD5", "HMAC-MD5"):
        return f"{{CRAM-MD5}}{value.lower()}"
    if scheme == "PBKDF2":
        parts = _PBKDF2.fullmatch(value)
        if parts is None:
            return stored if _LDAP_PBKDF2.fullmatch(value) else ""
        return f"$pbkdf2${parts[2]}${_adapted(parts[1].encode())}${_adapted(bytes.fromhex(parts[3]))}"
    if scheme in _DIGESTS:
        name, size = _DIGESTS[scheme]
        octets = _octets(value, encoding, size, name.startswith("S") and name != "SHA")
        return "" if octets is None else f"{{{name}}}{b64encode(octets).decode()}"
    if scheme in _HEX_DIGESTS:
        octets = _octets(value, encoding, _HEX_DIGESTS[scheme], False)
        return "" if octets is None else octets.hex()
    return stored


def clear_text(stored: str) -> str | None:
    """Return the password that *stored* is in clear; ``None`` where it is not, or no text."""
    found = _SCHEME.fullmatch(stored)
    if found is None or found[1].upper() not in _CLEAR:
        return None
    if not found[2]:
        return found[3]
    decode = _DECODERS[found[2].upper()]
    try:
        return decode(found[3]).decode()
    except ValueError:
        return None


def _octets(value: str, encoding: str, size: int, salted: bool) -> bytes | None:
    """Return a digest of *size* octets, with the salt behind it where it is *salted*; ``None`` where it is none."""
    # Without an encoding's name Dovecot knows hex by its length, where there is no salt.
    if not encoding:
        encoding = "HEX" if _HEX.fullmatch(value) and not salted and len(value) == 2 * size else "B64"
    try:
        octets = _DECODERS[encoding](value)
    except ValueError:
        return None
    return octets if (len(octets) > size if salted else len(octets) == size) else None


def _base64(value: str) -> bytes:
    return b64decode(value, validate=True)


def _adapted(octets: bytes) -> str:
    """Return base64 as passlib writes it into hashes."""
    return b64encode(octets, altchars=b"./").decode().rstrip("=")


_DECODERS: Mapping[str, Callable[[str], bytes]] = {"HEX": binascii.unhexlify, "B64": _base64, "BASE64": _base64}
