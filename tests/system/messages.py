"""Messages that are hard to carry unchanged, and how to tell whether they were."""

import random
import re
from email.utils import formatdate

# A field with its folded lines.
_FIELD = re.compile(rb"([!-9;-~]+):[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")
_TRACE = (b"return-path", b"received")
# Of other servers, too.
_PUT_BEFORE = (*_TRACE, b"delivered-to", b"x-original-to")


def message(sender: str, body: bytes, subject: str = "Hello", to: str = "someone@example.test") -> bytes:
    """Return a whole message, with all fields that a submission server would add."""
    subject_id = re.sub(r"\W", "", subject)
    number = random.randrange(1 << 60)
    head = (
        f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {formatdate()}\r\n"
        f"Message-ID: <{subject_id}.{number}@client.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return head.encode() + body


def samples(sender: str) -> list[bytes]:
    """Return the messages that every client must carry; all end in CRLF, as DATA does."""
    attachment = random.Random(5).randbytes(5 * 1024 * 1024 * 3 // 4).hex().upper().encode()[: 5 * 1024 * 1024]
    lines = b"\r\n".join(attachment[at : at + 76] for at in range(0, len(attachment), 76)) + b"\r\n"
    bodies = {
        "plain": b"Hello Bob,\r\n\r\nhow are you?\r\n",
        "eight bits": "Grüße aus Köln, 日本語\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
        "dots": b".\r\n..\r\n...\r\n.hidden\r\nmiddle . dot\r\n.\r\n.\r\nend.\r\n",
        "long lines": b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n",
        "empty": b"",
        "empty lines": b"\r\n\r\n\r\n",
        "white space": b" \r\n\t\r\nFrom here on\r\n>From there\r\ntrailing blanks  \t\r\n",
        "attachment": lines,
    }
    return [message(sender, body, name) for name, body in bodies.items()]


def without_trace(received: bytes) -> bytes:
    """Return the message as it was sent: without the Return-Path and the one Received that delivery put before it."""
    rest = received
    for name in _TRACE:
        field = _FIELD.match(rest)
        assert field is not None, rest[:300]
        assert field[1].lower() == name, rest[:300]
        rest = rest[field.end() :]
    return rest


def parted(received: bytes) -> tuple[list[str], bytes]:
    """Return the Received fields that were put before a message, unfolded, the last hop first, and what was sent."""
    rest, found = received, []
    while (field := _FIELD.match(rest)) is not None and field[1].lower() in _PUT_BEFORE:
        if field[1].lower() == b"received":
            found.append(" ".join(field[0].decode().split()))
        rest = rest[field.end() :]
    return found, rest


def subject_of(whole: bytes) -> str:
    """Return the Subject of a message."""
    found = re.search(rb"^Subject: ([^\r\n]*)", whole, re.MULTILINE)
    return found[1].decode() if found else "none"


def same(got: list[bytes], sent: list[bytes]) -> None:
    """Fail unless *got* are *sent*, each octet; says where they differ in a readable way."""
    got, sent = sorted(got, key=subject_of), sorted(sent, key=subject_of)
    assert [subject_of(each) for each in got] == [subject_of(each) for each in sent]
    for one, other in zip(got, sent, strict=True):
        if one != other:
            pairs = enumerate(zip(one, other, strict=False))
            at = next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
            around = slice(max(0, at - 40), at + 40)
            raise AssertionError(
                f"{subject_of(other)!r} differs at octet {at} of {len(other)}:"
                f" got {one[around]!r}, sent {other[around]!r}"
            )
