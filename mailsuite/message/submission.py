"""What a submission server may change in a message (RFC 6409 §8), and whom it says to be from."""

from collections.abc import Sequence
from email.errors import InvalidHeaderDefect, MessageDefect
from email.headerregistry import AddressHeader, HeaderRegistry
from typing import cast

from mailsuite.address import Address
from mailsuite.message.headers import fields, unfold
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


def complete(header: bytes, now: float, message_id: str) -> bytes:
    """Return *header* with Date and Message-ID where they are missing, and without Bcc and Resent-Bcc.

    RFC 6409 §8.2 and §8.3; RFC 5322 §3.6.3: blind recipients are not shown. *message_id* has no angle brackets.
    """
    kept = []
    names = set()
    # One pass: each message comes by here.
    for name, _, whole in fields(header):
        if name not in _BLIND:
            names.add(name)
            kept.append(whole)
    added = b""
    if b"date" not in names:
        added += f"Date: {date(int(now))}\r\n".encode()
    if b"message-id" not in names:
        added += f"Message-ID: <{message_id}>\r\n".encode()
    return added + b"".join(kept)


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
