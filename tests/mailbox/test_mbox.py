"""Messages out of an mbox (RFC 4155): where they are, and what they were."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailsuite.mailbox.layout import make_folders
from mailsuite.mailbox.mbox import letter, places
from mailsuite.mailbox.mbox_writer import mbox
from mailsuite.mailbox.taking import take_listing
from mailsuite.mailbox.uidl_sources import BadSource

FROM = b"From alice@example.com Thu Jan  1 00:00:10 2026\n"
SECONDS = 1_767_225_610


def found(octets: bytes) -> list[tuple[bytes, int]]:
    """What lies at each place in *octets*, and when it came."""
    return [(octets[each.start : each.start + each.length], each.seconds) for each in places(io.BytesIO(octets))]


class TestPlaces:
    """Where the messages are."""

    def test_two(self) -> None:
        """Each is what stands between two separators."""
        assert found(FROM + b"A: 1\n\none\n\n" + FROM + b"B: 2\n\ntwo\n") == [
            (b"A: 1\n\none\n\n", SECONDS), (b"B: 2\n\ntwo\n", SECONDS),
        ]  # fmt: skip

    def test_none(self) -> None:
        """An empty file has none."""
        assert found(b"") == []

    @pytest.mark.parametrize("octets", [b"Subject: no mbox\n\n", b"\n" + FROM, b"From me to you\n\n", b"From \n"])
    def test_no_mbox(self, octets: bytes) -> None:
        """It has to begin with a separator."""
        with pytest.raises(BadSource, match="no mbox"):
            found(octets)

    @pytest.mark.parametrize("text", [b"From here on it rains\n", b"x\n" + FROM, b"x" * 70_000 + b"From " + FROM])
    def test_text_that_looks_like_one(self, text: bytes) -> None:
        """A line of text is none: without a date, without an empty line before it, in the middle of a long line."""
        assert len(found(FROM + b"A: 1\n\n" + text)) == 1

    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_without_quoting(self, end: bytes) -> None:
        """By a length that is true, whatever the body looks like; one that is not true says nothing."""
        body = b"x\n\n" + FROM + b"Y: 1\n\ny\n"
        first = b"A: 1\nContent-Length: %d\n\n" + body + b"\n"
        rest = FROM + b"B: 2\n\ntwo\n"
        lines = [each.replace(b"\n", end) for each in (first % len(body.replace(b"\n", end)), rest)]
        source = FROM.replace(b"\n", end) + b"".join(lines)

        assert [text for text, _ in found(source)] == [lines[0], lines[1][len(FROM.replace(b"\n", end)) :]]
        for wrong in (3, 5_000):
            assert len(found(FROM + first % wrong + rest)) == 3
        assert len(found(FROM + (first % len(body))[:-1])) == 1

    def test_lengths_that_senders_have_written(self) -> None:
        """Where the first message has none, no program has counted: nobody's message hides others in it."""
        evil, rest = b"Content-Length: %d\n\nx\n\n", FROM + b"B: 2\n\ntwo\n\n"
        evil %= len(b"x\n\n" + rest)

        assert len(found(FROM + b"A: 1\n\none\n\n" + FROM + evil + rest + rest)) == 4

    def test_one_that_was_cut_off(self) -> None:
        """What came next is a message of its own, not text of this one."""
        assert [text for text, _ in found(FROM + b"A: 1\n\ncut o\n" + FROM + b"B: 2\n\ntwo\n")] == [
            b"A: 1\n\ncut o\n", b"B: 2\n\ntwo\n",
        ]  # fmt: skip
        assert len(found(FROM + b"A: cut o\n" + FROM + b"B: 2\n\ntwo\n")) == 2
        assert len(found(FROM + FROM + b"B: 2\n\ntwo\n")) == 1

    @pytest.mark.parametrize(
        ("line", "seconds"),
        [
            (b"From a Thu Jan  1 00:00:10 2026 remote from b\n", SECONDS),
            (b"From a@b Thu Jan  1 00:00 2026\n", SECONDS - 10),
            (b"From a@b Thu Jan  1 01:00:10 CET 2026\r\n", SECONDS + 3600),
            (b"From a@b Thu Jan  1 01:00:10 2026 +0100\n", SECONDS),
            (b"From a@b Wed Dec 31 19:00:10 -0500 2025\n", SECONDS),
            (b"From \"a b\"@c  Thu Jan  1 00:00:10 2026\n", SECONDS),
            (b"From a Thu Jan  1 01:00:10 1970 +0200\n", 0),
        ],
    )
    def test_dates(self, line: bytes, seconds: int) -> None:
        """As programs write them; a zone's name says nothing for sure."""
        assert found(line + b"A: 1\n\n") == [(b"A: 1\n\n", seconds)]

    @pytest.mark.parametrize("when", [b"Thu Jan 32 00:00:10 2026", b"Thu Jan  1 24:00:10 2026", b"Jan  1 00:00 2026"])
    def test_no_dates(self, when: bytes) -> None:
        """What is no date makes no separator."""
        with pytest.raises(BadSource):
            found(b"From a@b " + when + b"\n\n")


