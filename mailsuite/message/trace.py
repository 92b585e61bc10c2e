"""Trace fields (RFC 5321 §4.4): what we put before a message, and how far it has come."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.message.headers import fields, unfold, without

# Domain = sub-domain *("." sub-domain), as the From-domain of a Received field is, or an address-literal.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LITERAL = re.compile(r"\[(?:(IPv6:)([0-9A-Fa-f:.]+)|([0-9.]+))\]", re.IGNORECASE)
# White space before the colon is obsolete, and counts all the same (RFC 5322 §4.5.8). In lower case and behind a line
# end: what begins with so many letters that are known is found several times as fast.
_RECEIVED = re.compile(rb"\nreceived[ \t]*:")
_QUOTED_PAIR = re.compile(r"\\(.)")
_NOWHERE: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Hop:
    """How a message came to us: what a Received field says of it."""

    helo: str
    peer: Peer
    hostname: str
    protocol: str  # a keyword of RFC 3848 or RFC 6531
    tls: str  # version and cipher, or empty
    id: str
    priority: int | None = None  # what MAIL said (RFC 6710 §4.1, item 2)


def protocol_keyword(protocol: str, encrypted: bool, authenticated: bool, utf8: bool = False) -> str:
    """Return the with-protocol keyword of a transaction in *protocol*: SMTP (of HELO), ESMTP or LMTP.

    (RFC 3848; RFC 6531 §4.3 with SMTPUTF8.)
    """
    if protocol == "SMTP":
        return protocol
    spoken = f"UTF8{protocol.removeprefix('E')}" if utf8 else protocol
    return spoken + ("S" if encrypted else "") + ("A" if authenticated else "")


def return_path(reverse_path: Address | None) -> bytes:
    """Return the Return-Path field that final delivery writes (RFC 5321 §4.4)."""
    return f"Return-Path: <{'' if reverse_path is None else reverse_path}>\r\n".encode()


def delivered_to(address: Address) -> bytes:
    """Return the Delivered-To field of a copy that is forwarded from *address*, one of ours."""
    return f"Delivered-To: {address}\r\n".encode()


def forwarded_from(header: bytes) -> frozenset[tuple[str, str]]:
    """Return the keys of the addresses in the Delivered-To fields of *header*: it has been there before."""
    if b"delivered-to" not in header.lower():
        return _NOWHERE
    return frozenset(address.key for address in _delivered_to(header))


def forwarded_by(added: bytes) -> Address | None:
    """Return the address that a copy with the fields *added* is forwarded from; ``None``: it is no such copy."""
    return next(_delivered_to(added), None) if added else None


def _delivered_to(header: bytes) -> Iterator[Address]:
    for name, body, _ in fields(header):
        if name == b"delivered-to":
            text = unfold(body).strip("<>")
            local, at, domain = text.rpartition("@")
            if not at:
                # Postmaster, who alone needs no domain (RFC 5321 §4.1.1.3).
                yield Address(text, "")
            elif len(local) > 1 and local.startswith('"') and local.endswith('"'):
                yield Address(_QUOTED_PAIR.sub(r"\1", local[1:-1]), domain)
            else:
                yield Address(local, domain)


def came_from(helo: str, peer: Peer) -> str:
    """Return who gave us a message, as trace fields and reports say it: its name, and its address as a comment."""
    who = peer.literal
    # A name that is none may hold parentheses and other specials: only the address is said then.
    return f"{helo} ({who})" if _DOMAIN.fullmatch(helo) or _is_literal(helo) else f"{who} ({who})"


def _is_literal(text: str) -> bool:
    found = _LITERAL.fullmatch(text)
    if found is None:
        return False
    try:
        IPv6Address(found[2]) if found[1] else IPv4Address(found[3])
    except AddressValueError:
        return False
    return True


def received(hop: Hop, recipient: Address | None, now: float) -> bytes:
    """Return our Received field. *recipient* is given only where the transaction has one; *now* is POSIX time."""
    tls = f" ({hop.tls})" if hop.tls else ""
    recipient_clause = "" if recipient is None else f"\r\n\tfor <{recipient}>"
    priority = "" if hop.priority is None else f"\r\n\tPRIORITY {hop.priority}"
    return (
        f"Received: from {came_from(hop.helo, hop.peer)}\r\n\tby {hop.hostname} with {hop.protocol}{tls} id {hop.id}"
        f"{recipient_clause}{priority}; {date(int(now))}\r\n"
    ).encode()


@lru_cache(maxsize=8)
def date(now: int) -> str:
    """Return POSIX time *now* in the form of RFC 5322 §3.3."""
    return formatdate(now, localtime=False).replace("-0000", "+0000")


def hops(header: bytes) -> int:
    """Count the Received fields of *header* (RFC 5321 §6.3)."""
    return len(_RECEIVED.findall(b"\n" + header.lower()))


def without_return_path(header: bytes) -> bytes:
    """Return *header* without an older Return-Path, which ours replaces (RFC 5321 §4.4)."""
    if b"return-path" not in header.lower():
        return header
    return without(header, b"return-path")
