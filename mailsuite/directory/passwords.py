"""Passwords to hashes and back (passlib, as libpass keeps it): argon2id, and what other servers have left us."""

import unicodedata
from dataclasses import dataclass, field

from passlib.context import CryptContext
from passlib.exc import PasslibSecurityError, UnknownHashError

from mailsuite.sasl.saslprep import Unprepared
from mailsuite.sasl.scram_keys import ScramKeys, parse_scram_keys

# No person's password is longer, and no peer shall make us hash a megabyte.
PASSWORD_OCTETS = 1024
# OWASP's advice for argon2id: 19 MiB, two passes, one lane. A check takes some 20 ms of one core.
MEMORY_KIB = 19_456
PASSES = 2
# bcrypt reads no further; the library refuses what others cut.
_BCRYPT_OCTETS = 72

_SCHEMES = (
    "argon2", "bcrypt", "sha512_crypt", "sha256_crypt", "pbkdf2_sha512", "pbkdf2_sha256", "pbkdf2_sha1",
    "ldap_pbkdf2_sha512", "ldap_pbkdf2_sha256", "ldap_pbkdf2_sha1", "ldap_bcrypt", "ldap_sha512_crypt",
    "ldap_sha256_crypt", "ldap_salted_sha512", "ldap_salted_sha256", "ldap_salted_sha1", "ldap_salted_md5",
    "ldap_sha1", "ldap_md5",
)  # fmt: skip


class UnfitPassword(ValueError):
    """A password that we neither store nor check; the message says why and never what it is."""


class UnfitHash(ValueError):
    """A stored form that no scheme of ours can check."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the password was right, and the hash that should replace the stored one, if any."""

    right: bool
    better: str | None = field(default=None, repr=False)


class Passwords:
    """Makes and checks hashes. Both take time and memory: call it in a thread. Safe in several threads.

    With *renew*, what is hashed by an older scheme comes with a better hash.
    """

    def __init__(self, memory_kib: int = MEMORY_KIB, passes: int = PASSES, renew: bool = True) -> None:
        self._renew = renew
        self._context = CryptContext(
            schemes=_SCHEMES,
            deprecated="auto",
            argon2__type="ID",
            argon2__memory_cost=memory_kib,
            argon2__time_cost=passes,
            argon2__parallelism=1,
        )

    def hash(self, password: str) -> str:
        """Return *password* hashed by the current scheme. Raises `UnfitPassword`."""
        return str(self._context.hash(prepared(password)))

    def hash_random(self, password: str) -> str:
        """Return a quick hash of *password*, which nobody can guess: it was drawn from at least 2^100 others."""
        return str(self._context.handler("ldap_salted_sha512").hash(prepared(password)))

    def fits(self, password: str, stored: str) -> bool:
        """Say whether *password* is that of *stored*. Raises as `check`."""
        return self._check(password, stored, renew=False).right

    def check(self, password: str, stored: str) -> Checked:
        """Check *password* against *stored*; a right one whose hash is out of date comes with a better hash.

        Raises `UnfitPassword`, or `UnfitHash`.
        """
        return self._check(password, stored, self._renew)

    def _check(self, password: str, stored: str, renew: bool) -> Checked:
        octets = prepared(password)
        keys = parse_scram_keys(stored)
        if keys is not None:
            return Checked(True, self._better(octets, renew)) if _fit(keys, password) else Checked(False)
        try:
            if not self._context.verify(_cut(octets) if _is_bcrypt(stored) else octets, stored):
                return Checked(False)
            outdated = self._context.needs_update(stored)
        except (UnknownHashError, PasslibSecurityError, ValueError, TypeError) as error:
            raise UnfitHash(f"the stored password has no form that we know ({type(error).__name__})") from error
        return Checked(True, self._better(octets, outdated and renew))

    def _better(self, octets: bytes, wanted: bool) -> str | None:
        return str(self._context.hash(octets)) if wanted else None

    def known(self, stored: str) -> bool:
        """Say whether *stored* is a hash that `check` can make something of."""
        return parse_scram_keys(stored) is not None or self._context.identify(stored) is not None


def prepared(password: str) -> bytes:
    """Return *password* as it is hashed: in Unicode's NFC, encoded as UTF-8. Raises `UnfitPassword`.

    Not SASLprep (RFC 4013): NFC leaves alone what other servers have hashed.
    """
    if "\0" in password:
        raise UnfitPassword("a password cannot contain a NUL character")
    if not password:
        raise UnfitPassword("an empty password is refused")
    if len(password) <= PASSWORD_OCTETS:
        try:
            octets = unicodedata.normalize("NFC", password).encode()
        except UnicodeEncodeError:
            raise UnfitPassword("a password has to be text in UTF-8") from None
        if len(octets) <= PASSWORD_OCTETS:
            return octets
    raise UnfitPassword(f"a password has at most {PASSWORD_OCTETS} octets")


def _fit(keys: ScramKeys, password: str) -> bool:
    """Say whether keys that another server has left us are the password's."""
    try:
        return keys.fit(password)
    except Unprepared:
        return False


def _is_bcrypt(stored: str) -> bool:
    return stored.removeprefix("{CRYPT}").startswith(("$2a$", "$2b$", "$2y$"))


def _cut(octets: bytes) -> bytes:
    return octets[:_BCRYPT_OCTETS]
