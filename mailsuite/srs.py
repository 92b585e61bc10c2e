"""The Sender Rewriting Scheme: forwarded mail goes on from an address of ours, to which bounces find their way back.

A host that looks whether the sender's domain lets us send for it (SPF, RFC 7208) would refuse forwarded mail, which
comes from us and names a domain of others. So its reverse-path becomes one in a domain of ours that holds the original
one and proves that we made it::

    bob@example.net                              ->  SRS0=HASH=TT=example.net=bob@mail.example.org
    SRS0=...=bob@first.example                   ->  SRS1=HASHTT=first.example==...=bob@mail.example.org
    SRS1=...=first.example==...=bob@second.example   the same: however many have forwarded it, the way back is two hops

The form is that of the draft of 2003 (http://www.libsrs2.net/srs/srs.pdf), which all forwarders read; HASH and TT (the
day) are for us alone. Letter case may be lost on the way and does no harm to either.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailsuite.address import Address, domain_key, local_key

# RFC 5321 §4.5.3.1.1: what is longer than this, others need not take.
LOCAL_OCTETS = 64
# Of the hash, five bits each. What guesses one may send mail to one address of its choice, for as long as the secret
# lasts, at the cost of 2^30 RCPT commands.
HASH_LETTERS = 6

# What *today* of the methods counts, in seconds.
DAY = 86_400

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# Two letters hold so many days before they begin anew.
_DAYS = 1024
_FLAGS = re.IGNORECASE | re.ASCII | re.DOTALL
# The first separator may be any of three; those behind it are one.
_SRS0 = re.compile(r"SRS0[=+-]([^=]+)=([A-Z2-7]{2})=([^=]+)=(.+)", _FLAGS)
_SRS1 = re.compile(r"SRS1[=+-]([^=]+)=([^=]+)=([=+-].+)", _FLAGS)
_OWN_SRS1 = re.compile(rf"SRS1[=+-](.{{{HASH_LETTERS}}})([A-Z2-7]{{2}})=([^=]+)=([=+-].+)", _FLAGS)
_ANY = re.compile(r"SRS[01][=+-]", _FLAGS)


class NoWayBack(Exception):
    """The address is of our form and leads nowhere; the text says why, in a few words for the peer."""


class Forged(NoWayBack):
    """We have not made it, or made it with a secret that is no longer ours."""


class Expired(NoWayBack):
    """We made it, and it is too old."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Addresses in *domain* (key form) that lead back for *days* days.

    *secrets* gives the keys: the first makes the proof, any of them is good for one.
    """

    domain: str
    days: int
    secrets: Callable[[], Sequence[bytes]] = field(repr=False)

    def covers(self, address: Address) -> bool:
        """Say whether *address* is one of ours, by its form."""
        return bool(_ANY.match(address.local)) and domain_key(address.domain) == self.domain

    def rewrite(self, sender: Address, today: int) -> Address | None:
        """Return the address of ours in the place of *sender*, who is elsewhere; *today* counts days since 1970.

        ``None`` where it would be too long for others, or *sender* has no domain.
        """
        local, domain = sender.local, domain_key(sender.domain)
        if not domain or "=" in domain:
            return None
        stamp = _letters(today % _DAYS)
        if _SRS0.fullmatch(local):
            made = self._second(stamp, domain, local[4:])
        elif again := _SRS1.fullmatch(local):
            made = self._second(stamp, domain_key(again[2]), again[3])
        else:
            made = f"SRS0={self._hash('0', stamp, domain, local)}={stamp}={domain}={local}"
        address = Address(made, self.domain)
        # As it stands on the wire, in quotes where it needs them.
        written = str(address).encode(errors="surrogatepass")
        return address if len(written) - len(self.domain) - 1 <= LOCAL_OCTETS else None

    def restore(self, address: Address, today: int) -> Address:
        """Return the sender in whose place *address* was given, which `covers` knows. Raises `Forged` or `Expired`."""
        if first := _SRS0.fullmatch(address.local):
            proof, stamp, domain, local = first.groups()
            kind, restored = "0", Address(local, domain)
        elif second := _OWN_SRS1.fullmatch(address.local):
            proof, stamp, domain, local = second.groups()
            kind, restored = "1", Address(f"SRS0{local}", domain)
        else:
            raise Forged("no return address of ours has this form")
        # All of them are tried, so that the time tells nothing.
        given = proof.upper().encode(errors="surrogatepass")
        right = [self._proof(secret, kind, stamp, domain, local).encode() for secret in self.secrets()]
        if not sum(hmac.compare_digest(given, each) for each in right):
            raise Forged("it was not made here")
        age = (today - _number(stamp)) % _DAYS
        # Another host of ours may be a day ahead.
        if age > self.days and age != _DAYS - 1:
            raise Expired("mail that was forwarded so long ago cannot be returned")
        return restored

    def _second(self, stamp: str, domain: str, rest: str) -> str:
        return f"SRS1={self._hash('1', stamp, domain, rest)}{stamp}={domain}={rest}"

    def _hash(self, kind: str, stamp: str, domain: str, local: str) -> str:
        return self._proof(self.secrets()[0], kind, stamp, domain, local)

    def _proof(self, secret: bytes, kind: str, stamp: str, domain: str, local: str) -> str:
        said = "\0".join((kind, stamp.upper(), domain_key(domain), local_key(local), self.domain))
        digest = hmac.digest(secret, said.encode(errors="surrogatepass"), hashlib.sha256)
        return base64.b32encode(digest)[:HASH_LETTERS].decode()


def _letters(number: int) -> str:
    return _ALPHABET[number >> 5] + _ALPHABET[number & 31]


def _number(stamp: str) -> int:
    return _ALPHABET.index(stamp[0].upper()) << 5 | _ALPHABET.index(stamp[1].upper())