class TestLetter:
    """What a message was."""

    def test_notes_become_flags(self) -> None:
        """What programs with mboxes have noted is taken off."""
        octets = (
            b"Status: RO\nX-Status: AF\nX-UIDL: qpop-1\nX-Keywords: a\n b\nSubject: kept\nContent-Length: 9\n"
            b"\nStatus: R\n"
        )
        read = letter(octets)
        assert read is not None

        assert (read.flags, read.old, read.unique_id) == (b"FRS", True, b"qpop-1")
        assert read.content == b"Subject: kept\r\n\r\nStatus: R\r\n"

    def test_unread(self) -> None:
        """A message without notes was never shown; one that is only old was."""
        new, old = letter(b"A: 1\n\nx\n"), letter(b"A: 1\nStatus: O\n\nx\n")
        assert new is not None
        assert old is not None

        assert (new.flags, new.old, old.flags, old.old) == (b"", False, b"", True)

    @pytest.mark.parametrize(
        ("octets", "content"),
        [
            (b"A: 1\n\nx\n\n", b"A: 1\r\n\r\nx\r\n"),
            (b"A: 1\n\nx\n\n\n", b"A: 1\r\n\r\nx\r\n\r\n"),
            (b"A: 1\n\nx", b"A: 1\r\n\r\nx\r\n"),
            (b"A: 1\r\n\r\nx\r\n\r\n", b"A: 1\r\n\r\nx\r\n"),
            (b"A: 1\n\n>From me\n>>From you\n> From\n", b"A: 1\r\n\r\nFrom me\r\n>From you\r\n> From\r\n"),
            (b"content-length: 9\n\n>From me\n", b"\r\nFrom me\r\n"),
            (b"Content-Length: 9\n\n>From me\nFrom you\n", b"\r\n>From me\r\nFrom you\r\n"),
            (b"A: 1\n\n", b"A: 1\r\n"),
            (b"", b"\r\n"),
            (b"\nStatus: R\n\n", b"\r\nStatus: R\r\n"),
        ],
    )
    def test_content(self, octets: bytes, content: bytes) -> None:
        """The empty line behind it is not its own, one ``>`` is taken off what was quoted, all lines end in CRLF."""
        read = letter(octets)
        assert read is not None

        assert read.content == content

    def test_notes_of_an_imap_server(self) -> None:
        """Its first message is none."""
        assert letter(b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nx\n") is None

    @example(b"Status:")
    @given(st.binary(max_size=300))
    def test_any_octets(self, octets: bytes) -> None:
        """Whatever stands there, lines end in CRLF and nothing breaks."""
        read = letter(octets)

        assert read is None or read.content.endswith(b"\r\n")
        assert sum(len(each) for each, _ in found(FROM + octets)) <= len(octets)


@pytest.mark.parametrize(
    "text",
    [
        b"Content-Length: 3\r\n\r\nx\r\n\r\n" + FROM + b"Y: 1\r\n\r\ny\r\n",
        b"Content-Length: 999999\r\n\r\nx\r\n",
        b"Subject: no body\r\n",
        b"\r\nno header\r\n",
        b"Subject: open\r\n\r\nx",
    ],
)
def test_what_is_written_is_read(tmp_path: Path, text: bytes) -> None:
    """Whatever a message looks like, it is told from the next one."""
    make_folders(str(tmp_path))
    for number in (1, 2):
        (tmp_path / "new" / f"170000000{number}.M1P1Q1").write_bytes(text)
    listing, _ = take_listing(str(tmp_path))
    written = b"".join(mbox(os.fsencode(tmp_path), listing))
    read = [letter(octets) for octets, _ in found(written)]

    expected = text.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    expected = expected.removeprefix(b"Content-Length: 3\n").removeprefix(b"Content-Length: 999999\n")
    assert [each.content if each else None for each in read] == [expected.replace(b"\n", b"\r\n")] * 2
