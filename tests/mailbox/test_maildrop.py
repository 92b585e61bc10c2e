"""A Maildir as a locked maildrop: reading, removing, the lock."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.interfaces import IContent, IListing, IMaildrop
from mailsuite.mailbox import maildrop as module
from mailsuite.mailbox import message_file
from mailsuite.mailbox.content import CHUNK, ForeignContent, LoadedContent, PromptContent, StoredContent
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.maildirsize import Ledger
from mailsuite.mailbox.maildrop import AT_HAND_OCTETS, Maildrop
from mailsuite.mailbox.message_file import Damaged
from mailsuite.mailbox.scan import scan
from mailsuite.mailbox.taking import take_listing
from tests.doubles_pop3 import in_thread, settled
from tests.mailbox.files import ALICE, NOW, MailRoot

T = TypeVar("T")
OURS = "new/1700000000.M000001P2Q%d,S=%d,W=%d"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A Maildir with three messages of ours."""
    for folder in ("tmp", "new", "cur"):
        (tmp_path / folder).mkdir()
    for number in (1, 2, 3):
        put(tmp_path, number)
    return tmp_path


def put(box: Path, number: int) -> None:
    """Write message *number*, which says its number."""
    content = b"Subject: %d\r\n\r\nbody\r\n" % number
    (box / (OURS % (number, len(content), len(content)))).write_bytes(content)


def opened(box: Path) -> Maildrop:
    """The maildrop of *box*."""
    listing, _ = take_listing(str(box))
    return Maildrop(str(box), listing, Listings(0, lambda: NOW), lambda: None, in_thread, Ledger())


def octets(maildrop: Maildrop, number: int) -> bytes:
    """All octets of a message."""
    content = settled(maildrop.read(number))
    verifyObject(IContent, content)
    pieces = []
    while piece := settled(content.read(10)):
        pieces.append(piece)
    content.close()
    return b"".join(pieces)


def names(box: Path) -> set[str]:
    """What lies in new/ and cur/, without flags."""
    return {path.name.partition(":")[0] for folder in ("new", "cur") for path in (box / folder).iterdir()}


def one(box: Path, pattern: str) -> Path:
    """The one file that *pattern* fits."""
    (path,) = box.glob(pattern)
    return path


def test_interfaces(box: Path) -> None:
    """The classes have what their interfaces ask for."""
    verifyObject(IMaildrop, opened(box))
    verifyObject(IListing, opened(box).listing())
    for each in (StoredContent, ForeignContent, LoadedContent, PromptContent):
        verifyClass(IContent, each)


