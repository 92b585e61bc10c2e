"""Surrogates of messages in UTF-8: in ASCII where it counts, of the same length, and all that can be read is there."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.message.ascii_header import SHOWN_OCTETS, in_ascii
from mailsuite.message.downgrade import NESTING, PARTS
from mailsuite.message.headers import HEADER_OCTETS, header_end
from mailsuite.message.internationalized import is_internationalized
from mailsuite.message.surrogate import LOOKED_OCTETS, Surrogate

RECEIVED = "Received: from a.example by b.example with ESMTPS id 4f2; Mon, 1 Jan 2024 00:00:00 +0000\n" * 3
NO_ADDRESS = "invalid@internationalized-address.invalid"


def octets(text: str) -> bytes:
    """Return *text* as it goes over the wire."""
    return text.replace("\n", "\r\n").encode()


def surrogate(message: bytes, piece: int = 65_536) -> bytes:
    """Return the surrogate of *message*, given *piece* octets at a time."""
    made = Surrogate()
    found = b"".join(made.take(message[start : start + piece]) for start in range(0, len(message), piece))
    return found + made.end()


def converted(header: str) -> bytes:
    """Return a header section in ASCII, which it must be, and of its own length."""
    before = octets(header)
    after = in_ascii(before)
    assert after.isascii()
    assert len(after) == len(before)
    assert after.endswith(b"\r\n")
    return after


def read(header: bytes) -> email.message.EmailMessage:
    """Read a header section as mail programs do."""
    return email.message_from_bytes(header + b"\r\n", policy=email.policy.default)


class TestHeader:
    """RFC 6858 §2, field by field."""

    def test_subject(self) -> None:
        """It says the same in encoded words, long ones too."""
        for subject in ("Grüße", "длинный текст, " * 9 + "конец", "😀" * 40, "=?x?= ü"):
            assert read(converted(f"{RECEIVED * 5}Subject: {subject}\n"))["subject"] == subject

    def test_names(self) -> None:
        """A name that is not ASCII is encoded; the address stays one that can be answered."""
        header = read(converted(RECEIVED + 'From: "Müller, \\"Jo\\"" <jo@example.org>, ok@example.com\n'))
        first, second = header["from"].addresses

        assert (first.display_name, first.addr_spec) == ('Müller, "Jo"', "jo@example.org")
        assert second.addr_spec == "ok@example.com"

    def test_addresses(self) -> None:
        """An address that is not ASCII can be read, and not answered (RFC 6858 §2.1)."""
        header = read(converted(RECEIVED + "To: jürgen@grüße.example, Jo <jo@grüße.example>\n"))

        assert [(each.display_name, each.addr_spec) for each in header["to"].addresses] == [
            ("jürgen@grüße.example", NO_ADDRESS),
            ("Jo <jo@grüße.example>", NO_ADDRESS),
        ]

    def test_comments_and_groups(self) -> None:
        """A name in a comment, and the name of a group."""
        header = converted(RECEIVED + "To: Gäste: a@example.org (Jürgen), b@example.org;\n")

        assert header.count(b"=?utf-8?B?R8Okc3Rl?=:") == 1
        assert b"=?utf-8?B?SsO8cmdlbg==?=\r\n <a@example.org>, b@example.org;" in header

    def test_parameters(self) -> None:
        """A parameter that is not ASCII is left out, the type stays (RFC 6858 §2.2)."""
        header = converted('Content-Type: text/plain; name="grüße; \\" x.txt";\n charset=utf-8\n')

        assert header.startswith(b"Content-Type: text/plain;\r\n charset=utf-8\r\nComments: ---")

    def test_type_that_is_not_ascii(self) -> None:
        """Of such a field nothing is left."""
        assert converted("Content-Type: tëxt/plain; charset=utf-8\nA: b\n").startswith(b"A: b\r\nComments: -")

    def test_other_fields(self) -> None:
        """They are left out (RFC 6858 §2.4), and the reader is told."""
        header = converted("A: b\nX-Note: " + "grüße " * 20 + "\n")

        assert header.startswith(b"A: b\r\nComments: Some letters of this message are not shown")
        assert max(map(len, header.split(b"\r\n"))) <= 91

    def test_room_is_made(self) -> None:
        """Signatures go first, then what programs say of themselves, then the way; never more than it takes."""
        fields = "DKIM-Signature: v=1\nX-Mailer: frob 1\nReceived: a\n"
        long = RECEIVED + fields.replace("v=1", "v=1; b=" + "x" * 80)

        assert b"DKIM" not in (some := converted(long + "Subject: äöü\n"))
        assert b"X-Mailer" in some and some.count(b"Received") == 4
        more = converted(RECEIVED + fields + "Subject: " + "ä" * 20 + "\n")
        assert b"X-Mailer" not in more and more.count(b"Received") == 4
        assert converted(RECEIVED + "Subject: " + "ä" * 40 + "\n").count(b"Received") == 2

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("Subject: ü\n", b"Subject: ? \r\n"),
            ("Subject: öäü\n", b"Subject: ???   \r\n"),
            ("From: ü@ö\n", b"From:?:;   \r\n"),
            ("From: ü <a@b>\nTo: x\n", b"From: ? <a@b>\r\nTo: x \r\n"),
            ("To: a,\n ö@ä\n", b"To: a,\r\n ?:;  \r\n"),
            ("A:ü\n", b"X:  \r\n"),
            ("ü\n", b"X:\r\n"),
        ],
    )
    def test_no_room_at_all(self, header: str, expected: bytes) -> None:
        """Then letters are question marks, and an address is nobody's."""
        assert converted(header) == expected

    def test_only_as_much_as_needs_be(self) -> None:
        """The subject is the last that suffers."""
        header = converted("Subject: Hallo Jürgen\nTo: jürgen@example.org, dürr@example.org, dörr@example.org\n")

        assert read(header)["subject"] == "Hallo Jürgen"
        assert b"To:?:;,?:;,?:;" in header

    @pytest.mark.parametrize(("more", "shown"), [(0, True), (1, False)])
    def test_long_header_sections(self, more: int, shown: bool) -> None:
        """At the limit all is encoded as ever; one octet past it, letters are question marks."""
        rest = "Subject: Grüße\nX-a: "
        header = converted(rest + "x" * (SHOWN_OCTETS - len(octets(rest)) - 2 + more) + "\n")

        assert header.startswith(b"Subject: =?utf-8?B?R3LDvMOfZQ==?=" if shown else b"Subject: Gr??e\r\nX-a: x")

    def test_long_header_section_that_is_no_utf8(self) -> None:
        """What is none stays, as in a short one; the other letters are question marks."""
        header = b"X: \xff" + b"x" * SHOWN_OCTETS + b"\r\n"

        assert in_ascii(header) == header
        assert in_ascii(octets("Y: ü\n") + header) == b"Y: ?\r\n" + header[:-2] + b" \r\n"

    @pytest.mark.parametrize(
        "text",
        ['To: "ü' + '\\"ü' * 4000, "To: " + "(\\(ü" * 3000, "To: " + "<ü" * 5000, "Content-Type: a/b" + ';"ü' * 3000],
    )
    def test_what_has_no_end(self, text: str) -> None:
        """It is read once, and not once for each of its octets."""
        assert len(text.encode()) < SHOWN_OCTETS
        converted(text + "\n")

    @pytest.mark.parametrize("text", ["ü", " :ü", " a@b.example,ü", " a@b.example,\n ü", "\n ü", " ü;ü"])
    def test_letters_that_leave_no_room(self, text: str) -> None:
        """Not even a group that is empty is as short as a letter is."""
        converted(f"From:{text}\n")

    @pytest.mark.parametrize("rank", ["From", "To", "List-Id"])
    def test_a_field_in_another_charset(self, rank: str) -> None:
        """It stays; those in UTF-8 are converted all the same."""
        stray = f"{rank}: ".encode() + b"gr\xfc\xdfe\r\n"
        header = octets(f"Subject: Grüße {'ü' * 30}\n") + stray
        made = in_ascii(header)

        assert made.startswith(b"Subject: ")
        assert stray in made
        assert made.replace(stray, b"").isascii()
        assert len(made) == len(header)

    @pytest.mark.parametrize("header", [b"Subject: plain\r\n", b"", b"Subject: gr\xfc\xdfe\r\n"])
    def test_what_stays(self, header: bytes) -> None:
        """ASCII, and what is in no UTF-8: that is nothing of RFC 6532."""
        assert in_ascii(header) == header

    @given(st.lists(st.sampled_from(["From", "To", "Subject", "X-a", "Content-Type", "Received", "DKIM-Signature"])),
           st.data())
    def test_any_header(self, names: list[str], data: st.DataObject) -> None:
        """Whatever stands in it: ASCII, as long as before, and fields all through."""
        text = st.text(st.sampled_from('aü😀 "\\()<>,;:@.\t=?'), max_size=40)
        header = "".join(f"{name}: {data.draw(text)}\n" for name in names)
        if header and not header.isascii():
            converted(header)


