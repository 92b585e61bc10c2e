"""Addresses and domains as people type them (RFC 5321 §4.1.2, RFC 6531 §3.3), and as the accounts file keeps them.

The file keeps the key form (`mailsuite.address`): so every spelling of an address finds the same row.
"""

import re

from mailsuite.address import Address, domain_key, local_key, unquoted
from mailsuite.directory.errors import BadName

# RFC 5321 §4.5.3.1.1 and §4.5.3.1.2; RFC 1035 §2.3.4.
LOCAL_OCTETS = 64
DOMAIN_OCTETS = 253

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010ffff]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def parse_domain(text: str) -> str:
    """Return the domain *text* as `domain_key` gives it. Raises `BadName`; an address literal is no domain."""
    key = domain_key(text)
    if len(key) > DOMAIN_OCTETS or not _DOMAIN.fullmatch(key) or key.rpartition(".")[2].isdigit():
        raise BadName(f"{shown(text)} is not a domain name; expected one such as example.com")
    return key


def is_domain(text: str) -> bool:
    """Say whether *text* is a domain name, in letters of any script."""
    try:
        parse_domain(text)
    except BadName:
        return False
    return True


def parse_address(text: str) -> Address:
    """Return the address *text* in key form. Raises `BadName`."""
    written = parse_written(text)
    return Address(local_key(written.local), written.domain)


def parse_written(text: str) -> Address:
    """Return the address *text* with its local part as it is written, which only its own system may change
    (RFC 5321 §2.4), and its domain in key form. Raises `BadName`."""
    local, at, domain = text.rpartition("@")
    if not at or not local:
        raise BadName(f"{shown(text)} is not an address; expected one such as alice@example.com")
    return Address(_unquoted(local), parse_domain(domain))


def login_name(text: str) -> str | None:
    """Return the login that a client means by *text*, or ``None`` where it cannot be one."""
    try:
        return str(parse_address(text))
    except BadName:
        return None


def place_of(name: str) -> tuple[str, str]:
    """Return where the address *name*, or a domain, stands among others by domain and local part, whatever it is."""
    local, at, home = name.rpartition("@")
    return home if at else name, unquoted(local)


def shown(text: str) -> str:
    """Return *text* fit for a message: control characters escaped, and of a long one the beginning."""
    plain = text if len(text) <= 80 else text[:77] + "..."
    return plain if plain.isprintable() and plain else ascii(plain)


def _unquoted(written: str) -> str:
    local = unquoted(written)
    if not local.isprintable() or (local == written and not _DOT_STRING.fullmatch(local)):
        raise BadName(
            f"{shown(written)} is not the local part of an address: letters, digits and single dots, or in"
            ' double quotes any characters that can be printed, as in "John Smith"@example.com'
        )
    if len(local.encode()) > LOCAL_OCTETS:
        raise BadName(f"{shown(written)} is too long: a local part has at most {LOCAL_OCTETS} octets (RFC 5321)")
    return local
