"""What a server keeps of a password for SCRAM (RFC 5802 §3), and how it is written (RFC 5803 §2).

Who has these keys can try passwords on them, and can play the server; nobody can log in with them.
"""

import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import dataclass, field

from mailsuite.sasl.base64_text import decoded
from mailsuite.sasl.saslprep import saslprep

# SCRAM's names of the hashes to Python's.
HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
# More than these are not taken from elsewhere: a client would have to work for too long.
MOST_ITERATIONS = 10_000_000

_BASE64 = r"([A-Za-z0-9+/]+={0,2})"
# RFC 5803 §2: scheme "$" iterations ":" salt "$" StoredKey ":" ServerKey.
_FORM = re.compile(rf"(SCRAM-SHA-(?:1|256))\$([1-9][0-9]{{0,7}}):{_BASE64}\${_BASE64}:{_BASE64}")
# The same as Dovecot writes it.
_DOVECOT = re.compile(rf"\{{(SCRAM-SHA-(?:1|256))\}}([1-9][0-9]{{0,7}}),{_BASE64},{_BASE64},{_BASE64}")


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """The keys for one mechanism; *mechanism* is its name without ``-PLUS``."""

    mechanism: str
    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        salt, stored, server = (_text(octets) for octets in (self.salt, self.stored_key, self.server_key))
        return f"{self.mechanism}${self.iterations}:{salt}${stored}:{server}"

    def fit(self, password: str) -> bool:
        """Say whether they are *password*'s. Raises `Unprepared`."""
        other = scram_keys(self.mechanism, password, self.salt, self.iterations)
        return hmac.compare_digest(self.stored_key, other.stored_key)


def scram_keys(mechanism: str, password: str, salt: bytes, iterations: int) -> ScramKeys:
    """Make the keys of *password* (RFC 5802 §3), which takes its time. Raises `Unprepared`."""
    hash_name = HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(hash_name, saslprep(password).encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    stored_key = hashlib.new(hash_name, client_key).digest()
    return ScramKeys(mechanism, iterations, salt, stored_key, hmac.digest(salted, b"Server Key", hash_name))


def parse_scram_keys(text: str) -> ScramKeys | None:
    """Return the keys that *text* says, in the form of RFC 5803 or in Dovecot's; ``None`` where it says none."""
    found = _FORM.fullmatch(text) or _DOVECOT.fullmatch(text)
    if found is None:
        return None
    mechanism, iterations = found[1], int(found[2])
    salt, stored_key, server_key = (decoded(found[index].encode("ascii")) for index in (3, 4, 5))
    size = hashlib.new(HASHES[mechanism]).digest_size
    if salt is None or stored_key is None or server_key is None or iterations > MOST_ITERATIONS:
        return None
    if len(stored_key) != size or len(server_key) != size:
        return None
    return ScramKeys(mechanism, iterations, salt, stored_key, server_key)


def _text(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
