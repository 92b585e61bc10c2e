"""Reports on messages with SMTPUTF8, and to those who need it (RFC 6533 §4)."""

from email import message_from_bytes
from email.message import EmailMessage
from typing import cast

import pytest

from mailsuite.address import Address
from mailsuite.message.report import Report, Returned, build
from mailsuite.message.report_fields import VALUE_LETTERS, Fate, wide_line
from mailsuite.outcome import Failed
from mailsuite.queued import QueuedMessage
from tests.message.dsn import check

NOW = 1_767_225_600.9
MARIA = Address("мария", "пример.рф")
CAROL = Address("carol", "a.example")
USER = Address("用户", "例子.测试")
NEVER = Failed("5.6.7", "The address has letters that are not ASCII, which the next host does not take")
ORIGINAL = "From: Мария <мария@пример.рф>\r\nSubject: Привет\r\nMIME-Version: 1.0\r\n\r\nЁж.\r\n".encode()
HEADER = ORIGINAL[: ORIGINAL.index(b"\r\n\r\n") + 2]


def report(sender: Address, *, original: bytes = ORIGINAL, whole: bool = True, smtputf8: bool = True) -> bytes:
    """Return the report to *sender* on a message for 用户, whom an alias has led to."""
    message = QueuedMessage("k7f-1", sender, NOW - 3600, NOW + 3600, len(original), smtputf8=smtputf8)
    fate = Fate(USER, "failed", NEVER, "utf-8;用户@例子.测试", NOW)
    returned = Returned(original, whole)
    return build(Report("mail.b.example", NOW, "t.1@b.example", "b0" * 16, message, "failed", (fate,), returned))


def parts(octets: bytes) -> list[tuple[str, str | None, bytes]]:
    """Return type, encoding and octets of each part of a report."""
    whole = message_from_bytes(octets)
    found = []
    for part in octets.split(b"\r\n--" + str(whole.get_boundary()).encode())[1:-1]:
        header, _, body = part[2:].partition(b"\r\n\r\n")
        parsed = cast(EmailMessage, message_from_bytes(header))
        found.append((parsed.get_content_type(), parsed["Content-Transfer-Encoding"], body))
    return found


def test_to_an_address_of_other_letters() -> None:
    """§4.1 to §4.5: all of it is UTF-8, in eight bits."""
    octets = report(MARIA)
    checked = check(octets)
    text, status, returned = parts(octets)

    assert "To: <мария@пример.рф>\r\n".encode() in octets
    assert [each[:2] for each in (text, status, returned)] == [
        ("text/plain", "8bit"), ("message/global-delivery-status", "8bit"), ("message/global", "8bit"),
    ]  # fmt: skip
    assert "  <用户@例子.测试>\r\n" in checked.text
    assert checked.only["original-recipient"] == " utf-8; 用户@例子.测试"
    assert checked.only["final-recipient"] == " utf-8; 用户@例子.测试"
    assert returned[2] == ORIGINAL


def test_to_an_address_of_ascii() -> None:
    """§4.5: nobody knows whether its host has SMTPUTF8, so all is of seven bits; §3: with utf-8-addr-xtext."""
    octets = report(CAROL)
    checked = check(octets)
    text, status, returned = parts(octets)

    assert octets.isascii()
    assert [each[:2] for each in (text, status, returned)] == [
        ("text/plain", "quoted-printable"), ("message/delivery-status", None), ("message/global", "quoted-printable"),
    ]  # fmt: skip
    assert "  <用户@例子.测试>\r\n" in checked.text
    escaped = r" utf-8; \x{7528}\x{6237}@\x{4F8B}\x{5B50}.\x{6D4B}\x{8BD5}"
    assert checked.only["original-recipient"] == checked.only["final-recipient"] == escaped
    assert _decoded(returned[2]) == ORIGINAL


def _decoded(body: bytes) -> bytes:
    part = message_from_bytes(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
    return cast(bytes, part.get_payload(decode=True))


@pytest.mark.parametrize(
    ("original", "told"),
    [
        ("rfc822;ё@b.example", r" utf-8; \x{451}@b.example"),
        ("UTF-8;a@b.example", " utf-8; a@b.example"),
        ("rfc822;a@b.example", " rfc822; a@b.example"),
        ("x400;ё", r" x400; \u0451"),
    ],
)
def test_the_type_of_what_was_asked_for(original: str, told: str) -> None:
    """RFC 6533 §3: some call such an address rfc822, which it is not."""
    message = QueuedMessage("k7f-1", CAROL, NOW - 3600, NOW + 3600, 1)
    about = (Fate(CAROL, "failed", NEVER, original, NOW),)
    octets = build(Report("mail.b.example", NOW, "t.1@b.example", "b0" * 16, message, "failed", about))

    assert check(octets).only["original-recipient"] == told


@pytest.mark.parametrize(("sender", "encoding"), [(MARIA, "8bit"), (CAROL, "quoted-printable")])
def test_the_header_alone(sender: Address, encoding: str) -> None:
    """§4.3: where the whole is not to be returned."""
    octets = report(sender, whole=False)
    check(octets)
    kind, said, body = parts(octets)[2]

    assert (kind, said) == ("message/global-headers", encoding)
    assert (body if encoding == "8bit" else _decoded(body)) == HEADER


@pytest.mark.parametrize("sender", [MARIA, CAROL])
@pytest.mark.parametrize(
    ("original", "kind"),
    [
        (b"Subject: x\r\n\r\nx\r\n", "message/rfc822"),
        ("Subject: x\r\n\r\nё\r\n".encode(), "message/rfc822"),
        # What is no UTF-8, what is broken, and what no line of a report can hold.
        (b"Subject: \xe9\r\n\r\nx\r\n", "text/rfc822-headers"),
        ("Subject: ё\r\nno field\r\n\r\nx\r\n".encode(), "message/global-headers"),
        ("Subject: ё\r\n\r\n".encode() + b"x" * 999 + b"\r\n", "message/global-headers"),
        ("Subject: ё\r\n\r\nx\0\r\n".encode(), "message/global-headers"),
        ("Subject: ё\r\n\r\nx\n\r\n".encode(), "message/global-headers"),
        ("Subject: ё\0\r\n\r\nx\r\n".encode(), "text/rfc822-headers"),
    ],
)
def test_the_old_types_where_they_do(sender: Address, original: bytes, kind: str) -> None:
    """§4.4: the new ones are for what the old ones cannot say."""
    octets = report(sender, original=original)
    check(octets)

    assert parts(octets)[2][0] == kind


def test_a_message_that_was_not_announced() -> None:
    """What came without SMTPUTF8 is no message of RFC 6532, whatever is in its header."""
    assert parts(report(CAROL, smtputf8=False))[2][:2] == ("text/rfc822-headers", "quoted-printable")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("пётр", "пётр"),
        ("a\r\nb\u2028c\u202ed\ud800", r"a\x{0D}\x{0A}b\x{2028}c\x{202E}d\x{D800}"),
        ("x" * VALUE_LETTERS, "x" * VALUE_LETTERS),
        ("x" * (VALUE_LETTERS + 1), "x" * (VALUE_LETTERS - 3) + "..."),
        ("ё" * (VALUE_LETTERS // 2), "ё" * (VALUE_LETTERS // 2)),
        ("ё" * VALUE_LETTERS, "ё" * ((VALUE_LETTERS - 3) // 2) + "..."),
    ],
)
def test_a_line_of_other_letters(text: str, line: str) -> None:
    """What can be seen is shown, up to so many octets; no letter is cut in two."""
    assert wide_line(text, VALUE_LETTERS) == line
