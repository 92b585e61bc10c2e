"""The list of a domain's recipients that a primary publishes for its backups.

=======  =====================================================================================
line     holds
=======  =====================================================================================
1        ``mailsuite backup list 1``: what it is, and the version of its form
2        an Ed25519 signature (RFC 8032) in base64, of line 1 and all that comes after line 2
3        a JSON object: ``domain`` (A-labels), ``made`` (POSIX seconds), ``salt`` (hexadecimal),
         ``count``, and ``everything``: whether a catch-all takes what is not in the list
the rest ``count`` hashes of 16 octets, in order, each once
=======  =====================================================================================

A hash is the beginning of HMAC-SHA-256 (RFC 2104) over an address in key form, with the salt as key. It spares a
backup the addresses themselves; whoever has the file can still try whether a guessed one is in it.
"""

import base64
import binascii
import hmac
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mailsuite.address import Address, subaddress

HASH_OCTETS = 16
SALT_OCTETS = 16
# Addresses in one list, octets of its JSON line, and so octets of a list in all.
ADDRESSES = 1_000_000
HEADER_OCTETS = 1024
LIST_OCTETS = 256 + HEADER_OCTETS + HASH_OCTETS * ADDRESSES
# A clock that is wrong by more than this would make a list that no later one can replace.
AHEAD_SECONDS = 86_400

# Beyond the year 9999 no date can be shown.
_LATEST = 250_000_000_000
_MAGIC = b"mailsuite backup list 1\n"
_SIGNATURE_LINE = 89
_KEY = "ed25519:"
_DOMAIN = re.compile(r"[a-z0-9.-]{1,253}")
_SALT = re.compile(rf"[0-9a-f]{{{2 * SALT_OCTETS}}}")
_NO_LIST = "it is not a list of recipients, or one of a newer form"


class BadList(Exception):
    """What should be a list is none, or not one that its signer has made; the text says which."""


class BadKey(ValueError):
    """A text is no public key of a list."""


class _Hashes:
    """Hashes that lie one after the other in *octets*, as a sequence."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def __len__(self) -> int:
        return len(self._octets) // HASH_OCTETS

    def __getitem__(self, index: int) -> bytes:
        return self._octets[index * HASH_OCTETS : (index + 1) * HASH_OCTETS]


@dataclass(frozen=True, slots=True)
class BackupList:
    """A list whose signature was right. *made* is POSIX seconds, *everything*: a catch-all takes the rest."""

    domain: str
    made: int
    everything: bool
    salt: bytes
    hashes: bytes

    @property
    def count(self) -> int:
        """How many addresses it holds."""
        return len(self.hashes) // HASH_OCTETS

    def has(self, address: Address) -> bool:
        """Say whether the primary takes mail for *address*, which is one of `domain`: by name, plus-address or all."""
        if self.everything:
            return True
        local, _ = address.key
        base, _ = subaddress(local)
        return self._holds(local) or (base != local and self._holds(base))

    def _holds(self, local: str) -> bool:
        wanted, hashes = _hash(self.salt, local, self.domain), _Hashes(self.hashes)
        place = bisect_left(hashes, wanted)
        return place < len(hashes) and hashes[place] == wanted


def make(
    domain: str, locals_: Iterable[str], made: int, everything: bool, salt: bytes, sign: Callable[[bytes], bytes]
) -> bytes:
    """Return the list of *domain* (A-labels) with the local parts *locals_* (in key form). *salt* is drawn at random.

    Raises `BadList` where there are more than `ADDRESSES`.
    """
    hashes = sorted({_hash(salt, local, domain) for local in locals_})
    if len(hashes) > ADDRESSES:
        raise BadList(f"{domain} has {len(hashes)} addresses; a list holds {ADDRESSES} at most")
    header = {
        "domain": domain, "made": made, "salt": salt.hex(), "count": len(hashes), "everything": everything,
    }
    signed = json.dumps(header).encode() + b"\n" + b"".join(hashes)
    return _MAGIC + base64.b64encode(sign(_MAGIC + signed)) + b"\n" + signed


def read(data: bytes, key: bytes) -> BackupList:
    """Return the list in *data*, which the owner of the public *key* (32 octets) has signed. Raises `BadList`.

    Takes up to a second for the longest list: not for the reactor thread.
    """
    if len(data) > LIST_OCTETS:
        raise BadList(f"it has more than {LIST_OCTETS} octets")
    if not data.startswith(_MAGIC):
        raise BadList(_NO_LIST)
    body = len(_MAGIC) + _SIGNATURE_LINE
    _check(_signature(data[len(_MAGIC) : body]), _MAGIC + data[body:], key)
    header, newline, hashes = data[body:].partition(b"\n")
    if not newline or len(header) > HEADER_OCTETS:
        raise BadList("it is damaged: its header has no end")
    return _list(_fields(header), hashes)


def claimed_domain(data: bytes) -> str:
    """Return the domain that *data* says it is a list of, before anybody has looked at its signature.

    It tells whose key to look with, and nothing else. Raises `BadList`.
    """
    if not data.startswith(_MAGIC):
        raise BadList(_NO_LIST)
    body = len(_MAGIC) + _SIGNATURE_LINE
    return _domain(_fields(data[body : body + HEADER_OCTETS].partition(b"\n")[0]))


def parse_key(text: str) -> bytes:
    """Return the 32 octets of a public key that `shown_key` has written. Raises `BadKey`."""
    try:
        octets = base64.b64decode(text.removeprefix(_KEY), validate=True) if text.startswith(_KEY) else b""
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != 32:
        raise BadKey(f'expected {_KEY} and 44 characters of base64, as "mailsuite backup-mx export" prints them')
    return octets


def shown_key(key: bytes) -> str:
    """Return a public key as it stands in the configuration of a backup."""
    return _KEY + base64.b64encode(key).decode()


def _hash(salt: bytes, local: str, domain: str) -> bytes:
    # A lone surrogate, which no stored address has, must not stop the lookup.
    return hmac.digest(salt, f"{local}@{domain}".encode(errors="surrogatepass"), "sha256")[:HASH_OCTETS]


def _signature(line: bytes) -> bytes:
    try:
        signature = base64.b64decode(line[:-1], validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if line[-1:] != b"\n" or len(signature) != 64:
        raise BadList("it is damaged: it has no signature")
    return signature


def _check(signature: bytes, signed: bytes, key: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        raise BadList("its signature is wrong: it was changed, or signed with another key") from None


def _fields(header: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(header)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadList("it is damaged: its header is not a JSON object")
    return fields


def _domain(fields: dict[str, Any]) -> str:
    domain = fields.get("domain")
    if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
        raise BadList("its header names no domain")
    return domain


def _list(fields: dict[str, Any], hashes: bytes) -> BackupList:
    domain, made, salt = _domain(fields), fields.get("made"), fields.get("salt")
    if type(made) is not int or not 0 <= made < _LATEST:
        raise BadList("its header does not say when it was made")
    if not isinstance(salt, str) or not _SALT.fullmatch(salt):
        raise BadList("its header has no salt")
    if not isinstance(fields.get("everything"), bool):
        raise BadList("its header does not say whether there is a catch-all")
    if type(fields.get("count")) is not int or len(hashes) != HASH_OCTETS * fields["count"]:
        raise BadList("its header counts other addresses than follow")
    pieces = [hashes[start : start + HASH_OCTETS] for start in range(0, len(hashes), HASH_OCTETS)]
    if pieces != sorted(set(pieces)):
        raise BadList("its addresses are not in order")
    return BackupList(domain, made, fields["everything"], bytes.fromhex(salt), hashes)