class TestReading:
    """RETR's side."""

    def test_sizes_and_octets(self, box: Path) -> None:
        """Each message gives as many octets as its size says."""
        maildrop = opened(box)

        assert [len(octets(maildrop, number)) for number in range(3)] == list(maildrop.listing().sizes)
        assert octets(maildrop, 1) == b"Subject: 2\r\n\r\nbody\r\n"

    def test_numbers_never_shift(self, box: Path) -> None:
        """New mail and a removal by another program change no number of this session."""
        maildrop = opened(box)
        before = list(maildrop.listing().unique_ids)
        put(box, 0)
        put(box, 4)
        one(box, "new/*Q1,*").unlink()

        assert list(maildrop.listing().unique_ids) == before
        assert octets(maildrop, 2) == b"Subject: 3\r\n\r\nbody\r\n"

    def test_file_that_is_gone(self, box: Path) -> None:
        """It raises; the other messages are still there."""
        maildrop = opened(box)
        one(box, "new/*Q2,*").unlink()

        with pytest.raises(FileNotFoundError):
            octets(maildrop, 1)
        assert octets(maildrop, 0) == b"Subject: 1\r\n\r\nbody\r\n"

    def test_gone_files_cost_one_look(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A look that found nothing moved is not repeated while the folders stay as they are."""
        looks: list[bytes] = []

        def counted(root: bytes) -> list[bytes]:
            looks.append(root)
            return scan(root)

        monkeypatch.setattr(module, "scan", counted)
        maildrop = opened(box)
        for path in (box / "new").iterdir():
            path.unlink()
        for number in (0, 1, 2, 0):
            with pytest.raises(FileNotFoundError):
                octets(maildrop, number)

        assert len(looks) == 1

    def test_moved_files_are_followed(self, box: Path) -> None:
        """Another program may move everything to cur/ and change flags at any time."""
        maildrop = opened(box)
        for flags in (":2,", ":2,S", ":2,FS"):
            for path in [*(box / "new").iterdir(), *(box / "cur").iterdir()]:
                path.rename(box / "cur" / (path.name.partition(":")[0] + flags))
            assert octets(maildrop, 0) == b"Subject: 1\r\n\r\nbody\r\n"
            assert octets(maildrop, 2) == b"Subject: 3\r\n\r\nbody\r\n"

    @pytest.mark.parametrize("content", [b"", b"Subject: 2\r\n", b"Subject: 2\r\n\r\nbody\r\nand more\r\n"])
    def test_file_that_does_not_fit_its_name(self, box: Path, content: bytes) -> None:
        """What a power cut left short, or empty, or what has grown, is never served."""
        maildrop = opened(box)
        one(box, "new/*Q2,*").write_bytes(content)

        with pytest.raises(Damaged):
            octets(maildrop, 1)

    def test_foreign_file_that_has_changed(self, box: Path) -> None:
        """A small file without sizes in its name is measured again before its first octet is given."""
        path = box / "new" / "1800000000.x.host"
        path.write_bytes(b"A: b\n\nc\n")
        maildrop = opened(box)
        assert octets(maildrop, 3) == b"A: b\r\n\r\nc\r\n"
        path.write_bytes(b"A: b\n\nc\nd\n")

        with pytest.raises(Damaged):
            octets(maildrop, 3)

    @pytest.mark.parametrize("lines", [3, CHUNK])
    @pytest.mark.parametrize("wrong", [-1, 1, 50_000])
    @pytest.mark.parametrize("claims", ["S=%d,W=%d", "W=%.0s%d"])
    def test_false_size_on_the_wire(self, box: Path, lines: int, wrong: int, claims: str) -> None:
        """What the name of a whole foreign file claims is refused before its first octet, and mended for the next."""
        others = [f"new/1750000000.x{number}.host" for number in range(3)]
        for other in others:
            (box / other).write_bytes(b"A: b\n\nc\n")
        claimed = claims % (5 * lines, 6 * lines + wrong)
        (box / "new" / f"1800000000.x.host,{claimed}").write_bytes(b"line\n" * lines)
        maildrop = opened(box)
        assert maildrop.listing().sizes[6] == 6 * lines + wrong

        for _ in range(2):
            with pytest.raises(Damaged):
                octets(maildrop, 6)
        if lines == CHUNK:
            # Of a large one that TOP wants the beginning of, no more is read than that.
            assert settled(settled(maildrop.read(6, False)).read(5)) == b"line\r\n"
        assert octets(maildrop, 5) == b"A: b\r\n\r\nc\r\n"

        again = opened(box)
        assert list(again.listing().sizes[3:]) == [11, 11, 11, 6 * lines]
        assert octets(again, 6) == b"line\r\n" * lines

    def test_mended_sizes_cost_no_others(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was measured of the other messages stays in the index, however many they are."""
        monkeypatch.setattr("mailsuite.mailbox.measured.SPARE_ROWS", 0)
        for number in range(5):
            (box / "new" / f"1750000000.x{number}.host").write_bytes(b"A: b\n\nc\n")
        (box / "new" / "1800000000.x.host,W=9").write_bytes(b"A: b\n\nc\n")
        maildrop = opened(box)
        with pytest.raises(Damaged):
            octets(maildrop, 8)

        monkeypatch.setattr("mailsuite.mailbox.taking.wire_size", None)
        assert list(opened(box).listing().sizes[3:]) == [11] * 6

    def test_a_false_size_is_in_no_kept_listing(self, box: Path) -> None:
        """The next login does not find the listing of this one."""
        (box / "new" / "1800000000.x.host,W=9").write_bytes(b"A: b\n\nc\n")
        for folder in ("new", "cur"):
            os.utime(box / folder, ns=(1, int((NOW - 1000) * 1e9) + 1))
        listings = Listings(1 << 20, lambda: NOW)
        listing, times, looked = listings.take(str(box))
        listings.keep(str(box), listing, times, looked)
        assert listings.current(str(box)) is listing
        maildrop = Maildrop(str(box), listing, listings, lambda: None, in_thread, Ledger())

        with pytest.raises(Damaged):
            octets(maildrop, 3)

        assert listings.current(str(box)) is None

    def test_large_foreign_file_is_streamed(self, box: Path) -> None:
        """A large file is not held in memory, and still gives what was counted."""
        (box / "new" / "1800000000.x.host").write_bytes(b"line\n" * CHUNK)
        maildrop = opened(box)

        assert isinstance(settled(maildrop.read(3)), PromptContent)
        assert len(octets(maildrop, 3)) == maildrop.listing().sizes[3] == 6 * CHUNK

    def test_links_are_not_followed(self, box: Path) -> None:
        """A symbolic link put in a message's place leads nowhere."""
        maildrop = opened(box)
        path = one(box, "new/*Q2,*")
        path.unlink()
        path.symlink_to("/etc/passwd")

        with pytest.raises(OSError, match="symbolic"):
            octets(maildrop, 1)

    def test_fifo_does_not_block(self, box: Path) -> None:
        """Nor does a FIFO in its place stop the server."""
        maildrop = opened(box)
        path = one(box, "new/*Q2,*")
        path.unlink()
        os.mkfifo(path)

        with pytest.raises(Damaged):
            octets(maildrop, 1)

    def test_usual_moves_cost_no_look(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A message that is where mail programs move messages is found without a look at all the others."""
        monkeypatch.setattr(module, "scan", None)
        maildrop = opened(box)
        for path, flags in zip(sorted((box / "new").iterdir()), ("", "S", "RS"), strict=True):
            path.rename(box / "cur" / f"{path.name}:2,{flags}")
        for number in range(3):
            assert octets(maildrop, number) == b"Subject: %d\r\n\r\nbody\r\n" % (number + 1)

        assert settled(maildrop.remove([0, 1, 2])) == []
        assert names(box) == set()

    def test_copies_are_not_mistaken(self, box: Path) -> None:
        """Of two files with one base name, none is given for the other."""
        for flags, content in (("", b"first\r\n"), (":2,S", b"other\r\n")):
            (box / "cur" / f"1.a{flags}").write_bytes(content)
        maildrop = opened(box)
        (gone,) = [n for n in range(len(maildrop.listing())) if maildrop.listing().path(n) == b"cur/1.a"]
        (box / "cur" / "1.a").unlink()

        with pytest.raises(FileNotFoundError):
            octets(maildrop, gone)


class TestPatience:
    """What is not in memory is read by a thread."""

    @pytest.fixture
    def threads(self) -> list[str]:
        """The names of what threads were asked for."""
        return []

    def maildrop(self, box: Path, threads: list[str]) -> Maildrop:
        """A maildrop that tells *threads* of its threads."""

        async def counted(function: Callable[..., T], *arguments: Any) -> T:
            threads.append(function.__name__)
            return function(*arguments)

        listing, _ = take_listing(str(box))
        return Maildrop(str(box), listing, Listings(0, lambda: NOW), lambda: None, counted, Ledger())

    def test_in_memory(self, box: Path, threads: list[str]) -> None:
        """No thread is asked."""
        (box / "new" / "1800000000.x.host").write_bytes(b"A: b\n\nc\n")
        maildrop = self.maildrop(box, threads)
        for number in range(4):
            octets(maildrop, number)

        assert threads == []

    def test_not_in_memory(self, box: Path, threads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """A thread reads, the same octets; so does it where the kernel cannot say."""
        (box / "new" / "1800000000.x.host").write_bytes(b"A: b\n\nc\n")
        (box / "new" / "1800000001.x.host").write_bytes(b"line\n" * CHUNK)
        expected = [octets(opened(box), number) for number in range(5)]

        def cold(*arguments: object) -> int:
            raise BlockingIOError(errno.EAGAIN, "as a test wants it")

        monkeypatch.setattr(os, "preadv", cold)
        assert [octets(self.maildrop(box, threads), number) for number in range(5)] == expected
        assert set(threads) == {"read", "_open"}
        threads.clear()
        monkeypatch.setattr(message_file, "_NOWAIT", None)
        assert [octets(self.maildrop(box, threads), number) for number in range(5)] == expected
        assert set(threads) == {"read", "_open"}

    def test_closed_while_a_thread_reads(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file stays open until the thread is done with it, and not longer."""
        reads: list[bytes] = []
        closed: list[int] = []
        content: Any = None

        async def slow(function: Callable[..., T], *arguments: Any) -> T:
            content.close()
            assert closed == []
            result = function(*arguments)
            reads.append(result)  # type: ignore[arg-type]
            return result

        (box / (OURS % (4, CHUNK + 2, CHUNK + 2))).write_bytes(b"x" * CHUNK + b"\r\n")
        monkeypatch.setattr(message_file, "_NOWAIT", None)
        listing, _ = take_listing(str(box))
        maildrop = Maildrop(str(box), listing, Listings(0, lambda: NOW), lambda: None, slow, Ledger())
        content = settled(maildrop.read(3))
        close = os.close

        def counted(fd: int) -> None:
            closed.append(fd)
            close(fd)

        monkeypatch.setattr(os, "close", counted)
        settled(content.read(100))

        assert reads == [b"x" * 100]
        assert len(closed) == 1


class TestAtHand:
    """What can be read before it is asked for."""

    @pytest.mark.parametrize("more", [0, 1])
    def test_small_messages(self, box: Path, more: int) -> None:
        """All of a message that is not larger than the limit."""
        size = AT_HAND_OCTETS + more
        content = b"x" * (size - 2) + b"\r\n"
        (box / (OURS % (4, size, size))).write_bytes(content)
        maildrop = opened(box)

        assert maildrop.at_hand(0) == b"Subject: 1\r\n\r\nbody\r\n"
        assert maildrop.at_hand(3) == (None if more else content)

    def test_foreign_message(self, box: Path) -> None:
        """With the line ends that it has on the wire."""
        (box / "new" / "1800000000.x.host").write_bytes(b"A: b\n\nc")

        assert opened(box).at_hand(3) == b"A: b\r\n\r\nc\r\n"

    def test_message_that_is_gone_or_damaged(self, box: Path) -> None:
        """It is left for who asks for it."""
        maildrop = opened(box)
        one(box, "new/*Q1,*").unlink()
        one(box, "new/*Q2,*").write_bytes(b"x")

        assert [maildrop.at_hand(number) for number in (0, 1)] == [None, None]

    def test_message_not_in_memory(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is the disk waited for; not even where its beginning is in memory."""
        maildrop = opened(box)
        preadv = os.preadv

        def partly(fd: int, buffers: list[bytearray], at: int, flags: int) -> int:
            return min(preadv(fd, buffers, at, flags), 5)

        asked: list[tuple[int, int]] = []

        def advise(fd: int, start: int, octets: int, advice: int) -> None:
            asked.append((octets, advice))

        monkeypatch.setattr(message_file, "_ADVISE", advise)
        monkeypatch.setattr(os, "preadv", partly)
        assert maildrop.at_hand(0) is None
        monkeypatch.setattr(message_file, "_NOWAIT", None)
        assert maildrop.at_hand(0) is None
        # But the disk is set to work.
        assert asked == 2 * [(20, os.POSIX_FADV_WILLNEED)]


class TestSeen:
    """What other programs are told of a message that was read."""

    @pytest.mark.parametrize(
        ("place", "after"),
        [
            ("new/1.a,S=5,W=5", "cur/1.a,S=5,W=5:2,S"),
            ("cur/1.a:2,", "cur/1.a:2,S"),
            ("cur/1.a:2,RT", "cur/1.a:2,RST"),
            ("cur/1.a:2,S", "cur/1.a:2,S"),
            ("cur/1.a:2,FSab", "cur/1.a:2,FSab"),
        ],
    )
    def test_flag(self, tmp_path: Path, place: str, after: str) -> None:
        """It lies in cur/ with the flag S among those it had, in their order; the session still finds it."""
        for folder in ("tmp", "new", "cur"):
            (tmp_path / folder).mkdir()
        (tmp_path / place).write_bytes(b"abc\r\n")
        maildrop = opened(tmp_path)
        maildrop.mark_seen(0)

        assert (tmp_path / after).exists()
        assert octets(maildrop, 0) == b"abc\r\n"
        assert settled(maildrop.remove([0])) == []
        assert names(tmp_path) == set()

    def test_message_that_is_gone(self, box: Path) -> None:
        """Nothing happens."""
        maildrop = opened(box)
        one(box, "new/*Q2,*").unlink()
        maildrop.mark_seen(1)

        assert len(names(box)) == 2


class TestRemoval:
    """RFC 1939 §6."""

    def test_only_what_is_asked_for(self, box: Path) -> None:
        """The named messages are gone, all others stay; new mail too."""
        maildrop = opened(box)
        put(box, 9)

        assert settled(maildrop.remove([0, 2])) == []
        assert {name.partition(",")[0][-1] for name in names(box)} == {"2", "9"}

    def test_nothing_to_remove(self, box: Path) -> None:
        """No thread is asked for an empty removal."""
        assert opened(box).remove([]) == ()

    def test_nothing_is_removed_by_closing(self, box: Path) -> None:
        """Only `remove` removes."""
        opened(box).close()

        assert len(names(box)) == 3

    def test_moved_files_are_removed_where_they_are(self, box: Path) -> None:
        """A message that another program moved or flagged meanwhile is removed all the same."""
        maildrop = opened(box)
        path = one(box, "new/*Q2,*")
        path.rename(box / "cur" / (path.name + ":2,S"))

        assert settled(maildrop.remove([0, 1])) == []
        assert {name.partition(",")[0][-1] for name in names(box)} == {"3"}

    def test_gone_already(self, box: Path) -> None:
        """What somebody else has removed counts as removed."""
        maildrop = opened(box)
        one(box, "new/*Q2,*").unlink()

        assert settled(maildrop.remove([1])) == []

    def test_what_cannot_be_removed_is_named(self, box: Path) -> None:
        """A message that the system will not unlink is reported; the others go."""
        maildrop = opened(box)
        path = one(box, "new/*Q2,*")
        path.unlink()
        path.mkdir()

        assert settled(maildrop.remove([0, 1, 2])) == [1]
        assert len(names(box)) == 1

    def test_removal_is_durable(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each folder that lost a name is synced, after the last unlink."""
        synced: list[tuple[str, int]] = []
        monkeypatch.setattr(module, "fsync_path", lambda path: synced.append((path, len(names(box)))))
        path = one(box, "new/*Q2,*")
        path.rename(box / "cur" / (path.name + ":2,S"))
        settled(opened(box).remove([0, 1]))

        assert sorted(synced) == [(str(box / "cur"), 1), (str(box / "new"), 1)]

    def test_failed_sync_is_an_error(self, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A disk that does not confirm gives no +OK."""

        def failing(path: str) -> None:
            raise OSError("as a test wants it")

        monkeypatch.setattr(module, "fsync_path", failing)
        with pytest.raises(OSError, match="as a test"):
            settled(opened(box).remove([0]))


BINARY = b"A: b\r\n\r\n\x00\n.\n\xff\r\r\n.\r\nend"


@pytest.mark.parametrize("content", [BINARY, BINARY + b"\r", BINARY + b"\n", BINARY + b"\r\n", BINARY * 15_000])
@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_rfc_3030_3_any_octets_are_kept(tmp_path: Path, content: bytes, pieces: int) -> None:
    """What was delivered comes out octet for octet, with a CRLF where it does not end in one; all is counted."""
    mail = MailRoot(tmp_path)
    draft = mail.draft(b"")
    step = len(content) // pieces + 1
    for start in range(0, len(content), step):
        draft.write(content[start : start + step])
    mail.writer.deliver(draft, [ALICE])
    (path,) = mail.files(ALICE)
    maildrop = opened(tmp_path / ALICE.path)
    wire = content if content.endswith(b"\r\n") else content + b"\r\n"

    assert path.read_bytes() == content
    assert f",S={len(content)},W={len(content)}" in path.name
    assert list(maildrop.listing().sizes) == [len(wire)]
    assert octets(maildrop, 0) == wire
