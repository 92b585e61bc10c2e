"""What a submission server may change in a message (RFC 6409 §8), and whom it says to be from."""

from email.errors import InvalidHeaderDefect, MessageDefect
from email.headerregistry import AddressHeader, HeaderRegistry
from typing import cast

from mailsuite.address import Address
from mailsuite.message.headers import fields, has_field, unfold, without
from mailsuite.message.mailbox_list import mailboxes
from mailsuite.message.trace import date

# More From addresses than this, or longer fields, are nobody's honest message.
FROM_ADDRESSES = 50
FROM_OCTETS = 8192
# Fields of a form that is rare are left to the library, whose time grows with the square of their length: 8192 octets
# take it seconds, in which nobody else is served.
ODD_OCTETS = 1024

_REGISTRY = HeaderRegistry()


def complete(header: bytes, now: float, message_id: str) -> bytes:
    """Return *header* with Date and Message-ID where they are missing, and without Bcc and Resent-Bcc.

    RFC 6409 §8.2 and §8.3; RFC 5322 §3.6.3: blind recipients are not shown. *message_id* has no angle brackets.
    """
    header = without(header, b"bcc", b"resent-bcc")
    added = b""
    if not has_field(header, b"date"):
        added += f"Date: {date(int(now))}\r\n".encode()
    if not has_field(header, b"message-id"):
        added += f"Message-ID: <{message_id}>\r\n".encode()
    return added + header


def authors(header: bytes) -> list[Address] | None:
    """Return the addresses of all From fields, or of Sender where there is no From; none where there is neither.

    ``None`` where a field is unreadable: what cannot be read without doubt would be read by mail programs in
    different ways.
    """
    return _addresses(header, b"from") if has_field(header, b"from") else _addresses(header, b"sender")


def _addresses(header: bytes, wanted: bytes) -> list[Address] | None:
    found: list[Address] = []
    octets = odd = 0
    for name, body, _ in fields(header):
        if name != wanted:
            continue
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
