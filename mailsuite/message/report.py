"""Delivery reports (RFC 3461 §6, RFC 3464, RFC 6522, RFC 3834 §5): from values to the octets of a message. Pure.

A report is 7-bit whatever the message was, so that it can go any way: an 8-bit message in it is converted, or only its
header is returned, as RFC 6522 §3 has it. Only the header is returned of a message whose structure is broken, too:
every report can be read without a doubt. One to an address that needs SMTPUTF8 cannot go any way, and is in UTF-8
(RFC 6533 §4.5).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mailsuite.address import Address
from mailsuite.message import mime
from mailsuite.message.downgrade import CannotConvert, to_seven_bit
from mailsuite.message.enclosed import is_sound
from mailsuite.message.headers import fields, header_end, unfold
from mailsuite.message.report_fields import VALUE_LETTERS, Fate, delivery_status, one_line
from mailsuite.message.report_text import report_text
from mailsuite.message.trace import date
from mailsuite.queued import QueuedMessage

# One report tells of one of these.
Kind: TypeAlias = Literal["failed", "delayed", "success"]

_SUBJECTS: dict[Kind, str] = {
    "failed": "Your message could not be delivered",
    "delayed": "Your message is delayed",
    "success": "Your message was delivered",
}
_PASSED_ON = "Your message was passed on"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = rf"{_ATEXT}(?:\.{_ATEXT})*"
# msg-id = "<" id-left "@" id-right ">" (RFC 5322 §3.6.4), as it may be made today.
_MESSAGE_ID = re.compile(rf"<{_DOT_ATOM}@(?:{_DOT_ATOM}|\[[!-Z^-~]*\])>")
_MESSAGE_ID_LETTERS = 600
# addr-spec = local-part "@" domain (RFC 5322 §3.4.1), its local part a dot-atom or a quoted string
_ADDRESS = re.compile(rf'(?:{_DOT_ATOM}|"(?:[ !#-\[\]-~]|\\[ -~])*")@(?:{_DOT_ATOM}|\[[!-Z^-~]*\])')
# The same with UTF8-non-ascii in atext and qtext (RFC 6532 §3.2)
_WIDE_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_WIDE_DOT_ATOM = rf"{_WIDE_ATEXT}(?:\.{_WIDE_ATEXT})*"
_WIDE_ADDRESS = re.compile(
    rf'(?:{_WIDE_DOT_ATOM}|"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*")@(?:{_WIDE_DOT_ATOM}|\[[!-Z^-~]*\])'
)
_EIGHT_BIT = b"Content-Transfer-Encoding: 8bit\r\n"


@dataclass(frozen=True, slots=True)
class Returned:
    """What is at hand of the original message: *whole*, or its header section, which may be cut."""

    octets: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One report on *message*, about *fates*, whose actions are all of *kind*.

    *now* is POSIX time; *message_id* has no angle brackets; *boundary* is up to 64 letters and digits that nobody can
    foresee (RFC 2046 §5.1.1: 70 characters at most).
    """

    hostname: str
    now: float
    message_id: str
    boundary: str
    message: QueuedMessage
    kind: Kind
    fates: tuple[Fate, ...]
    returned: Returned | None = None


def kind_of(fate: Fate) -> Kind:
    """Say in which report *fate* is told."""
    return fate.action if fate.action in ("failed", "delayed") else "success"


def returns_whole(message: QueuedMessage, kind: Kind, most: int) -> bool:
    """Say whether a report of *kind* holds the whole message, if that has at most *most* octets (RFC 3461 §4.3, §6.2).

    Without RET that is ours to choose; of one with REQUIRETLS, whatever RET says, it is the header (RFC 8689 §5).
    """
    return kind == "failed" and message.ret != "HDRS" and message.size <= most and not message.asked.require_tls


def build(report: Report) -> bytes:
    """Return *report* as a message with CRLF line ends: ASCII, or UTF-8 where the reverse-path is not ASCII; no line
    is longer than 998 octets.

    Raises `ValueError` for a message with a null reverse-path, which is never reported on (RFC 3461 §5.2).
    """
    sender = report.message.reverse_path
    if sender is None:
        raise ValueError("a message with a null reverse-path has nobody to report to")
    utf8 = sender.needs_utf8
    parts = [
        _text(report_text(report.hostname, report.message, report.kind, report.fates), utf8),
        _status(delivery_status(report.hostname, report.message, report.fates, utf8)),
    ]
    if report.returned is not None:
        parts += _third(report.returned, report.message.smtputf8, utf8)
    boundary = _unused(report.boundary, parts)
    header = "".join(f"{line}\r\n" for line in _header(report, sender, boundary)).encode()
    delimiter = b"\r\n--" + boundary.encode("ascii")
    return header + b"".join(delimiter + b"\r\n" + part for part in parts) + delimiter + b"--\r\n"


