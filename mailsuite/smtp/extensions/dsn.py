"""DSN (RFC 3461): which reports a sender wants, and what is to stand in them."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite import unitext
from mailsuite.smtp import grammar, replies
from mailsuite.smtp.extension import Extension, Parameter
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# RFC 3461 §4.4: up to 100 characters. Counted decoded, so that it holds both of what is sent and of what is meant.
ENVID_LETTERS = 100
# RFC 3461 §4.2: up to 500 characters, as they are sent; of those that are not ASCII we count the octets.
ORCPT_LETTERS = 500

_EVENTS = ("SUCCESS", "FAILURE", "DELAY")
# original-recipient-address = addr-type ";" xtext; addr-type is an atom that IANA has registered: letters, digits and
# hyphens, as those of all its registries.
_ORIGINAL = re.compile(r"([A-Za-z0-9-]+);(.+)")
# RFC 3461 §4.2, §4.4: what was encoded consists of printable characters of US-ASCII.
_PRINTABLE = re.compile(r"[ -~]+")


def ret(session: "ServerSession", value: str | None) -> str | Reply:
    """Return what of the message a report shall have, ``FULL`` or ``HDRS`` (RFC 3461 §4.3)."""
    wanted = (value or "").upper()
    return wanted if wanted in ("FULL", "HDRS") else replies.BAD_RET


def envid(session: "ServerSession", value: str | None) -> str | Reply:
    """Return the envelope identifier, decoded (RFC 3461 §4.4)."""
    decoded = _decoded(value or "")
    return decoded if decoded is not None and len(decoded) <= ENVID_LETTERS else replies.BAD_ENVID


def notify(session: "ServerSession", value: str | None) -> str | Reply:
    """Return ``NEVER``, or those of SUCCESS, FAILURE and DELAY that are wanted, in this order (RFC 3461 §4.1)."""
    wanted = (value or "").upper()
    if wanted == "NEVER":
        return wanted
    # RFC 822 §2.7, whose ABNF it is: a list may have empty elements, and nothing forbids one that comes twice.
    words = set(filter(None, wanted.split(",")))
    if not words or not words.issubset(_EVENTS):
        return replies.BAD_NOTIFY
    return ",".join(event for event in _EVENTS if event in words)


def orcpt(session: "ServerSession", value: str | None) -> str | Reply:
    """Return the address that the sender named first, decoded, with its type: ``rfc822;a@example.org`` (§4.2).

    One of type ``utf-8`` has its own encodings, and may have other letters than ASCII (RFC 6533 §3).
    """
    found = _ORIGINAL.fullmatch(value or "")
    if found is None or len(found[0].encode()) > ORCPT_LETTERS:
        return replies.BAD_ORCPT
    kind, encoded = found.groups()
    address = _internationalized(encoded) if kind.lower() == unitext.UTF8_TYPE else None
    if address is None:
        # Postfix calls such an address rfc822 too, with its UTF-8 as xtext.
        address = _decoded(encoded, session.utf8)
    return replies.BAD_ORCPT if address is None else f"{kind};{address}"


def _internationalized(value: str) -> str | None:
    """Return what *value* encodes; ``None`` where it has another form: RFC 6533 §3 asks to bear with such a thing."""
    try:
        decoded = unitext.decode(value)
    except ValueError:
        return None
    return decoded if grammar.is_printable(decoded) else None


def _decoded(value: str, utf8: bool = False) -> str | None:
    """Return what *value* encodes; ``None`` where it is not xtext, or holds what could not stand in a report.

    With *utf8* it may have other letters than ASCII.
    """
    try:
        decoded = grammar.xtext(value)
    except ValueError:
        return None
    return decoded if _PRINTABLE.fullmatch(decoded) or (utf8 and grammar.is_printable(decoded)) else None


class Dsn(Extension):
    """RET and ENVID at MAIL, NOTIFY and ORCPT at RCPT."""

    keyword: ClassVar[str] = "DSN"
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"RET": ret, "ENVID": envid}
    rcpt_parameters: ClassVar[Mapping[str, Parameter]] = {"NOTIFY": notify, "ORCPT": orcpt}
    wide_parameters: ClassVar[frozenset[str]] = frozenset({"ORCPT"})
    # RFC 3461 §5.4 asks for the parameters' own lengths at least; of ENVID each letter may be sent as three.
    mail_octets: ClassVar[int] = len(" RET=FULL ENVID=") + 3 * ENVID_LETTERS
    rcpt_octets: ClassVar[int] = len(" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=") + ORCPT_LETTERS


PART = Dsn()
