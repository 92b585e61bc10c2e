"""The forms that texts of the configuration have: domains, addresses, networks, places on the web."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from mailsuite.directory.errors import BadName
from mailsuite.directory.spelling import is_domain, parse_address

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HTTPS = re.compile(r"https://(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/[!-~]*")


def is_mail_address(text: str) -> bool:
    """Say whether *text* is a mail address such as postmaster@example.org."""
    try:
        parse_address(text)
    except BadName:
        return False
    return True


def is_pattern(text: str) -> bool:
    """Say whether *text* is a domain, or a dot and a domain: all that is below it."""
    return is_domain(text.removeprefix("."))


def ip(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that *text* is, if it is one."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_network(text: str) -> bool:
    """Say whether *text* is an IP address, or a network such as 192.0.2.0/24 without bits beyond its length."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def network_around(text: str) -> IPv4Network | IPv6Network | None:
    """Return the network of an address with a length, such as 192.0.2.0/24 of 192.0.2.7/24, if *text* is one."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def is_peer(text: str) -> bool:
    """Say whether *text* can name peers in a list: an IP address, a network, or ``unix``."""
    return text == "unix" or is_network(text)


def is_web(text: str) -> bool:
    """Say whether *text* is meant as a URL and not as a path name."""
    return _SCHEME.match(text) is not None


def is_https(text: str) -> bool:
    """Say whether *text* is an https URL with a host and a path, without a user."""
    found = _HTTPS.fullmatch(text)
    return found is not None and 0 < int(found[1] or 443) <= 65_535
