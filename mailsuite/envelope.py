"""Who speaks to us, and the envelope of one message (RFC 5321 §2.3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Any

from mailsuite.address import Address
from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.meaning import Foreign, Mailbox, Mailboxes, Meaning, Relayed

NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: *host* is the text of its IP address, ``unix``, or ``unknown``.

    *via* is the address of the proxy that has spoken for it, if one has. *user* is the user of this system who has
    come by a UNIX socket, by name, or by number where the system knows no name; empty: nobody has asked the kernel.
    *uid* is the number.
    """

    host: str
    port: int = 0
    via: str = ""
    user: str = ""
    uid: int = -1

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The IP address, a mapped IPv4 one unwrapped; ``None`` where there is none."""
        return _ip(self.host)

    @property
    def literal(self) -> str:
        """The address literal of RFC 5321 §4.1.3, as it stands in a Received line."""
        return _literal(self.host)

    @property
    def network(self) -> str:
        """The unit that limits count: an IPv4 address (mapped ones unwrapped) or an IPv6 /64."""
        return _network(self.host, 32, 64)

    @property
    def wider_network(self) -> str:
        """What one site is likely to hold of addresses: an IPv4 /24 or an IPv6 /48."""
        return _network(self.host, 24, 48)


# The same hosts come again and again.
@lru_cache(maxsize=1024)
def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=1024)
def _network(host: str, bits: int, bits_of_6: int) -> str:
    plain = _ip(host)
    if plain is None:
        return host
    if isinstance(plain, IPv6Address):
        return str(IPv6Network((plain, bits_of_6), strict=False))
    return str(plain) if bits == 32 else str(IPv4Network((plain, bits), strict=False))


@lru_cache(maxsize=1024)
def _literal(host: str) -> str:
    plain = _ip(host)
    if isinstance(plain, IPv6Address):
        return f"[IPv6:{plain}]"
    return f"[{host if plain is None else plain}]"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT: the address as it was written, the mailboxes that it leads to, and the addresses elsewhere.

    *onward* is the address itself where it is not ours to keep, or the remote targets of an alias of ours.
    """

    address: Address
    mailboxes: tuple[Mailbox, ...]
    parameters: Mapping[str, Any] = field(default_factory=lambda: NO_PARAMETERS)
    onward: tuple[Address, ...] = ()


def recipient_of(
    address: Address, meaning: Meaning, parameters: Mapping[str, Any] = NO_PARAMETERS
) -> Recipient | None:
    """Return *address* as a recipient, by what it means here; ``None`` where its mail leads nowhere."""
    if isinstance(meaning, Mailboxes):
        return Recipient(address, meaning.mailboxes, parameters, meaning.onward)
    return Recipient(address, (), parameters, (address,)) if isinstance(meaning, Foreign | Relayed) else None


@dataclass(slots=True)
class Envelope:
    """A transaction's reverse-path (``None`` is the null path), its accepted recipients, and what MAIL *asked* for."""

    reverse_path: Address | None
    parameters: Mapping[str, Any] = field(default_factory=lambda: NO_PARAMETERS)
    recipients: list[Recipient] = field(default_factory=list)
    asked: Asked = NOTHING_ASKED


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A message that is about to be accepted: what is known of it beside its octets.

    *id* is ours. *prefix* is how many octets at its start are for mailboxes alone (Return-Path). *header* is its
    header section as it came. *peer*, *helo* and *login* say who gave it to us; ``None`` and empty: this system.
    *each*: who gave it is told of each recipient by itself, and comes again with those that we could not serve.
    *hold* says for people why nothing is to happen to it until an operator has looked at it; empty: nothing stands
    in its way.
    """

    id: str
    envelope: Envelope
    prefix: int = 0
    header: bytes = b""
    peer: Peer | None = None
    helo: str = ""
    login: str = ""
    each: bool = False
    hold: str = ""

    @property
    def origin(self) -> str:
        """Who gave it to us, for people."""
        if self.peer is None:
            return "this system"
        return self.login or f"{self.helo} {self.peer.literal}"