class TestMessage:
    """Parts within parts."""

    WHOLE = octets(
        RECEIVED
        + """\
Subject: Grüße an alle
Content-Type: multipart/mixed; boundary="b"

preamble ü
--b
Content-Type: text/plain; charset=utf-8; name="grüße.txt"
Content-Description: ü

body ü --b
--bx
--b \t
Content-Type: multipart/digest; boundary=b+

--b+

Subject: one ü

body ü
--b+
Content-Type: message/rfc822

Subject: two ü

body ü
--b+--
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="ü"

AAAA
--b--
epilogue ü
--b
X: ü

"""
    )

    def test_every_header_section_and_nothing_else(self) -> None:
        """The message's own, its parts' and those of enclosed messages; never a body, before or behind the parts."""
        made = surrogate(self.WHOLE)

        assert len(made) == len(self.WHOLE)
        assert is_internationalized(self.WHOLE)
        assert not is_internationalized(made)
        assert [line for line in made.decode().split("\r\n") if not line.isascii()] == [
            "preamble ü", "body ü --b", "body ü", "body ü", "epilogue ü", "X: ü",
        ]

    def test_what_is_in_it_can_be_read(self) -> None:
        """A mail program finds the same parts."""
        before, after = (
            email.message_from_bytes(each, policy=email.policy.default) for each in (self.WHOLE, surrogate(self.WHOLE))
        )

        assert after["subject"] == "Grüße an alle"
        types = [[each.get_content_type() for each in message.walk()] for message in (before, after)]
        assert types[0] == types[1]

    @pytest.mark.parametrize("piece", [*range(1, 80), 500])
    def test_any_piece(self, piece: int) -> None:
        """However it is cut, the same comes out."""
        assert surrogate(self.WHOLE, piece) == surrogate(self.WHOLE)

    @pytest.mark.parametrize(
        "message",
        [
            "",
            "\n",
            "\nü",
            "Subject: x\n\nü",
            "Content-Type: multipart/mixed\n\n--b\nA: ü\n\n",
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\nA: ü\n\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nA: ü\n--b--\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nA: ü",
            "Content-Type: text/plain\n\n--b\nA: ü\n\n",
            "Subject: ü",
        ],
    )
    def test_what_is_left_alone(self, message: str) -> None:
        """Bodies, and what has no clear structure."""
        assert surrogate(octets(message)) == octets(message)

    def test_nothing_but_a_header(self) -> None:
        """RFC 5322 §3.5: a message may have no body."""
        assert surrogate(octets("Subject: ü\n")) == b"Subject: ? \r\n"

    @pytest.mark.parametrize("piece", [1 << 14, 1 << 20, HEADER_OCTETS, HEADER_OCTETS + 1, HEADER_OCTETS + 2])
    @pytest.mark.parametrize(("more", "mark"), [(0, b"?"), (1, b"??")])
    def test_header_at_the_limit(self, more: int, mark: bytes, piece: int) -> None:
        """Of a header section past it each octet that is not ASCII is a question mark, however it comes."""
        start = octets("Subject: ü\nA: ")
        header = start + b"x" * (HEADER_OCTETS - len(start) - 2 + more) + b"\r\n"
        body = octets("\nKörper\n\nüber\n")
        made = surrogate(header + body, piece)

        assert made.startswith(b"Subject: " + mark + b"\r\n")
        assert made[:-len(body)].isascii()
        assert made.endswith(body)
        assert len(made) == len(header + body)

    def test_a_long_header_is_not_held(self) -> None:
        """What is past the limit is passed on at once, to its last octets; without an end too."""
        made = Surrogate()
        first = made.take(b"A: " + b"\xfc" * HEADER_OCTETS)

        assert len(first) == HEADER_OCTETS
        assert first + made.take(b"\xfc\xfc") + made.end() == b"A: " + b"?" * (HEADER_OCTETS + 2)

    @pytest.mark.parametrize(("depth", "changed"), [(NESTING, True), (NESTING + 1, False)])
    def test_nesting_at_the_limit(self, depth: int, changed: bool) -> None:
        """What lies deeper is left alone."""
        open_ = "".join(f"Content-Type: multipart/mixed; boundary=b{each}\n\n--b{each}\n" for each in range(depth))
        message = octets(f"{open_}Subject: ü\n\n")

        assert surrogate(message).isascii() is changed

    @pytest.mark.parametrize(("parts", "changed"), [(PARTS - 3, True), (PARTS - 2, False)])
    def test_parts_at_the_limit(self, parts: int, changed: bool) -> None:
        """What comes behind so many is left alone."""
        head = octets("Content-Type: multipart/mixed; boundary=b\n\n")
        message = head + octets("--b\n\n") * (parts + 1) + octets("--b\nSubject: ü\n\n")

        assert surrogate(message).isascii() is changed

    @pytest.mark.parametrize(("parts", "changed"), [(PARTS - 3, True), (PARTS - 2, False)])
    def test_parts_without_an_end_of_their_header_section_count(self, parts: int, changed: bool) -> None:
        """Each of them is looked at."""
        head = octets("Content-Type: multipart/mixed; boundary=b\n\n")
        message = head + octets("--b\nX: y\n") * (parts + 1) + octets("--b\nSubject: ü\n\n")

        assert surrogate(message).isascii() is changed

    @given(st.binary(max_size=400) | st.text(max_size=200).map(octets), st.integers(1, 100))
    def test_anything(self, message: bytes, piece: int) -> None:
        """As many octets come out; what is clear to read has no header section in UTF-8."""
        made = surrogate(message, piece)

        assert len(made) == len(message)
        assert made == surrogate(message)
        end = header_end(message)
        assert end < 0 or made[end:] == message[end:] or b"boundary" in message.lower()

    @pytest.mark.parametrize(("more", "shown"), [(0, True), (1, False)])
    def test_many_header_sections(self, more: int, shown: bool) -> None:
        """Past the limit of them all, those that come are only marked."""
        head = octets("Content-Type: multipart/mixed; boundary=b\n\n")
        part = octets("--b\nX: ü\nY: " + "y" * 8000 + "\n\n")
        size = len(part) - len(b"--b\r\n\r\n")
        last = octets("Subject: Grüße\nX-a: ")
        count = LOOKED_OCTETS // size
        last += b"a" * (LOOKED_OCTETS - count * size - len(last) - 2 + more) + b"\r\n\r\n"
        made = surrogate(head + part * count + b"--b\r\n" + last)

        assert (b"=?utf-8?B?R3LDvMOfZQ==?=" in made) is shown
        assert made.isascii()

    def test_long_messages_cost_no_memory(self) -> None:
        """What needs no look is passed on at once, what does not end stays within bounds."""
        made = Surrogate()
        made.take(octets("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"))

        assert len(made.take(b"x" * 65_536)) >= 65_536
        assert len(made.take(b"\r\n--b" + b"-" * 65_536)) >= 65_536