def _header(report: Report, sender: Address, boundary: str) -> Iterator[str]:
    # RFC 3464 §2: a person who looks after the system gets what is answered to a report.
    yield f"From: Mail Delivery System <postmaster@{one_line(report.hostname, 255)}>"
    yield f"To: {_recipient(sender)}"
    yield f"Subject: {_subject(report)}"
    yield f"Date: {date(int(report.now))}"
    yield f"Message-ID: <{report.message_id}>"
    original = None if report.returned is None else _message_id(report.returned.octets)
    if original is not None:
        # RFC 3834 §3.1.6: mail programs show the report beside the message.
        yield f"In-Reply-To: {original}"
        yield f"References: {original}"
    yield "Auto-Submitted: auto-replied"
    yield "MIME-Version: 1.0"
    yield f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"'


def _subject(report: Report) -> str:
    if report.kind == "success" and any(fate.action != "delivered" for fate in report.fates):
        return _PASSED_ON
    return _SUBJECTS[report.kind]


def _recipient(sender: Address) -> str:
    """RFC 3464 §2: it is addressed to the reverse-path, in the header too, where that can stand in one."""
    utf8 = sender.needs_utf8
    written = str(sender if utf8 else sender.in_a_labels)
    form = _WIDE_ADDRESS if utf8 else _ADDRESS
    if not written.isprintable() or form.fullmatch(written) is None or len(written.encode()) > VALUE_LETTERS:
        return "undisclosed-recipients:;"
    return f"<{written}>"


def _message_id(header: bytes) -> str | None:
    end = header_end(header)
    found = [unfold(body) for name, body, _ in fields(header[:end] if end >= 0 else header) if name == b"message-id"]
    if len(found) != 1 or len(found[0]) > _MESSAGE_ID_LETTERS or _MESSAGE_ID.fullmatch(found[0]) is None:
        return None
    return found[0]


def _text(text: bytes, utf8: bool) -> bytes:
    if text.isascii():
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text
    return _wide(b"Content-Type: text/plain; charset=utf-8\r\n", text, utf8)


def _status(status: bytes) -> bytes:
    if status.isascii():
        return b"Content-Type: message/delivery-status\r\n\r\n" + status
    return _wide(b"Content-Type: message/global-delivery-status\r\n", status, utf8=True)


def _wide(header: bytes, body: bytes, utf8: bool) -> bytes:
    """Return a part in UTF-8: as it is, or where the report has to be of seven bits encoded (RFC 6533 §4.5)."""
    if utf8:
        return header + _EIGHT_BIT + b"\r\n" + body
    return mime.with_encoding(header, b"quoted-printable") + b"\r\n" + mime.quoted_printable(body)


def _third(returned: Returned, smtputf8: bool, utf8: bool) -> Iterator[bytes]:
    """Yield the part with the original message or its header (RFC 6522 §3, §4); nothing where there is neither.

    *smtputf8*: the original came with it, and may be one that is returned in the forms of RFC 6533 §4.2 and §4.3.
    """
    content = _as_seven_bit(returned.octets) if returned.whole else None
    if content is not None:
        yield b"Content-Type: message/rfc822\r\n\r\n" + content
        return
    if returned.whole and smtputf8 and _is_global(returned.octets):
        yield _wide(b"Content-Type: message/global\r\n", returned.octets, utf8)
        return
    end = header_end(returned.octets)
    # Where it was cut, what is left of its last line says nothing, or something else.
    header = returned.octets[:end] if end >= 0 else b"".join(returned.octets.rpartition(b"\r\n")[:2])
    if not header:
        return
    start = b"Content-Type: text/rfc822-headers\r\n"
    if mime.is_seven_bit(header):
        yield start + b"\r\n" + header
    elif smtputf8 and mime.is_eight_bit(header) and _is_utf8(header):
        yield _wide(b"Content-Type: message/global-headers\r\n", header, utf8)
    else:
        yield mime.with_encoding(start, b"quoted-printable") + b"\r\n" + mime.quoted_printable(header)


def _as_seven_bit(content: bytes) -> bytes | None:
    """Return *content* so that a message/rfc822 of seven bits can hold it; ``None`` where that cannot be."""
    try:
        converted = to_seven_bit(content)
    except CannotConvert:
        return None
    if header_end(converted) <= 0 or not mime.is_seven_bit(converted) or not is_sound(converted):
        return None
    return converted


def _is_global(content: bytes) -> bool:
    """Say whether a message/global can hold *content*: its header is of RFC 6532, and all of it can be read."""
    end = header_end(content)
    return end > 0 and _is_utf8(content[:end]) and mime.is_eight_bit(content) and is_sound(content)


def _is_utf8(header: bytes) -> bool:
    try:
        header.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unused(boundary: str, parts: Sequence[bytes]) -> str:
    """Return *boundary*, or one made of it, that is in none of *parts* (RFC 2046 §5.1.1)."""
    number = 0
    free = boundary
    while any(b"--" + free.encode("ascii") in part for part in parts):
        number += 1
        free = f"{boundary}.{number}"
    return free
