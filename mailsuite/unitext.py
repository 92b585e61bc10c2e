"""Addresses in reports and in ORCPT with the type that says what letters they have (RFC 3461 §4.2, RFC 6533 §3)."""

import re

from mailsuite.address import Address

# The type of an address that may have other letters than ASCII; the type of all others is rfc822.
UTF8_TYPE = "utf-8"

# QUCHAR / EmbeddedUnicodeChar; hexadecimal digits may have any case. The replacement character stands for octets that
# are no UTF-8.
_UNITEXT = re.compile(r"(?:[!-*,-<>-\[\]-~\x80-\ufffc\ufffe-\U0010ffff]|\\x\{[0-9A-Fa-f]{2,6}\})+")
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]+)\}")
# What no form has as it is: ASCII but for QCHAR, and what cannot be UTF-8.
_NEVER = r"\x00- +=\\\x7f\ud800-\udfff"
_NOT_QUCHAR = re.compile(f"[{_NEVER}]")
_NOT_QCHAR = re.compile(rf"[{_NEVER}\x80-\U0010ffff]")


def decode(value: str) -> str:
    """Decode utf-8-addr-xtext, utf-8-addr-unitext or utf-8-address. Raises `ValueError` for anything else."""
    if _UNITEXT.fullmatch(value) is None:
        raise ValueError("not unitext")
    return _EMBEDDED.sub(lambda found: chr(int(found[1], 16)), value)


def encode(text: str, utf8: bool) -> str:
    """Encode *text* as utf-8-addr-unitext, or without *utf8* as utf-8-addr-xtext, which is ASCII."""
    return (_NOT_QUCHAR if utf8 else _NOT_QCHAR).sub(_embedded, text)


def _embedded(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"


def typed(address: Address) -> str:
    """Return *address* with its type, as ORCPT has it once it is decoded; a domain can always be written in ASCII."""
    return f"{UTF8_TYPE};{address}" if address.needs_utf8 else f"rfc822;{address.in_a_labels}"
