"""One message on its way in: its header is found, its octets are kept, its limits hold whatever the segments."""

import errno

import pytest
from hypothesis import given

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.message.headers import HEADER_FIELDS, HEADER_OCTETS
from mailsuite.service.transaction import Transaction
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from tests.doubles import MemoryDraft
from tests.wire.cutting import BODIES, CUTS, cut


class Message:
    """A transaction with a draft; *head* marks what it was given as the header section."""

    def __init__(self) -> None:
        self.transaction = Transaction("k7f-1", Envelope(None), 0.0)
        self.draft = MemoryDraft()
        self.headers: list[bytes] = []
        self.transaction.begin_body(self.draft, self.head)

    def head(self, header: bytes) -> bytes | Reply:
        """Put a field before the header."""
        self.headers.append(header)
        return replies.MAIL_LOOP if b"loop" in header else b"Ours: 1\r\n" + header

    def take(self, *pieces: bytes) -> bytes | None:
        """Take *pieces* and the end; return what was kept."""
        for piece in pieces:
            self.transaction.body(piece)
        draft = self.transaction.end_body()
        return None if draft is None else self.draft.data


@pytest.mark.parametrize(
    ("content", "header", "kept"),
    [
        (b"A: b\r\n\r\nbody\r\n", b"A: b\r\n", b"Ours: 1\r\nA: b\r\n\r\nbody\r\n"),
        (b"A: b\r\n\r\n", b"A: b\r\n", b"Ours: 1\r\nA: b\r\n\r\n"),
        # No empty line: the whole is header (RFC 5322 §3.5).
        (b"A: b\r\n", b"A: b\r\n", b"Ours: 1\r\nA: b\r\n"),
        # No header.
        (b"\r\nbody\r\n", b"", b"Ours: 1\r\n\r\nbody\r\n"),
        (b"", b"", b"Ours: 1\r\n"),
        # What goes on with no field is for the role to part from ours.
        (b" folded\r\nA: b\r\n\r\n", b" folded\r\nA: b\r\n", b"Ours: 1\r\n folded\r\nA: b\r\n\r\n"),
    ],
)
def test_the_header_is_found(content: bytes, header: bytes, kept: bytes) -> None:
    """Header and body are told apart, whole and octet by octet."""
    for lengths in ([], [1] * len(content)):
        message = Message()

        assert message.take(*cut(content, lengths)) == kept
        assert message.headers == [header]
        assert message.transaction.size == len(content)


@given(BODIES, CUTS)
def test_any_content_is_kept_octet_for_octet(content: bytes, cuts: list[int]) -> None:
    """However it was cut, what is kept is our field and all that came."""
    message = Message()
    kept = message.take(*cut(content, cuts))

    assert kept is not None
    assert kept == b"Ours: 1\r\n" + content


@pytest.mark.parametrize("step", [None, 60_000])
def test_lesson_13_header_at_the_cap_and_one_past(step: int | None) -> None:
    """A header section of the cap is taken, a larger one is refused, however it was cut."""
    for more, refusal in ((0, None), (1, replies.HEADER_TOO_LARGE)):
        header = b"A: " + b"x" * (HEADER_OCTETS - 5 + more) + b"\r\n"
        content = header + b"\r\nbody\r\n"
        message = Message()
        message.take(*cut(content, [step] * (len(content) // step) if step else []))

        assert len(header) == HEADER_OCTETS + more
        assert message.transaction.refusal == refusal
        assert message.draft.discarded == more


@pytest.mark.parametrize("line", [b"A:\r\n", b"a\r\n", b"a\r\n\t\r\n \r\n", b"Subject: long\r\n as\r\n\tfolded\r\n"])
def test_lesson_13_fields_at_the_cap_and_one_past(line: bytes) -> None:
    """So many fields are taken, one more is refused; folded lines are none of their own."""
    for more, refusal in ((0, None), (1, replies.HEADER_TOO_LARGE)):
        message = Message()
        message.take(line * (HEADER_FIELDS + more), b"\r\nbody\r\n")

        assert message.transaction.refusal == refusal
        assert message.draft.discarded == more


def test_a_header_that_never_ends_is_not_held() -> None:
    """Past the cap nothing more is kept in memory."""
    message = Message()
    for _ in range(40):
        message.transaction.body(b"x" * 60_000)

    assert message.transaction.refusal is replies.HEADER_TOO_LARGE
    assert message.draft.data == b""
    assert message.take() is None


def test_a_refused_header_discards_the_message() -> None:
    """What comes behind it is counted for the log and not kept."""
    message = Message()

    assert message.take(b"A: loop\r\n\r\n", b"body\r\n") is None
    assert message.transaction.refusal is replies.MAIL_LOOP
    assert message.draft.data == b""
    assert message.draft.discarded == 1


@pytest.mark.parametrize(
    ("number", "reply"),
    [(errno.ENOSPC, replies.NO_ROOM), (errno.EDQUOT, replies.NO_ROOM), (errno.EIO, replies.TROUBLE)],
)
def test_a_full_disk_is_452(number: int, reply: Reply) -> None:
    """The peer is told to try again, at the end of its message, and why; other troubles of a disk are 451."""
    message = Message()
    message.draft.trouble = OSError(number, "No")

    assert message.take(b"A: b\r\n\r\n", b"body\r\n") is None
    assert message.transaction.refusal is reply
    assert message.draft.discarded


def test_a_message_that_lost_a_part_is_never_taken() -> None:
    """After any exception on the way the message is refused, though more of it comes and goes well."""
    message = Message()
    message.draft.trouble = RuntimeError("as a test wants it")
    with pytest.raises(RuntimeError):
        message.transaction.body(b"A: b\r\n\r\n")
    message.draft.trouble = None

    assert message.take(b"body\r\n") is None
    assert message.transaction.refusal is replies.TROUBLE


def test_lesson_33_notes_are_bounded() -> None:
    """A peer that guesses addresses does not fill the log."""
    transaction = Transaction("k7f-1", Envelope(None), 0.0)
    for number in range(1000):
        transaction.note(replies.UNKNOWN_USER, Address(f"guess{number}", "b.example"))

    assert transaction.refused[0] == "550 5.1.1 <guess0@b.example>"
    assert len(transaction.refused) == 20
