"""Which addresses mail may be sent to: whoever writes DNS records must not choose a host inside our walls. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# RFC 6052 §2.1: the prefix behind which a translator finds an IPv4 address.
_TRANSLATED = IPv6Network("64:ff9b::/96")


def ip(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that *text* is, ``None`` where it is none. An IPv4 address in an IPv6 one is unwrapped.

    That is one that is mapped (RFC 4291 §2.5.5.2), tunnelled (6to4) or translated (RFC 6052): it is where packets go.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def literal(domain: str) -> str:
    """Return the address of an address literal (RFC 5321 §4.1.3) in lower case, ``""`` where *domain* is none."""
    text = domain[1:-1] if domain.startswith("[") and domain.endswith("]") else ""
    text = text.removeprefix("ipv6:")
    return text if "%" not in text and ip(text) is not None else ""


def is_public(address: str) -> bool:
    """Say whether *address* is one of the Internet: not loopback, link-local, private, multicast, or reserved."""
    found = ip(address)
    if found is None or (isinstance(found, IPv6Address) and found.is_site_local):
        # RFC 4291 §2.5.7: site-local addresses are no more, but whoever still has them has them inside.
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def is_ipv6(address: str) -> bool:
    """Say whether *address* is one of IPv6, of the two families."""
    return ":" in address
