"""What a submission server may change in a message (RFC 6409 §8), and whom it says to be from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from email.errors import InvalidHeaderDefect, MessageDefect
from email.headerregistry import AddressHeader, HeaderRegistry
from typing import cast

from mailsuite.address import Address
from mailsuite.message.headers import fields, unfold, without
from mailsuite.message.mailbox_list import mailboxes
from mailsuite.message.trace import date

# More From addresses than this, or longer fields, are nobody's honest message.
FROM_ADDRESSES = 50
FROM_OCTETS = 8192
# Fields of a form that is rare are left to the library, whose time grows with the square of their length: 8192 octets
# take it seconds, in which nobody else is served.
ODD_OCTETS = 1024

_REGISTRY = HeaderRegistry()
_BLIND = (b"bcc", b"resent-bcc")
_ONCE = {
    name.lower().encode(): name
    for name in (
        "Date", "From", "Sender", "Reply-To", "To", "Cc", "Message-ID", "In-Reply-To", "References", "Subject",
    )
}  # fmt: skip
_AT_LINE = re.compile(rb"\n(" + b"|".join(_ONCE) + rb")[ \t]*:")
# msg-id = "<" id-left "@" id-right ">"; of old, id-left may be quoted. Nothing in it is read twice.
_MESSAGE_ID = re.compile(rb'<(?:[^<>\s@"]+|"(?:[^"\\\r\n]|\\.)*")@[^<>\s@]+>')
# The line that parts the messages of an mbox; programs that send what lies in one leave it there.
_OF_MBOX = re.compile(rb">?From ")


def complete(header: bytes, now: float, message_id: str, author: Address | None = None) -> bytes:
    """Return *header* as RFC 5322 has it, as far as that is clear (RFC 6409 §8), and without Bcc and Resent-Bcc.

    Date and Message-ID are added where they are missing, and a Message-ID that is none is left out for a good one; so
    is From, which then names *author*, and Sender where From names several (RFC 5322 §3.6.2). The body begins with the
    first line that is no field; the one that parts messages of an mbox is left out where it is the very first. Blind
    recipients are not shown (RFC 5322 §3.6.3). *message_id* has no angle brackets.
    """
    bodies: dict[bytes, bytes] = {}
    kept = []
    for name, body, whole in _fields(header):
        if not name:
            # What looks like a field there is still shown to nobody.
            kept.append(b"\r\n" + without(whole, *_BLIND))
        elif name not in _BLIND and (name != b"message-id" or _MESSAGE_ID.search(body)):
            bodies[name] = body
            kept.append(whole)
    added = b""
    if b"date" not in bodies:
        added += f"Date: {date(int(now))}\r\n".encode()
    if b"message-id" not in bodies:
        added += f"Message-ID: <{message_id}>\r\n".encode()
    if author is not None:
        added += _named(bodies, author)
    return added + b"".join(kept)


def _fields(header: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the fields that *header* begins with; then, without a name, all from the first line on that is none."""
    at = 0
    for field in fields(header):
        if field[0]:
            yield field
        elif at or not _OF_MBOX.match(field[2]):
            yield b"", b"", header[at:]
            return
        at += len(field[2])


def _named(bodies: Mapping[bytes, bytes], author: Address) -> bytes:
    """Return what says who has sent a message with the fields *bodies*, by their names, where nothing in it does."""
    came = bodies.get(b"from")
    if came is None:
        return f"From: {author.in_a_labels}\r\n".encode()
    if b"sender" in bodies or b"," not in came or len(_addresses([came]) or ()) < 2:
        return b""
    return f"Sender: {author.in_a_labels}\r\n".encode()


def repeated(header: bytes) -> str:
    """Return the name of the first field that stands there twice and may stand once (RFC 5322 §3.6); empty: none."""
    names = _AT_LINE.findall(b"\n" + header.lower())
    # Nearly every message: what looks like such a field stands there once.
    if len(names) == len(set(names)):
        return ""
    seen = set()
    for name, _, _ in _fields(header):
        if name in seen:
            return _ONCE[name]
        if name in _ONCE:
            seen.add(name)
    return ""


def authors(header: bytes) -> list[Address] | None:
    """Return the addresses of all From fields, or of Sender where there is no From; none where there is neither.

    ``None`` where a field is unreadable: what cannot be read without doubt would be read by mail programs in
    different ways.
    """
    bodies: dict[bytes, list[bytes]] = {b"from": [], b"sender": []}
    for name, body, _ in fields(header):
        if name in bodies:
            bodies[name].append(body)
    return _addresses(bodies[b"from"] or bodies[b"sender"])


def _addresses(bodies: Sequence[bytes]) -> list[Address] | None:
    found: list[Address] = []
    octets = odd = 0
    for body in bodies:
        octets += len(body)
        if octets > FROM_OCTETS:
            return None
        text = unfold(body)
        parsed = mailboxes(text)
        if parsed is None:
            odd += len(body)
            parsed = None if odd > ODD_OCTETS else _parse(text)
        if parsed is None or len(found) + len(parsed) > FROM_ADDRESSES:
            return None
        found += parsed
    return found


def _parse(text: str) -> list[Address] | None:
    try:
        parsed = cast(AddressHeader, _REGISTRY("from", text))
        mailboxes = parsed.addresses
    except Exception:
        # The library's parser answers some fields with an IndexError, others with a RecursionError.
        return None
    # InvalidHeaderDefect: two addresses in one, text behind the angle brackets, no domain.
    if not mailboxes or any(isinstance(defect, InvalidHeaderDefect) for defect in _defects(parsed)):
        return None
    if not all(mailbox.domain and f"{mailbox.username}{mailbox.domain}".isprintable() for mailbox in mailboxes):
        return None
    return [Address(mailbox.username, mailbox.domain) for mailbox in mailboxes]


def _defects(parsed: AddressHeader) -> tuple[MessageDefect, ...]:
    # Every header of the registry has them (email.headerregistry.BaseHeader); the type stubs leave it out.
    return cast(tuple[MessageDefect, ...], getattr(parsed, "defects", ()))
