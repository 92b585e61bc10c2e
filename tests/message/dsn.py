"""A checker of delivery reports, by the grammars alone: RFC 3464 §2 and appendix A, RFC 6522 §3, RFC 5322 §2, §3.3.

It reads the octets by patterns of its own, and then once more with Python's email package, which must find no defect.
A report that is not ASCII is one to an address that is not, and held to RFC 6533 §4 besides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

# Types of RFC 6532 and RFC 6533, which Python's package takes for messages, encoded or not.
GLOBAL = {"message/global", "message/global-headers", "message/global-delivery-status"}
STRICT = policy.default.clone(raise_on_defect=True)
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

# Field names in the order of the grammar, and which of them must be there.
PER_MESSAGE = (
    "original-envelope-id",
    "reporting-mta",
    "dsn-gateway",
    "received-from-mta",
    "arrival-date",
    "deliver-by-date",
    "future-release-request",
)
PER_RECIPIENT = (
    "original-recipient",
    "final-recipient",
    "action",
    "status",
    "remote-mta",
    "diagnostic-code",
    "last-attempt-date",
    "final-log-id",
    "will-retry-until",
)
REQUIRED = {PER_MESSAGE: {"reporting-mta"}, PER_RECIPIENT: {"final-recipient", "action", "status"}}
_WIDE_TO = re.compile(rb"\r\nTo: (?:<[^\r\n]*[\x80-\xff][^\r\n]*>|undisclosed-recipients:;)\r\n")
DATES = {"arrival-date", "deliver-by-date", "last-attempt-date", "will-retry-until"}
TYPED = {
    "reporting-mta",
    "dsn-gateway",
    "received-from-mta",
    "remote-mta",
    "original-recipient",
    "final-recipient",
    "diagnostic-code",
}
# Extensions without X- must be registered (RFC 3464 §2.4); this one is in RFC 3461 §6.3 (j).
REGISTERED = {"smtp-remote-recipient"}
CLASSES = {"failed": "45", "delayed": "4", "delivered": "2", "relayed": "2", "expanded": "2"}

# atom = 1*<any CHAR except specials, SPACE and CTLs> (RFC 822 §3.3)
_ATOM = r"[^\x00-\x20\x7f-\xff()<>@,;:\\\".\[\]]+"
_FIELD = re.compile(r"([!-9;-~]+):((?:[^\r\n]|\r\n[ \t](?=[^\r\n]*[^\s]))*)\r\n")
_TYPED = re.compile(rf" ({_ATOM}); ?(.*)", re.DOTALL)
_STATUS = re.compile(r" ([245])\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})")
_DATE = re.compile(r" (\w{3}), (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) [+-]\d{4}")
# An SMTP diagnostic code (RFC 3461 §9.2), with the space that is put before each line after the first.
_SMTP = re.compile(r"(?:\d{3,}-[^\r\n]*\r\n )*\d{3,} [^\r\n]*")
_MTA = re.compile(r"(?:[A-Za-z0-9._-]+|\[[A-Za-z0-9:.]+\])(?: \(\[[A-Za-z0-9:.]+\]\))?")
_PRINTABLE = re.compile(r"[ -~]*")
_WIDE_ADDRESS = re.compile(r"utf-8; ?[ -~\x80-\U0010ffff]*", re.IGNORECASE)

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Checked:
    """A report that was found good: *text* for people, the *message*'s fields and those of each of *recipients*.

    Values are unfolded only where the grammar has nothing to say about their lines; *names* are as they were written.
    *returned* is the third part, ``None`` where there is none.
    """

    whole: EmailMessage
    text: str
    message: Fields
    recipients: Sequence[Fields]
    returned: EmailMessage | None

    @property
    def only(self) -> Fields:
        """The fields of the one recipient."""
        (found,) = self.recipients
        return found


def check(report: bytes) -> Checked:
    """Return what *report* says; raises `AssertionError`, or an error of Python's email package, for any defect."""
    check_octets(report)
    is_strict = not any(b"Content-Type: " + kind.encode() in report for kind in GLOBAL)
    whole = message_from_bytes(report, policy=STRICT if is_strict else policy.default)
    for part in whole.walk() if is_strict else (whole,):
        assert not part.defects
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "delivery-status"
    parts = cast(list[EmailMessage], whole.get_payload())
    assert len(parts) in (2, 3)
    for ours in (whole, *parts):
        _check_headers(ours)
    text, status, *returned = parts
    assert text.get_content_type() == "text/plain"
    assert text.get_content_charset() == ("us-ascii" if not text["Content-Transfer-Encoding"] else "utf-8")
    is_global = status.get_content_type() == "message/global-delivery-status"
    assert is_global or status.get_content_type() == "message/delivery-status"
    # RFC 6533 §4.4: where all is ASCII the old type does; and where all has to be, it must.
    assert is_global is not _body_of(report, str(whole.get_boundary()), 1).isascii()
    if returned:
        assert returned[0].get_content_type() in ("message/rfc822", "text/rfc822-headers", *GLOBAL)
    _check_header_section(report[: report.index(b"\r\n\r\n") + 2])
    pieces = _parts(report, str(whole.get_boundary()))
    assert len(pieces) == len(parts)
    message, recipients = check_status(_body(pieces[1]))
    if not is_global:
        groups = [[name.lower() for name in group] for group in cast(list[EmailMessage], status.get_payload())]
        assert groups == [list(each) for each in (message, *recipients)]
    told = cast(bytes, text.get_payload(decode=True)).decode(str(text.get_content_charset()))
    assert report.isascii() or _WIDE_TO.search(report[: report.index(b"\r\n\r\n")])
    return Checked(whole, told, message, recipients, returned[0] if returned else None)


