"""What is kept beside a password's hash, so that mechanisms can do without the password (`mailsuite.sasl`).

Made where the password is at hand: when it is changed, and at a login by which it crosses the wire.
"""

import hmac
import secrets
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mailsuite.directory.foreign_hashes import clear_text, own_form
from mailsuite.directory.passwords import Passwords, UnfitPassword, prepared
from mailsuite.sasl.cram_keys import CramKeys, cram_keys, parse_cram_keys
from mailsuite.sasl.digest_keys import DigestKeys, digest_keys, parse_digest_keys
from mailsuite.sasl.saslprep import Unprepared, saslprep
from mailsuite.sasl.scram_keys import HASHES, ScramKeys, parse_scram_keys, scram_keys

SCRAM = {name.lower(): name for name in HASHES}
CRAM_MD5 = "cram-md5"
DIGEST_MD5 = "digest-md5"
# RFC 1939 §7: the password itself, since APOP has it behind what is new each time.
APOP = "apop"
KINDS = (*SCRAM, CRAM_MD5, DIGEST_MD5, APOP)

SALT_OCTETS = 16
# RFC 7677 §4 asks for 4096 at least; more of them make stolen keys dearer, and each login of a client.
ITERATIONS = 20_000
# Stands for a secret that cannot be made: RFC 4013 prohibits a character of the password.
NONE_POSSIBLE = "-"
NO_SECRETS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a password: its hash, and secrets by their kinds."""

    hashed: str = field(repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Secrets:
    """Makes secrets of *kinds*, and such as nothing fits. *realm* is DIGEST-MD5's."""

    def __init__(self, kinds: Collection[str] = (), iterations: int = ITERATIONS, realm: str = "") -> None:
        self.kinds = frozenset(kinds)
        self._iterations = iterations
        self._realm = realm

    def make(
        self, name: str, password: str, kinds: Collection[str], have: Mapping[str, str] = NO_SECRETS
    ) -> dict[str, str]:
        """Return the secrets of *name*, a login in key form. Takes time: to be called in a thread.

        All SCRAM keys of a login share salt and iteration count, with those too that it has already (*have*, by kind):
        a client may keep what it has worked out of them. Raises `UnfitPassword`.
        """
        octets = prepared(password)
        salt, iterations = self._shared(have)
        made: dict[str, str] = {}
        for kind in kinds:
            if kind == CRAM_MD5:
                made[kind] = str(cram_keys(octets))
            elif kind == DIGEST_MD5:
                made[kind] = str(digest_keys(name, self._realm, octets.decode()))
            elif kind == APOP:
                made[kind] = _plain(octets.decode())
            else:
                made[kind] = _scram(SCRAM[kind], octets.decode(), salt, iterations)
        return made

    def lacking(self, have: Mapping[str, str]) -> Collection[str]:
        """Return the kinds that are wanted and not among those that are there."""
        if not self.kinds:
            return ()
        shared = self._shared(have)
        return [kind for kind in self.kinds if kind not in have or not self._is_current(kind, have[kind], shared)]

    def decoy(self, root: bytes, kind: str, name: str) -> str:
        """Return what nothing fits, for *name*: always the same for one *root*, and of the form of a real one."""

        def made_up(what: str, octets: int) -> bytes:
            return hmac.digest(root, f"{what} {kind} {name}".encode("utf-8", "replace"), "sha512")[:octets]

        if kind == CRAM_MD5:
            return str(CramKeys(made_up("outer", 16), made_up("inner", 16)))
        if kind == DIGEST_MD5:
            return str(DigestKeys(self._realm, made_up("hash", 16)))
        if kind == APOP:
            return b64encode(made_up("password", 16)).decode()
        mechanism = SCRAM[kind]
        size = hmac.new(b"", None, HASHES[mechanism]).digest_size
        salt = hmac.digest(root, f"salt {name}".encode("utf-8", "replace"), "sha512")[:SALT_OCTETS]
        return str(ScramKeys(mechanism, self._iterations, salt, made_up("stored", size), made_up("server", size)))

    def _shared(self, have: Mapping[str, str]) -> tuple[bytes, int]:
        for kind in SCRAM:
            keys = parse_scram_keys(have.get(kind, ""))
            if keys is not None:
                return keys.salt, keys.iterations
        return secrets.token_bytes(SALT_OCTETS), self._iterations

    def _is_current(self, kind: str, stored: str, shared: tuple[bytes, int]) -> bool:
        """A digest of another realm is of no use any more: our hostname has changed. Keys of SCRAM are to share."""
        if kind == DIGEST_MD5:
            digest = parse_digest_keys(stored)
            return digest is not None and digest.realm == self._realm
        keys = parse_scram_keys(stored)
        return keys is None or (keys.salt, keys.iterations) == shared


def _scram(mechanism: str, password: str, salt: bytes, iterations: int) -> str:
    try:
        return str(scram_keys(mechanism, password, salt, iterations))
    except Unprepared:
        return NONE_POSSIBLE


def _plain(password: str) -> str:
    try:
        return b64encode(saslprep(password).encode()).decode()
    except Unprepared:
        return NONE_POSSIBLE


def keeping_hashes(passwords: Passwords, wanted: Secrets) -> Callable[[str, str], Kept]:
    """Return what keeps, in the place of a password, what another server has kept of it. Raises `UnfitPassword`."""

    def keep(name: str, stored: str) -> Kept:
        keys = parse_scram_keys(stored)
        if keys is not None:
            kind = keys.mechanism.lower()
            return Kept(str(keys), {kind: str(keys)} if kind in wanted.kinds else NO_SECRETS)
        clear = clear_text(stored)
        if clear is not None:
            return Kept(passwords.hash(clear), wanted.make(name, clear, wanted.kinds))
        form = own_form(stored)
        if not passwords.known(form):
            raise UnfitPassword("that is no hash of a form that we know")
        is_cram = CRAM_MD5 in wanted.kinds and parse_cram_keys(form) is not None
        return Kept(form, {CRAM_MD5: form} if is_cram else NO_SECRETS)

    return keep


def stored_elsewhere(stored: str) -> Kept:
    """Return what *stored*, which another server keeps of a password, is to us: a hash, and perhaps a secret."""
    keys = parse_scram_keys(stored)
    return Kept(own_form(stored)) if keys is None else Kept(str(keys), {keys.mechanism.lower(): str(keys)})


def keeping(passwords: Passwords, wanted: Secrets) -> Callable[[str, str], Kept]:
    """Return what makes of a login in key form and its password all that is kept of it. Raises `UnfitPassword`."""

    def keep(name: str, password: str) -> Kept:
        return Kept(passwords.hash(password), wanted.make(name, password, wanted.kinds))

    return keep
