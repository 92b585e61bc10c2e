"""Passwords to hashes and back (passlib, as libpass keeps it): argon2id, and what other servers have left us."""

import hmac
import unicodedata
from dataclasses import dataclass, field

from passlib.context import CryptContext
from passlib.exc import PasslibSecurityError, UnknownHashError

from mailsuite.directory import digests, system_crypt
from mailsuite.directory.foreign_hashes import own_form
from mailsuite.sasl.cram_keys import cram_keys, parse_cram_keys
from mailsuite.sasl.saslprep import Unprepared, is_prohibited
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
    "ldap_sha256_crypt", "hex_sha256", "hex_sha512", "md5_crypt", "apr_md5_crypt", "sun_md5_crypt", "des_crypt",
    "bsdi_crypt",
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
        # Loads its module, which another user may not be able to read once root is dropped.
        self._context.handler("bcrypt").set_backend()

    def hash(self, password: str) -> str:
        """Return *password* hashed by the current scheme. Raises `UnfitPassword`."""
        return str(self._context.hash(prepared(password)))

    def hash_random(self, password: str) -> str:
        """Return a quick hash of *password*, which nobody can guess: it was drawn from at least 2^100 others."""
        return digests.salted(prepared(password))

    def fits(self, password: str, stored: str) -> bool:
        """Say whether *password* is that of *stored*. Raises as `check`."""
        octets = prepared(password)
        # The others are looked at more closely: which of many forms they have takes longer than to check a digest.
        right = digests.fits(octets, stored)
        return self._fits(password, octets, own_form(stored)) if right is None else right

    def check(self, password: str, stored: str) -> Checked:
        """Check *password* against *stored*; a right one whose hash is out of date comes with a better hash.

        Raises `UnfitPassword`, or `UnfitHash`.
        """
        octets, form = prepared(password), own_form(stored)
        right = self._fits(password, octets, form)
        renew = right and self._renew and self._is_outdated(form)
        return Checked(right, str(self._context.hash(octets)) if renew else None)

    def _fits(self, password: str, octets: bytes, form: str) -> bool:
        """Say whether *octets*, which are *password*, are the password of *form*. Raises `UnfitHash`."""
        right = digests.fits(octets, form)
        if right is not None:
            return right
        keys = parse_scram_keys(form)
        if keys is not None:
            return _fit(keys, password)
        if parse_cram_keys(form) is not None:
            return hmac.compare_digest(str(cram_keys(octets)), form)
        if system_crypt.is_known(form):
            return system_crypt.fits(octets, form)
        try:
            return bool(self._context.verify(_cut(octets) if _is_bcrypt(form) else octets, form))
        except (UnknownHashError, PasslibSecurityError, ValueError, TypeError) as error:
            raise UnfitHash(f"the stored password has no form that we know ({type(error).__name__})") from error

    def _is_outdated(self, form: str) -> bool:
        """Say whether *form* is not what `hash` makes."""
        return not form.startswith("$argon2") or bool(self._context.needs_update(form))

    def known(self, stored: str) -> bool:
        """Say whether *stored* is a hash that `check` can make something of."""
        form = own_form(stored)
        if digests.is_digest(form) or parse_scram_keys(form) or parse_cram_keys(form) or system_crypt.is_known(form):
            return True
        scheme = self._context.identify(form, resolve=True)
        try:
            return scheme is not None and (not hasattr(scheme, "from_string") or bool(scheme.from_string(form)))
        except (ValueError, TypeError):
            return False


def prepared(password: str) -> bytes:
    """Return *password* as it is hashed: in Unicode's NFC, encoded as UTF-8. Raises `UnfitPassword`.

    Not SASLprep (RFC 4013): NFC leaves alone what other servers have hashed. But what that prohibits is refused
    (RFC 6856 §2.2).
    """
    if not password:
        raise UnfitPassword("an empty password is refused")
    if len(password) <= PASSWORD_OCTETS:
        try:
            octets = unicodedata.normalize("NFC", password).encode()
        except UnicodeEncodeError:
            raise UnfitPassword("a password has to be text in UTF-8") from None
        if len(octets) <= PASSWORD_OCTETS:
            if is_prohibited(password):
                raise UnfitPassword("a password cannot contain control characters, nor what else RFC 4013 prohibits")
            return octets
    raise UnfitPassword(f"a password has at most {PASSWORD_OCTETS} octets")


def _fit(keys: ScramKeys, password: str) -> bool:
    """Say whether keys that another server has left us are the password's."""
    try:
        return keys.fit(password)
    except Unprepared:
        return False


def _is_bcrypt(stored: str) -> bool:
    return stored.startswith(("$2a$", "$2b$", "$2y$"))


def _cut(octets: bytes) -> bytes:
    return octets[:_BCRYPT_OCTETS]
