"""Mailbox addresses to path names: one safe folder for each, and no way out of the mail root."""

import hashlib
from urllib.parse import unquote

from mailsuite.address import Address

# A file name has at most 255 octets on the file systems that carry mail; some are left for suffixes.
_NAME_OCTETS = 200


def mailbox_path(address: Address) -> str:
    """Return ``DOMAIN/LOCAL`` below the mail root for *address*, the same for every spelling of it."""
    local, domain = address.key
    return f"{file_name(domain)}/{file_name(local)}"


def path_address(path: str) -> Address | None:
    """Return the address, in key form, of which `mailbox_path` makes *path*; ``None`` where that was too long."""
    domain, _, local = path.partition("/")
    if "%-" in path:
        return None
    found = Address(*(unquote(part, errors="surrogatepass") if part != "%" else "" for part in (local, domain)))
    return found if mailbox_path(found) == path else None


def file_name(text: str) -> str:
    """Return *text* as one file name: no slash, no leading dot, never empty, at most 200 octets.

    What does not fit is percent-encoded, the percent sign too, so that two texts never share a name; of a text
    that is still too long the beginning and a digest are kept (``%-``, which encoding never makes, between them).
    """
    name = "".join(_character(letter, first=not index) for index, letter in enumerate(text)) or "%"
    octets = name.encode("utf-8")
    if len(octets) <= _NAME_OCTETS:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return octets[:120].decode("utf-8", "ignore") + "%-" + digest


def _character(letter: str, first: bool) -> str:
    if letter in "/%\\" or not letter.isprintable() or letter.isspace() or (first and letter == "."):
        return "".join(f"%{octet:02X}" for octet in letter.encode("utf-8", "surrogatepass"))
    return letter
