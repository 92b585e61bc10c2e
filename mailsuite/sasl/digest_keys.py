"""What a server keeps of a password for DIGEST-MD5 (RFC 2831 §2.1.2.1, §3.9): a hash of it with name and realm.

Who has it can log in by DIGEST-MD5 in that realm; the password itself is not in it, but is easily tried.
"""

import hashlib
import re
from dataclasses import dataclass, field

_FORM = re.compile(r"\{DIGEST-MD5\}([0-9a-f]{32}):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DigestKeys:
    """The hash for one name in one *realm*."""

    realm: str
    hashed: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{{DIGEST-MD5}}{self.hashed.hex()}:{self.realm}"


def digest_keys(name: str, realm: str, password: str) -> DigestKeys:
    """Make the keys of *name*, as the client will write it, in *realm*."""
    return DigestKeys(realm, md5(b":".join((latin(name), latin(realm), latin(password)))))


def parse_digest_keys(text: str) -> DigestKeys | None:
    """Return the keys that *text* says; ``None`` where it says none."""
    found = _FORM.fullmatch(text)
    return None if found is None else DigestKeys(found[2], bytes.fromhex(found[1]))


def latin(text: str) -> bytes:
    """Return *text* as it is hashed: in ISO 8859-1 where it can be written so, else in UTF-8 (RFC 2831 §2.1.2.1)."""
    try:
        return text.encode("iso-8859-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def md5(text: bytes) -> bytes:
    """Return the MD5 of *text*."""
    return hashlib.md5(text, usedforsecurity=False).digest()
