"""Binary messages made lines (RFC 3030 §3): nothing is lost, no CR or LF stands alone, what is sealed is refused."""

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.message.downgrade import CannotConvert, to_text
from mailsuite.message.mime import is_eight_bit, is_seven_bit
from tests.message.test_downgrade import HEAD, encodings, leaves, multipart

BINARY = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
EIGHT_BIT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
ODD = b"\0\n.\n\xff\r\r\n.\r\n"
BOTH = pytest.mark.parametrize("eight_bit", [True, False])


def refusal(content: bytes, eight_bit: bool) -> str:
    """Return why *content* is not converted."""
    with pytest.raises(CannotConvert) as caught:
        to_text(content, eight_bit)
    return caught.value.reason


@BOTH
def test_a_binary_leaf(eight_bit: bool) -> None:
    """RFC 2045 §6.8: by base64, from which every octet comes back."""
    converted = to_text(HEAD + BINARY + ODD, eight_bit)

    assert is_seven_bit(converted)
    assert encodings(converted) == ["base64"]
    assert leaves(converted) == [("application/octet-stream", ODD)]


@BOTH
def test_a_binary_text(eight_bit: bool) -> None:
    """A text with bare line ends is encoded so that people can read the rest of it."""
    text = b"first\nsecond\rthird\r\n"
    head = HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    converted = to_text(head + text, eight_bit)

    assert encodings(converted) == ["quoted-printable"]
    assert leaves(converted) == [("text/plain", text)]


@pytest.mark.parametrize(("eight_bit", "first"), [(True, "8bit"), (False, "quoted-printable")])
def test_parts_are_converted_one_by_one(eight_bit: bool, first: str) -> None:
    """What the next host takes as it is stays as it is, and no part says that it is binary."""
    content = HEAD + multipart(
        EIGHT_BIT + "Grüße\r\n".encode(), BINARY + ODD, more=b"Content-Transfer-Encoding: binary\r\n"
    )
    converted = to_text(content, eight_bit)

    assert (is_eight_bit if eight_bit else is_seven_bit)(converted)
    assert encodings(converted) == ["8bit" if eight_bit else "7bit", first, "base64"]
    assert [octets for _, octets in leaves(converted)] == ["Grüße\r\n".encode(), ODD]


@BOTH
@pytest.mark.parametrize("body", [b"only text\r\n", b"", b"no line end"])
def test_what_says_binary_and_is_not(eight_bit: bool, body: bytes) -> None:
    """RFC 3030 §3: the message that results is valid 7-bit or 8-bit MIME, by its names too."""
    converted = to_text(HEAD + BINARY + body, eight_bit)

    assert encodings(converted) == ["7bit"]
    assert converted.endswith(b"\r\n\r\n" + body)


def test_eight_bit_lines_that_say_binary() -> None:
    """They are called what they are, where they may go as they are."""
    text = HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\n" + "Grüße\r\n".encode()

    assert to_text(text, True) == text.replace(b"binary", b"8bit")
    assert encodings(to_text(text, False)) == ["quoted-printable"]


@BOTH
def test_what_was_only_declared_binary(eight_bit: bool) -> None:
    """Lines stay as they are, whatever their structure."""
    for content in (HEAD + b"\r\nlines\r\n", b"no header", b"Content-Type: multipart/mixed\r\n\r\nx\r\n", b""):
        assert to_text(content, eight_bit) is content


def test_long_lines_are_encoded() -> None:
    """RFC 2045 §2.8: a line of 998 octets can go as it is, one of 999 cannot."""
    for octets, encoding in ((998, "none"), (999, "quoted-printable")):
        content = HEAD + b"Content-Type: text/plain\r\n\r\n" + b"x" * octets + b"\r\n"
        assert encodings(to_text(content, True)) == [encoding]


@BOTH
@pytest.mark.parametrize("minor", [b"signed", b"encrypted"])
def test_what_is_sealed_is_not_touched(eight_bit: bool, minor: bytes) -> None:
    """RFC 1847 §2.1: its octets are covered; if they are no lines the sender has to be told."""
    sound = HEAD + multipart(BINARY + b"lines\r\n", minor=minor)

    reason = refusal(HEAD + multipart(BINARY + ODD, minor=minor), eight_bit)
    assert reason.endswith(f" in multipart/{minor.decode()}, 7bit")
    assert to_text(sound, eight_bit) == sound


@BOTH
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEAD + b"X: a\nb\r\n\r\n" + ODD, "in a header field"),
        (HEAD + multipart(b"X: a\nb\r\n" + BINARY + ODD), "in a header field"),
        (HEAD + multipart(BINARY + b"x\r\n") + b"\nafter\r\n", "around the parts of a multipart"),
        (HEAD + b"Content-Type: message/partial\r\n\r\na\nb\r\n", "in message/partial"),
        (HEAD + b"Content-Transfer-Encoding: base64\r\n\r\nAA\nAA\r\n", "in a part without a type, base64"),
    ],
)
def test_what_cannot_be_encoded(content: bytes, reason: str, eight_bit: bool) -> None:
    """Where no encoding may stand, and octets that are no lines do."""
    assert refusal(content, eight_bit).endswith(reason)


@BOTH
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_nothing_is_lost(eight_bit: bool, bodies: list[bytes]) -> None:
    """Whatever the octets of the parts are, they come back, and what is sent is lines."""
    # Parts are told apart by what cannot be in them.
    boundary = b"=_" + b"x" * 40
    content = HEAD + multipart(*(BINARY + body for body in bodies), boundary=b'"%s"' % boundary).replace(
        b'--"%s"' % boundary, b"--" + boundary
    )
    converted = to_text(content, eight_bit)

    assert (is_eight_bit if eight_bit else is_seven_bit)(converted)
    assert not any(part["Content-Transfer-Encoding"] == "binary" for part in message_from_bytes(converted).walk())
    assert [octets for _, octets in leaves(converted)] == bodies
