"""Domain names as they stand in messages, and as text.

A name is a tuple of its labels, in lower case, without the empty one of the root: two names are the same exactly when
the tuples are equal (RFC 1035 §2.3.3).
"""

import re
from ipaddress import ip_address
from typing import TypeAlias

from mailsuite.address import domain_key
from mailsuite.dns import NoSuchDomain

Name: TypeAlias = tuple[bytes, ...]

# RFC 1035 §2.3.4, in octets; a name is counted with its length octets and that of the root.
LABEL_OCTETS = 63
NAME_OCTETS = 255
_PLAIN = re.compile(rb"[A-Za-z0-9_.-]+")


def name_of(text: str) -> Name:
    """Return the name that *text* is, in any form: Unicode, any case, with a last dot.

    Raises `NoSuchDomain` where no such name can be in the DNS: empty, too long, with an empty label or one that is too
    long, refused by IDNA.
    """
    if len(text) > NAME_OCTETS:
        raise NoSuchDomain(text)
    # Labels such as _25._tcp are no part of a host name; IDNA would refuse the whole name for them.
    prefix, host = _underscored(text)
    whole = (prefix.lower() + domain_key(host)).removesuffix(".")
    if not whole.isascii():
        raise NoSuchDomain(text)
    name = tuple(label.encode("ascii") for label in whole.split("."))
    if any(not 1 <= len(label) <= LABEL_OCTETS for label in name) or octets_of(name) > NAME_OCTETS:
        raise NoSuchDomain(text)
    return name


def _underscored(text: str) -> tuple[str, str]:
    """Return the leading labels of *text* that begin with an underscore, with their dots, and the rest."""
    end = 0
    while text.startswith("_", end) and "." in text[end:]:
        end = text.index(".", end) + 1
    return text[:end], text[end:]


def octets_of(name: Name) -> int:
    """Return how long *name* is in a message (RFC 1035 §3.1)."""
    return sum(map(len, name)) + len(name) + 1


def shown(name: Name) -> str:
    """Return *name* as text without the last dot; what is unusual in a host name is escaped (RFC 1035 §5.1).

    The root is the empty text.
    """
    text = b".".join(name)
    if _PLAIN.fullmatch(text) and text.count(b".") == len(name) - 1:
        return text.decode("ascii")
    return ".".join("".join(_escaped(octet) for octet in label) for label in name)


def _escaped(octet: int) -> str:
    plain = octet != ord(".") and _PLAIN.fullmatch(bytes((octet,)))
    return chr(octet) if plain else f"\\{octet:03d}"


def reverse_name(address: str) -> Name:
    """Return the name that stands for an IP address (RFC 1035 §3.5, RFC 3596 §2.5).

    An IPv6 address that holds an IPv4 one is looked up as that one. Raises `NoSuchDomain` where *address* is none.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        raise NoSuchDomain(address) from None
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return tuple(parsed.reverse_pointer.encode("ascii").split(b"."))