def check_octets(report: bytes) -> None:
    """UTF-8 without NUL, CR and LF only together, lines within RFC 5322 §2.1.1's 998 octets; it ends with a line."""
    report[: report.index(b"\r\n\r\n")].decode()
    assert b"\0" not in report
    assert report.count(b"\r") == report.count(b"\n") == report.count(b"\r\n")
    assert report.endswith(b"\r\n")
    assert max(map(len, report.split(b"\r\n"))) <= 998


def check_status(body: bytes) -> tuple[Fields, list[Fields]]:
    """Check the body of a message/delivery-status; return the fields of the message and of each recipient."""
    text = body.decode()
    # delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )
    first, *others = text.split("\r\n\r\n")
    groups = [f"{group}\r\n" for group in (first, *others[:-1])] + others[-1:]
    assert len(groups) > 1
    message = _group(groups[0], PER_MESSAGE)
    recipients = [_group(group, PER_RECIPIENT) for group in groups[1:]]
    for recipient in recipients:
        _check_recipient(recipient)
    return message, recipients


def _group(text: str, order: tuple[str, ...]) -> Fields:
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _FIELD.match(text, at)
        assert found is not None, text[at : at + 80]
        name, value = found[1].lower(), found[2]
        # Each at most once, extension fields too.
        assert name not in fields
        fields[name] = value
        at = found.end()
    known = [name for name in fields if name in order]
    assert known == sorted(known, key=order.index)
    assert list(fields)[: len(known)] == known
    assert REQUIRED[order] <= set(known)
    for name in list(fields)[len(known) :]:
        assert name.startswith("x-") or name in REGISTERED
        assert re.fullmatch(_ATOM, name)
    for name, value in fields.items():
        if not value.isascii() and (name in REGISTERED or (name in TYPED and _WIDE_ADDRESS.fullmatch(value.strip()))):
            assert value.isprintable()
        else:
            _check_value(name, value)
    return fields


def _check_value(name: str, value: str) -> None:
    assert all(_PRINTABLE.fullmatch(line) for line in value.split("\r\n"))
    if name in DATES:
        check_date(value)
    if name in TYPED:
        kind, rest = typed(value)
        assert len(kind) <= 60
        if kind == "smtp":
            assert _SMTP.fullmatch(rest), rest
        if kind == "dns":
            assert _MTA.fullmatch(rest), rest
            assert name.endswith("-mta")
    if name != "diagnostic-code":
        assert "\r\n" not in value


def _check_recipient(fields: Fields) -> None:
    action = fields["action"].strip().lower()
    assert action in CLASSES
    status = _STATUS.fullmatch(fields["status"])
    assert status is not None
    assert status[1] in CLASSES[action]
    # RFC 3464 §2.3.9
    assert "will-retry-until" not in fields or action == "delayed"
    assert typed(fields["final-recipient"])[0].lower() in ("rfc822", "utf-8")


def check_date(value: str) -> None:
    """RFC 5322 §3.3, with the numeric zone of RFC 3464 §2.2.5 and the right day of the week."""
    found = _DATE.fullmatch(value)
    assert found is not None, value
    day, month, year, hour, minute, second = found[2], MONTHS.index(found[3]) + 1, found[4], *found.groups()[4:7]
    datetime(int(year), month, int(day), int(hour), int(minute), int(second))
    assert DAYS[date(int(year), month, int(day)).weekday()] == found[1]


def typed(value: str) -> tuple[str, str]:
    """Return the type and the rest of a value with a ``-type`` sub-field (RFC 3464 §2.1.2)."""
    found = _TYPED.fullmatch(value)
    assert found is not None, value
    return found[1], found[2]


def _check_headers(part: EmailMessage) -> None:
    for name, value in part.items():
        # To that package all that is not ASCII is a defect; what may be so is looked at by `check`.
        assert not value.defects or (name == "To" and not value.isascii()), (name, value)


def _check_header_section(header: bytes) -> None:
    """What RFC 5322 §3.6 and RFC 3834 §3.1 want of the whole report: each field once."""
    names = [line.partition(":")[0].lower() for line in header.decode().split("\r\n") if line[:1] not in "\t "]
    assert len(set(names)) == len(names)
    assert {"from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version"} <= set(names)
    assert b"\r\nAuto-Submitted: auto-replied\r\n" in header
    found = re.search(rb"^Date:(.*)\r\n", header, re.MULTILINE)
    assert found is not None
    check_date(found[1].decode("ascii"))


def _parts(report: bytes, boundary: str) -> list[bytes]:
    """RFC 2046 §5.1.1, by hand: the boundary stands nowhere but between the parts, and behind the last."""
    assert re.fullmatch("[0-9A-Za-z'()+_,./:=?-]{1,70}", boundary)
    delimiter = b"--" + boundary.encode("ascii")
    content = report[report.index(b"\r\n\r\n") + 2 :]
    pieces = content.split(b"\r\n" + delimiter)
    assert pieces[-1] == b"--\r\n"
    assert all(piece.startswith(b"\r\n") for piece in pieces[1:-1])
    assert content.count(delimiter) == len(pieces) - 1
    return [piece[2:] for piece in pieces[1:-1]]


def _body_of(report: bytes, boundary: str, number: int) -> bytes:
    return _body(_parts(report, boundary)[number])


def _body(part: bytes) -> bytes:
    return part[part.index(b"\r\n\r\n") + 4 :]
