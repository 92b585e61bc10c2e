"""What a submission server changes (RFC 6409 §8), and whom it says a message is from (lesson 9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.message.submission import FROM_ADDRESSES, FROM_OCTETS, ODD_OCTETS, authors, complete, repeated

NOW = 1_767_225_600.0
ID = "k7f-1.1767225600@mail.example.org"
DATE_LINE = b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
ID_LINE = b"Message-ID: <k7f-1.1767225600@mail.example.org>\r\n"
ALICE = Address("alice", "a.example")
BOB = Address("bob", "b.example")
WHOLE = b"Date: x\r\nMessage-Id: <y@z> (odd)\r\n"


class TestComplete:
    """Date and Message-ID added, blind recipients removed."""

    def test_a_complete_header_is_not_touched(self) -> None:
        """What is there stays as it is, octet for octet."""
        header = WHOLE + b"Subject: \xff\r\n\tfolded \r\nBcC-Like: a\r\n"

        assert complete(header, NOW, ID) == header

    def test_what_is_missing_is_put_before(self) -> None:
        """RFC 6409 §8.2, §8.3; RFC 5322 §3.6: Date and Message-ID, each only where there is none."""
        assert complete(b"Subject: x\r\n", NOW, ID) == DATE_LINE + ID_LINE + b"Subject: x\r\n"
        assert complete(b"DATE: x\r\n", NOW, ID) == ID_LINE + b"DATE: x\r\n"
        assert complete(b"Message-ID: <y@z>\r\n", NOW, ID) == DATE_LINE + b"Message-ID: <y@z>\r\n"
        assert complete(b"", NOW, ID) == DATE_LINE + ID_LINE

    @pytest.mark.parametrize("body", [b" <y@z>", b' <"a b"@z>', b" (odd)\r\n <y.1@[192.0.2.1]>", b'<"a\\"b"@z>'])
    def test_what_is_a_message_id(self, body: bytes) -> None:
        """RFC 5322 §3.6.4, §4.5.4: it stays."""
        header = b"Date: x\r\nMessage-ID:" + body + b"\r\n"

        assert complete(header, NOW, ID) == header

    @pytest.mark.parametrize("body", [b"<" + b"@" * 200_000, b"<a@" * 60_000, b'<"' * 90_000, b'<"\\"' * 60_000])
    def test_a_message_id_without_end_is_read_once(self, body: bytes) -> None:
        """Whoever looked for its end from each of its letters would take minutes."""
        assert complete(b"Date: x\r\nMessage-ID: " + body + b"\r\n", NOW, ID) == ID_LINE + b"Date: x\r\n"

    @pytest.mark.parametrize("body", [b"", b" ", b" <y>", b" y@z", b" <a b@c>", b" <@z>", b"\r\n <y>"])
    def test_what_is_no_message_id(self, body: bytes) -> None:
        """RFC 6409 §8.3: a good one takes its place."""
        header = b"Date: x\r\nMessage-ID:" + body + b"\r\nTo: x\r\n"

        assert complete(header, NOW, ID) == ID_LINE + b"Date: x\r\nTo: x\r\n"

    @pytest.mark.parametrize(
        ("header", "added"),
        [
            (b"", b"From: alice@a.example\r\n"),
            (b"Sender: x@y.example\r\n", b"From: alice@a.example\r\n"),
            (b"From: x@y.example\r\n", b""),
            (b'From: "x, y" <x@y.example>\r\n', b""),
            (b"From: x@y.example,\r\n y@y.example\r\n", b"Sender: alice@a.example\r\n"),
            (b"From: x@y.example (X), y@y.example (Y)\r\n", b"Sender: alice@a.example\r\n"),
            (b"From: us: x@y.example, y@y.example;\r\n", b"Sender: alice@a.example\r\n"),
            (b"From: x@y.example, y@y.example\r\nSender: x@y.example\r\n", b""),
        ],
    )
    def test_who_has_sent_it(self, header: bytes, added: bytes) -> None:
        """RFC 5322 §3.6.2: From is there, and Sender where From names several."""
        assert complete(WHOLE + header, NOW, ID, ALICE) == added + WHOLE + header
        assert complete(WHOLE + header, NOW, ID) == WHOLE + header

    @pytest.mark.parametrize("rest", [b"hello\r\n", b"Not a field\r\nTo: x\r\n", b": x\r\n", b"To\r\n"])
    def test_the_first_line_that_is_no_field_is_the_body(self, rest: bytes) -> None:
        """As other servers have it; a blind recipient there is shown to nobody all the same."""
        assert complete(WHOLE + rest, NOW, ID) == WHOLE + b"\r\n" + rest
        assert complete(rest, NOW, ID) == DATE_LINE + ID_LINE + b"\r\n" + rest
        assert complete(WHOLE + rest + b"Bcc: a@b\r\n", NOW, ID) == WHOLE + b"\r\n" + rest

    @pytest.mark.parametrize("line", [b"From a@b Thu Jan  1 00:00:00 2026\r\n", b">From a@b\r\n"])
    def test_the_first_line_of_an_mbox(self, line: bytes) -> None:
        """It is no part of the message, at its beginning alone."""
        assert complete(line + WHOLE, NOW, ID) == WHOLE
        assert complete(WHOLE + line, NOW, ID) == WHOLE + b"\r\n" + line

    @pytest.mark.parametrize(
        "field",
        [
            b"Bcc: a@b\r\n",
            b"bcc:\r\n a@b,\r\n\tc@d\r\n",
            b"BCC : a@b\r\n",
            b"Bcc:\r\n",
            b"Resent-Bcc: a@b\r\n",
            b"Bcc: a@b\r\n \r\n c@d\r\n",
        ],
    )
    def test_blind_recipients_are_removed(self, field: bytes) -> None:
        """RFC 5322 §3.6.3: with all their folded lines, wherever they stand, however often."""
        assert complete(field + WHOLE + field + b"To: x\r\n" + field, NOW, ID) == WHOLE + b"To: x\r\n"

    def test_a_bcc_in_another_field_stays(self) -> None:
        """Text that looks like the field, folded into another one, is that one's."""
        header = WHOLE + b"Subject: a\r\n Bcc: b\r\n"

        assert complete(header, NOW, ID) == header



