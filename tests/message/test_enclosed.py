"""What of a message all readers find in the same way (RFC 2046 §5.1.1, §5.2.1; lesson 14)."""

from email import message_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.message.downgrade import NESTING, PARTS
from mailsuite.message.enclosed import is_sound
from mailsuite.message.mime import parts
from tests.message.dsn import STRICT


def multipart(*inner: bytes, boundary: bytes = b"x", kind: bytes = b"mixed") -> bytes:
    """Return a multipart entity."""
    lines = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in inner)
    return b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\r\n\r\n" + lines + b"--x--\r\n"


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\r\n\r\nhello\r\n",
        b"Subject: x\r\n folded\r\n\t and more\r\n\r\n",
        b"Subject: x\r\n",
        b"\r\nhello\r\n",
        multipart(b"\r\nhello"),
        multipart(b"", b"\r\n", b"Content-Type: text/plain\r\n\r\nhello"),
        multipart(b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA"),
        multipart(b"\r\nSubject: in a digest\r\n\r\nhello", kind=b"digest"),
        multipart(b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nAction: failed\r\n"),
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nbefore\r\n--x \r\n\r\nhello\r\n--x--\t\r\nafter\r\n--x\r\n",
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nhello\r\n",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n",
        # RFC 6532 §3.7: encoded, it is like an image.
        multipart(b"Content-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nX: =3D\r\n"),
        # No reader needs to understand this to read on.
        b"Content-Type: rubbish\r\nContent-Transfer-Encoding: rubbish\r\n\r\nhello\r\n",
    ],
)
def test_sound(message: bytes) -> None:
    """Fields alone in every header section, all delimiters in every multipart."""
    assert is_sound(message)
    assert _has_no_defect(message)


@pytest.mark.parametrize(
    "message",
    [
        b"no field\r\n\r\nhello\r\n",
        b" folded from nothing\r\nSubject: x\r\n\r\nhello\r\n",
        b": no name\r\n\r\nhello\r\n",
        # RFC 5322 §4.5.8: obsolete, and no field to many.
        b"Subject : x\r\n\r\nhello\r\n",
        b"From alice Thu Jan  1 00:00:00 2026\r\nSubject: x\r\n\r\nhello\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nhello\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\nhello\r\n",
        b"Content-Type: multipart/mixed; boundary=x; boundary=y\r\n\r\n--x\r\n\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary*=us-ascii''x\r\n\r\n--x\r\n\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\nContent-Type: text/plain\r\n\r\n--x\r\n\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nhello\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n\r\nhello\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: base64\r\n\r\n--x\r\n\r\n--x--\r\n",
        multipart(b"no field\r\n\r\nhello"),
        multipart(b"no field"),
        multipart(multipart(b"\r\nhello", boundary=b"y")),
        multipart(b"\r\nno field\r\n\r\nhello", kind=b"digest"),
        b"Content-Type: message/rfc822\r\n\r\nno field\r\n\r\nhello\r\n",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==\r\n",
        b"Content-Type: message/partial\r\n\r\nno field\r\n",
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nno field\r\n",
        b"Content-Type: message/delivery-status\r\n\r\nContent-Type: multipart/mixed; boundary=x\r\n",
        b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n\r\nno field\r\n",
        b'Content-Type: multipart/mixed; boundary="' + b"x" * 71 + b'"\r\n\r\n--x\r\n\r\n--x--\r\n',
    ],
)
def test_not_sound(message: bytes) -> None:
    """Whatever two readers may take in two ways."""
    assert not is_sound(message)


def test_nesting_at_the_cap_and_one_past() -> None:
    """Parts within parts; what is nested deeper is not looked at."""
    enclosed = b"Content-Type: message/rfc822\r\n\r\n"

    assert is_sound(enclosed * (NESTING - 1) + b"Subject: x\r\n\r\nhello\r\n")
    assert not is_sound(enclosed * NESTING + b"Subject: x\r\n\r\nhello\r\n")


def test_parts_at_the_cap_and_one_past() -> None:
    """The message itself is one of them."""
    assert is_sound(multipart(*[b"\r\nhello"] * (PARTS - 1)))
    assert not is_sound(multipart(*[b"\r\nhello"] * PARTS))


def test_parts() -> None:
    """Between the delimiters, without the line ends that are theirs; white space behind a delimiter is none of it."""
    body = b"preamble\r\n--x \r\none\r\n--x\t\r\n\r\ntwo\r\n\r\n--xy\r\n--x\r\n\r\n--x--\r\nepilogue"

    assert parts(body, b"x") == [b"one", b"\r\ntwo\r\n\r\n--xy", b""]
    assert parts(b"--x\r\none\r\n--x--", b"x") == [b"one"]
    assert parts(b"--x\r\none", b"x") == []
    assert parts(b"", b"x") == []


LINES = st.sampled_from(
    [
        b"",
        b"Subject: x",
        b" folded",
        b"no field",
        b"Content-Type: multipart/mixed; boundary=x",
        b'Content-Type: multipart/digest; boundary="y"',
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Transfer-Encoding: 8bit",
        b"--x",
        b"--x--",
        b"--y",
        b"--y--",
        b"--y --",
    ]
)


@settings(max_examples=500)
@given(st.lists(LINES, max_size=25))
def test_another_reader_agrees(lines: list[bytes]) -> None:
    """What is sound has no defect for Python's strict policy either."""
    message = b"".join(line + b"\r\n" for line in lines)

    assert not is_sound(message) or _has_no_defect(message)


def _has_no_defect(message: bytes) -> bool:
    read = message_from_bytes(message, policy=STRICT)
    return not any(part.defects for part in read.walk())
