"""A message as a program writes it becomes one that can be sent."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.sendmail.exit_codes import DATAERR, NOUSER, Ends
from mailsuite.sendmail.message import completed, ended, listed, named, pieces, qualified, split

ORIGIN = "mail.b.example"


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"a\n.\nb\n", b"a\n"),
        (b".\r\nb\n", b""),
        (b"a\n..\n.b\n .\nno end .", b"a\n..\n.b\n .\nno end ."),
    ],
)
def test_a_lone_dot_ends_it(content: bytes, kept: bytes) -> None:
    """Where -i does not say otherwise."""
    assert ended(content) == kept


@pytest.mark.parametrize(
    ("content", "header", "body"),
    [
        (b"To: a\n\nhi\n", b"To: a\r\n", b"hi\r\n"),
        (b"To: a\r\n\r\nhi\rthere\r\n", b"To: a\r\n", b"hi\r\nthere\r\n"),
        (b"hi\n", b"", b"hi\r\n"),
        (b" To: a\n\n", b"", b" To: a\r\n\r\n"),
        (b"\nTo: a\n", b"", b"To: a\r\n"),
        (b"To: a\nno field\n\nhi", b"To: a\r\n", b"no field\r\n\r\nhi\r\n"),
        (b"From me Thu Jan 1\nTo: a,\n b\n", b"To: a,\r\n b\r\n", b""),
        (b"To: a", b"To: a\r\n", b""),
        (b"", b"", b""),
    ],
)
def test_header_and_body(content: bytes, header: bytes, body: bytes) -> None:
    """The header section ends where a line is no field; every line ends in CR LF, progress bars' too."""
    assert split(content) == (header, body)


@given(st.binary(max_size=300) | st.text("a:é \n\r.", max_size=300).map(str.encode))
def test_every_line_can_be_sent(content: bytes) -> None:
    """Whatever comes: no CR or LF stands alone, and nothing else is lost of what was a body before."""
    header, body = split(content)

    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", header + body)
    assert body in (b"", split(b"\n" + body)[1])


def test_long_lines_are_broken() -> None:
    """At 998 octets, not within a character; a line of just that length stays whole."""
    whole, much = b"x" * 998, "é".encode() * 1200 + b"end"

    assert split(b"\n" + whole + b"\n")[1] == whole + b"\r\n"
    lines = split(b"\n" + b"x" + much + b"\n")[1].split(b"\r\n")
    assert all(len(line) <= 998 for line in lines)
    assert len(lines) == 4
    assert "".join(line.decode().removeprefix(" ") for line in lines) == "x" + much.decode()


class Counting(bytes):
    """Counts the octets that are copied out of it, and out of what was copied."""

    copied = 0

    def __getitem__(self, index: Any) -> Any:
        """Return what bytes have there."""
        found = super().__getitem__(index)
        if isinstance(found, int):
            return found
        Counting.copied += len(found)
        return Counting(found)


def test_a_line_of_any_length_is_copied_once() -> None:
    """A job that shows its progress in one line of many megabytes must not keep a processor busy for hours."""
    Counting.copied = 0

    assert sum(map(len, pieces(Counting(b"x" * 100_000)))) == Counting.copied == 100_000


def test_recipients_of_the_header() -> None:
    """To, Cc and Bcc, folded, in groups, with comments; the Resent fields where there are any."""
    header = b"To: Alice <alice@b.example>,\r\n bob (the one)\r\nCC: team: carol@b.example;\r\nBcc: d@b.example\r\n"

    assert named(header) == ["alice@b.example", "bob", "carol@b.example", "d@b.example"]
    assert named(header + b"Resent-To: e@b.example\r\n") == ["e@b.example"]
    assert named(b"To: undisclosed-recipients:;\r\nCc:\r\nBcc: a\r\n") == ["a"]
    assert named(b"Subject: to: nobody\r\n") == []
    with pytest.raises(Ends, match="the field To cannot be read") as caught:
        named(b"To: <<\r\n")
    assert caught.value.status == DATAERR


def test_recipients_of_the_command_line() -> None:
    """One in an argument, or several."""
    assert listed(["root", "a@b.example, Bob <b@b.example>"]) == ["root", "a@b.example", "b@b.example"]
    with pytest.raises(Ends) as caught:
        listed(["<,>"])
    assert caught.value.status == NOUSER


def test_names_get_a_domain() -> None:
    """A command cannot be smuggled into one."""
    assert qualified("root", ORIGIN) == "root@mail.b.example"
    assert qualified("a@b.example", ORIGIN) == "a@b.example"
    for text in ("", "a\r\nRCPT TO:<b", "a>", "a\tb"):
        with pytest.raises(Ends, match="this is no address"):
            qualified(text, ORIGIN)


def test_the_header_is_completed() -> None:
    """As cron writes it: names without a domain get one, all else stays octet for octet."""
    header = (
        b"From: root (Cron Daemon)\r\nTo: alice\r\nSubject: Cron <root@host> x, y\r\nReturn-Path: <x>\r\n"
        b"Cc: Bob <b@b.example>,\r\n\t c\r\nReply-To: \xc3\xa9\r\nX-To: alice\r\n"
    )

    assert completed(header, "root@mail.b.example", "root", ORIGIN) == (
        b"From: Cron Daemon <root@mail.b.example>\r\nTo: alice@mail.b.example\r\nSubject: Cron <root@host> x, y\r\n"
        b"Cc: Bob <b@b.example>,\r\n c@mail.b.example\r\nReply-To: \xc3\xa9\r\nX-To: alice\r\n"
    )
    assert completed(b"To: <<\r\n", "a@b.example", "A. Bee", ORIGIN) == (
        b'From: "A. Bee" <a@b.example>\r\nTo: <<\r\n'
    )


@pytest.mark.parametrize(
    ("full_name", "sender", "field"),
    [
        ("", "\u0438\u0432\u0430@b.example", "<\u0438\u0432\u0430@b.example>"),
        ("A. Bee", "\u0438\u0432\u0430@b.example", '"A. Bee" <\u0438\u0432\u0430@b.example>'),
        ("A\r\nBcc: c@b.example", "a@b.example", '"A  Bcc: c@b.example" <a@b.example>'),
    ],
)
def test_any_author(full_name: str, sender: str, field: str) -> None:
    """In any letters, and no name makes another field."""
    assert completed(b"", sender, full_name, ORIGIN).decode() == f"From: {field}\r\n"
