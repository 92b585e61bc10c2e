"""Domain names: from what people write to labels, and back to text that is safe to show."""

import re

import dns.exception
import dns.name
import dns.reversename

from mailsuite.address import domain_key
from mailsuite.dns import NoSuchDomain

# How long a name may be at most, in octets (RFC 1035 §2.3.4), and so in characters.
NAME_OCTETS = 255
_ODD = re.compile(rb"[^a-z0-9_-]")


def name_of(text: str) -> dns.name.Name:
    """Return the name that *text* is, in any form: Unicode, any case, with a last dot.

    Raises `NoSuchDomain` where no such name can be in the DNS: empty, too long, with an empty label or one that is too
    long, refused by IDNA.
    """
    if len(text) > NAME_OCTETS:
        raise NoSuchDomain(text)
    # Labels such as _25._tcp are no part of a host name; IDNA would refuse the whole name for them.
    prefix, host = _underscored(text.removesuffix("."))
    whole = prefix.lower() + domain_key(host)
    try:
        return dns.name.Name((*whole.encode("ascii").split(b"."), b""))
    except (UnicodeEncodeError, dns.exception.DNSException):
        raise NoSuchDomain(text) from None


def _underscored(text: str) -> tuple[str, str]:
    """Return the leading labels of *text* that begin with an underscore, with their dots, and the rest."""
    end = 0
    while text.startswith("_", end) and "." in text[end:]:
        end = text.index(".", end) + 1
    return text[:end], text[end:]


def shown(name: dns.name.Name) -> str:
    """Return *name* as text, in lower case, without the last dot; what is unusual in a host name is escaped.

    Names are the same exactly when their texts are (RFC 1035 §2.3.3, §5.1). The root is the empty text.
    """
    return ".".join(_ODD.sub(_escaped, label.lower()).decode("ascii") for label in name.labels[:-1])


def _escaped(odd: re.Match[bytes]) -> bytes:
    return b"\\%03d" % ord(odd[0])


def reverse_name(address: str) -> dns.name.Name:
    """Return the name that stands for an IP address (RFC 1035 §3.5, RFC 3596 §2.5).

    An IPv6 address that holds an IPv4 one is looked up as that one. Raises `NoSuchDomain` where *address* is none.
    """
    try:
        return dns.reversename.from_address(address.partition("%")[0])
    except (UnicodeEncodeError, dns.exception.DNSException):
        raise NoSuchDomain(address) from None