@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"", ""),
        (WHOLE, ""),
        (WHOLE + b"Received: a\r\nReceived: b\r\nBcc: a\r\nBcc: b\r\nX: 1\r\nX: 2\r\n", ""),
        (WHOLE + b"DATE: y\r\n", "Date"),
        (b"From: a\r\nTo: b\r\nfrom : c\r\n", "From"),
        (b"Subject: a\r\nX: y\r\nSubject:\r\n b\r\n", "Subject"),
        (b"Subject: a\r\nno field\r\nSubject: b\r\n", ""),
    ],
)
def test_what_may_stand_once(header: bytes, name: str) -> None:
    """RFC 5322 §3.6: what stands there twice is named."""
    assert repeated(header) == name


class TestAuthors:
    """The addresses of From."""

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            (b"alice@a.example", [ALICE]),
            (b"Alice <alice@a.example>", [ALICE]),
            (b'"bob@b.example" <alice@a.example>', [ALICE]),
            (b"=?utf-8?q?bob=40b=2Eexample=2C?= <alice@a.example>", [ALICE]),
            (b"alice@a.example (bob@b.example)", [ALICE]),
            (b"alice@a.example, Bob <bob@b.example>", [ALICE, BOB]),
            (b"us: alice@a.example, bob@b.example;", [ALICE, BOB]),
            (b"Alice\r\n <alice@a.example>,\r\n\tbob@b.example", [ALICE, BOB]),
            (b'"a b"@a.example', [Address("a b", "a.example")]),
            (b"J\xc3\xb6rg <j\xc3\xb6rg@a.example>", [Address("j\u00f6rg", "a.example")]),
        ],
    )
    def test_readable(self, body: bytes, found: list[Address]) -> None:
        """Display names and comments are not addresses; groups and lists are all their members."""
        assert authors(b"Subject: x\r\nFrom: " + body + b"\r\n") == found

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b",",
            b"alice",
            b"<>",
            b"us:;",
            b"alice@a.example bob@b.example",
            b"alice@a.example <bob@b.example>",
            b"<alice@a.example> <bob@b.example>",
            b"<alice@a.example> bob@b.example",
            b"<alice@a.example>; bob@b.example",
            b"alice@a.example@b.example",
            b"=?utf-8?q?alice?=@a.example",
            b"<=?utf-8?q?alice?=@a.example>",
            b"<alice@a.example",
            b"alice@",
            b"@a.example",
            b"alice@[",
            b'"',
            b"<",
            b"\\=?utf-8?q?a?=@",
            b"(]]):..b.c\x1f]=?",
            b"al\0ice@a.example",
            b"alice@a.example\x7f",
            b"\xff@a.example",
            b"(" * 5000 + b"alice@a.example",
        ],
    )
    def test_unreadable(self, body: bytes) -> None:
        """What programs would read in different ways, or our own reader stumbles over, is nobody's."""
        assert authors(b"From: " + body + b"\r\n") is None

    def test_all_from_fields_count(self) -> None:
        """A second From field is no way around the check."""
        header = b"From: alice@a.example\r\nX: y\r\nFROM : bob@b.example\r\n"

        assert authors(header) == [ALICE, BOB]
        assert authors(header + b"From: what?\r\n") is None

    def test_no_from_field(self) -> None:
        """Sender is judged in its place: what mail programs would show; with neither there is nothing to judge."""
        assert authors(b"Sender: alice@a.example\r\n") == [ALICE]
        assert authors(b"Sender: what?\r\n") is None
        assert authors(b"Sender: bob@b.example\r\nFrom: alice@a.example\r\n") == [ALICE]
        assert authors(b"Subject: x\r\n") == []

    def test_lesson_13_number_of_addresses(self) -> None:
        """At the cap they are read, one more is unreadable; together, however many fields there are."""
        assert authors(b"From: " + b", ".join([b"a@b.example"] * FROM_ADDRESSES) + b"\r\n") is not None
        assert authors(b"From: " + b", ".join([b"a@b.example"] * (FROM_ADDRESSES + 1)) + b"\r\n") is None
        assert authors(b"From: a@b.example\r\n" * (FROM_ADDRESSES + 1)) is None

    def test_lesson_13_octets_of_the_fields(self) -> None:
        """A field at the cap is read, a longer one is not even looked at."""
        fits = b" " + b"x" * (FROM_OCTETS - 14) + b" <a@b.example>"[1:]

        assert len(fits) == FROM_OCTETS
        assert authors(b"From:" + fits + b"\r\n") == [Address("a", "b.example")]
        assert authors(b"From:" + b"x" + fits + b"\r\n") is None

    def test_octets_of_odd_fields(self) -> None:
        """What only the library can read is bounded more narrowly, whatever many fields it stands in."""
        fits = b" a@b.example (" + b"x" * (ODD_OCTETS - 15) + b")"

        assert len(fits) == ODD_OCTETS
        assert authors(b"From:" + fits + b"\r\n") == [Address("a", "b.example")]
        assert authors(b"From:" + b" " + fits + b"\r\n") is None
        assert authors(b"From: us:a@b.example;\r\nFrom:" + fits + b"\r\n") is None
        assert authors(b"From: a@b.example\r\nFrom:" + fits + b"\r\n") is not None

    @given(
        st.lists(
            st.sampled_from(
                [*'a@<>()"\\,;:. []\0\t\x0c\x1f\x85\u2028', "=?utf-8?q?a?=", "b.c", "?=", "=?", "\r\n ", "\udcff"]
            ),
            max_size=14,
        )
    )
    def test_whatever_it_is_it_is_read_or_not(self, parts: list[str]) -> None:
        """No field, however it is made, gets an exception out of the reader."""
        found = authors(b"From: " + "".join(parts).encode("utf-8", "surrogateescape") + b"\r\n")

        assert found is None or all(address.domain and str(address).isprintable() for address in found)
