"""Bringing messages of other mailboxes: flags, dates, unique ids, nothing twice, nothing half."""

import bz2
import gzip
import lzma
import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

import pytest

from mailsuite.mailbox import bringing as module
from mailsuite.mailbox.bringing import JOURNAL, Bringing, NoRoom
from mailsuite.mailbox.foreign import Foreign, maildir_messages, mbox_messages
from mailsuite.mailbox.layout import make_folders
from mailsuite.mailbox.maildir import Receipt
from mailsuite.mailbox.sync import FSync
from mailsuite.mailbox.taking import take_listing
from mailsuite.mailbox.uidl_format import DOVECOT_FORMAT
from mailsuite.mailbox.uidl_sources import BadSource

DAY = 1_700_000_000


class Disk(FSync):
    """Syncs, or dies at the time that it is told."""

    def __init__(self, dies_at: int = 0) -> None:
        super().__init__()
        self.left = dies_at

    def sync(self, receipts: Sequence[Receipt]) -> None:
        self.left -= 1
        if self.left == 0:
            raise SystemExit
        super().sync(receipts)


class World:
    """A Maildir elsewhere, and one of ours."""

    def __init__(self, folder: Path) -> None:
        self.old = folder / "old"
        self.box = folder / "box"
        for each in (self.old, self.box):
            make_folders(str(each))

    def put(self, name: str, content: bytes = b"A: 1\n\nx\n", when: int = DAY) -> Path:
        """Let a file lie in the old Maildir."""
        path = self.old / name
        path.write_bytes(content)
        os.utime(path, (when, when))
        return path

    def bring(self, found: list[Foreign] | None = None, dies_at: int = 0, floor: int = 0) -> int:
        """Bring what is there; return how many that were."""
        bringing = Bringing(str(self.box), Disk(dies_at), floor)
        left = bringing.waiting(self.found() if found is None else found)
        bringing.keep_ids(left)
        return sum(batch.brought for batch in bringing.bring(left))

    def found(self) -> list[Foreign]:
        """What is in the old Maildir."""
        return list(maildir_messages(os.fsencode(self.old), DOVECOT_FORMAT, header=True))

    def names(self) -> list[str]:
        """What is in ours, with folders."""
        return sorted(f"{place}/{path.name}" for place in ("cur", "new") for path in (self.box / place).iterdir())

    def ids(self) -> list[str]:
        """The unique ids that a session of POP3 sees, in its order."""
        return list(take_listing(str(self.box))[0].unique_ids)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two mailboxes."""
    return World(tmp_path)


def test_a_message_is_what_it_was(world: World) -> None:
    """Octets, flags, date, and the part of the name that says so; the sizes in the name are true ones."""
    world.put(f"cur/{DAY}.M1P1.host,S=99:2,SRx")
    world.put(f"new/{DAY}.M2P1.host", b"B: 2\n\ny")

    assert world.bring() == 2
    assert world.names() == [f"cur/{DAY}.M1P1.host,S=8,W=11:2,RS", f"new/{DAY}.M2P1.host,S=7,W=9"]
    read = world.box / f"cur/{DAY}.M1P1.host,S=8,W=11:2,RS"
    assert read.read_bytes() == b"A: 1\n\nx\n"
    assert read.stat().st_mtime == DAY
    assert list(take_listing(str(world.box))[0].sizes) == [11, 11]
    assert not list((world.box / "tmp").iterdir())


def test_nothing_comes_twice(world: World) -> None:
    """Neither in a second run, nor after flags have changed there, nor what was removed here."""
    path = world.put(f"new/{DAY}.M1P1.host")
    assert world.bring() == 1
    path.rename(world.old / f"cur/{DAY}.M1P1.host:2,S")
    assert world.bring() == 0
    (world.box / world.names()[0]).unlink()

    assert world.bring() == 0
    assert world.names() == []
    world.put(f"new/{DAY}.M2P1.host")
    assert world.bring() == 1


@pytest.mark.parametrize("dies_at", range(1, 7))
def test_a_run_goes_on_where_another_died(world: World, dies_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the moment: at the end each message is there once, whole and with its date."""
    monkeypatch.setattr(module, "BATCH_MESSAGES", 2)
    for number in range(6):
        world.put(f"cur/{DAY + number}.M1P1.host:2,S", b"A: 1\n\n%d\n" % number, DAY + number)
    with pytest.raises(SystemExit):
        world.bring(dies_at=dies_at)
    world.bring()

    assert [(world.box / name).read_bytes()[6:7] for name in world.names()] == [b"%d" % number for number in range(6)]
    assert [int((world.box / name).stat().st_mtime) for name in world.names()] == [DAY + each for each in range(6)]
    assert world.bring() == 0


def test_a_row_that_was_cut_off(world: World) -> None:
    """It says nothing, and spoils no other."""
    world.put(f"cur/{DAY}.M1P1.host:2,S")
    world.bring()
    journal = world.box / os.fsdecode(JOURNAL)
    journal.write_bytes(journal.read_bytes()[:-4])
    world.put(f"cur/{DAY}.M2P1.host:2,S")

    assert world.bring() == 2
    assert len(world.names()) == 2
    assert world.bring() == 0


def test_what_a_killed_run_left_in_tmp(world: World) -> None:
    """It is written anew."""
    world.put(f"cur/{DAY}.M1P1.host:2,S")
    (world.box / f"tmp/{DAY}.M1P1.host,S=8,W=11").write_bytes(b"ha")

    assert world.bring() == 1
    assert (world.box / world.names()[0]).read_bytes() == b"A: 1\n\nx\n"


def test_two_of_one_name(world: World) -> None:
    """The same message, seen while it moved, comes once; another one has a name of its own."""
    for name in (f"new/{DAY}.M1P1.host", f"cur/{DAY}.M1P1.host:2,S", f"cur/{DAY}.M1P1.host:2,RS"):
        world.put(name)
    assert world.bring() == 1
    world.put(f"cur/{DAY}.M1P1.host:2,F", b"quite another\n")

    assert world.bring() == 1
    assert len(world.ids()) == len(set(world.ids())) == 2
    assert world.bring() == 0


def test_names_that_another_message_has(world: World, tmp_path: Path) -> None:
    """One that came from another Maildir, or in another way, keeps nobody's from coming, in this run or the next."""
    (world.box / f"cur/{DAY}.M1P1.host,S=5:2,S").write_bytes(b"here\n")
    (world.box / f"cur/{DAY}.M2P1.host:2,S").write_bytes(b"here, too\n")
    world.put(f"cur/{DAY}.M1P1.host:2,S", b"there, and first\n")
    world.put(f"cur/{DAY}.M2P1.host:2,S", b"here, too\n")
    assert world.bring() == 2
    first = world.found()
    world.old = tmp_path / "another"
    make_folders(str(world.old))
    world.put(f"cur/{DAY}.M1P1.host:2,S", b"another server's\n" * 2)

    assert world.bring() == 1
    assert world.bring() == 0
    assert world.bring(first) == 0
    texts = sorted((world.box / name).read_bytes() for name in world.names())
    assert texts == [b"another server's\n" * 2, b"here\n", b"here, too\n", b"there, and first\n"]
    for name in world.names():
        (world.box / name).unlink()
    assert world.bring() == world.bring(first) == 0


def test_what_was_brought_by_an_older_version(world: World) -> None:
    """It did not write down sizes."""
    text = f"{DAY}.M1P1.host".encode()
    (world.box / os.fsdecode(JOURNAL)).write_bytes(b"mailsuite brought 1\n\n%08x %b\n" % (crc32(text), text))
    world.put(f"cur/{DAY}.M1P1.host:2,S")

    assert world.bring() == 0


def test_a_name_that_is_too_long(world: World) -> None:
    """It has no room for sizes and flags; its beginning stays, so that the order does, and its id is its own."""
    names = [f"cur/{DAY}.{'n' * 230}{number}:2,S" for number in (1, 2)]
    for name in names:
        world.put(name)
    (world.old / "dovecot-uidlist").write_bytes(b"3 V1 N3\n7 :%b\n" % names[0][4:].encode())

    assert world.bring() == 2
    assert all(name.startswith(f"cur/{DAY}.nn") and len(name) < 200 for name in world.names())
    assert "0000000700000001" in world.ids()
    assert len(set(world.ids())) == 2
    assert world.bring() == 0


def test_what_cannot_be_read_keeps_nothing_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of, and comes with a later run."""
    for number in (1, 2, 3):
        world.put(f"cur/{DAY}.M{number}P1.host:2,S")
    really = os.open

    def guarded(path: bytes, flags: int, *more: int) -> int:
        if b"old/cur" in os.fsencode(path) and b"M2P1" in os.fsencode(path):
            raise PermissionError(13, "Permission denied", path)
        return really(path, flags, *more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", guarded)
        bringing = Bringing(str(world.box), Disk(), 0)
        (batch,) = bringing.bring(bringing.waiting(world.found()))
    assert batch.brought == 2
    assert [(each.base, error.strerror) for each, error in batch.unread] == [
        (f"{DAY}.M2P1.host".encode(), "Permission denied")
    ]

    assert world.bring() == 1
    assert len(world.names()) == 3


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_messages(world: World, compress: Callable[[bytes], bytes]) -> None:
    """They come as they were, with their own sizes and ids; a second run knows them."""
    content = b"X-UIDL: q1\nSubject: x\n\nx\n"
    world.put(f"cur/{DAY}.M1P1.host,S={len(content)},W=30:2,SZ", compress(content))

    assert world.bring() == 1
    assert world.names() == [f"cur/{DAY}.M1P1.host,S={len(content)},W={len(content) + 4}:2,S"]
    assert (world.box / world.names()[0]).read_bytes() == content
    assert world.ids() == ["q1"]
    assert world.bring() == 0


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (gzip.compress(b"A: 1\n\nx\n", mtime=0)[:-9], "cut off"),
        (b"\x1f\x8bno gzip", "damaged"),
        (b"\x28\xb5\x2f\xfd...", "by zstd"),
        (b"Dovecot-LZ4\r\n...", "by lz4"),
    ],
)
def test_what_cannot_be_decompressed(world: World, octets: bytes, told: str) -> None:
    """It is told of, and nothing is brought in its place."""
    world.put(f"cur/{DAY}.M1P1.host:2,S", octets)
    bringing = Bringing(str(world.box), Disk(), 0)
    (batch,) = bringing.bring(bringing.waiting(world.found()))

    assert batch.brought == 0
    assert told in str(batch.unread[0][1].strerror)
    assert world.names() == []


def test_gone_meanwhile(world: World) -> None:
    """What its owner removes there while it is brought is told of, and nothing else is lost."""
    world.put(f"cur/{DAY}.M1P1.host:2,S")
    gone = world.put(f"cur/{DAY}.M2P1.host:2,S")
    bringing = Bringing(str(world.box), Disk(), 0)
    left = bringing.waiting(world.found())
    gone.unlink()

    (batch,) = bringing.bring(left)
    assert (batch.brought, batch.gone) == (1, 1)


def test_unique_ids(world: World) -> None:
    """Those of a list, then those of headers; what no two messages can have, or nobody, is refused."""
    for number in (1, 2, 3, 4):
        world.put(f"cur/{DAY + number}.M1P1.host:2,S", b"X-UIDL: head-%d\n\n" % (number if number < 4 else 3))
    world.put(f"cur/{DAY + 5}.M1P1.host:2,S", b"X-UIDL: %b\n\n" % (b"x" * 71))
    (world.old / "dovecot-uidlist").write_bytes(b"3 V16 N5\n10 :%d.M1P1.host:2,\n" % (DAY + 1))
    bringing = Bringing(str(world.box), Disk(), 0)
    left = bringing.waiting(world.found())

    assert len(bringing.keep_ids(left)) == 2
    list(bringing.bring(left))
    assert world.ids() == ["0000000a00000010", "head-2", "head-3", f"{DAY + 4}.M1P1.host", f"{DAY + 5}.M1P1.host"]


def test_ids_of_ours(world: World, tmp_path: Path) -> None:
    """A Maildir of another site of ours keeps those that it had from elsewhere; its names stay as they are."""
    name = f"cur/{DAY}.M000001P7Q1o,S=3,W=3:2,S"
    world.put(name, b"a\nb")
    (world.old / "courierpop3dsizelist").write_bytes(b"/3 9 77\n%b 5 4:77:0\n" % name[4:].encode())
    world.bring()
    assert world.names() == [name]
    world.old = world.box
    world.box = tmp_path / "third"
    make_folders(str(world.box))
    world.bring()

    assert world.ids() == ["UID4-77"]
    assert list(take_listing(str(world.box))[0].sizes) == [5]


def test_a_name_like_ours(world: World) -> None:
    """Of a file that is not what such a name says: it is listed with what is sent."""
    world.put(f"cur/{DAY}.M000001P7Q1o,S=3,W=3:2,S", b"a\r\nb\r\n")
    world.put(f"cur/{DAY}.M000001P7Q2:2,S", b"a\r\nb")
    world.bring()

    assert list(take_listing(str(world.box))[0].sizes) == [6, 6]


def test_free_space(world: World) -> None:
    """What has to stay free stays free."""
    world.put(f"cur/{DAY}.M1P1.host:2,S")
    with pytest.raises(NoRoom, match="free_floor"):
        world.bring(floor=1 << 62)

    assert world.names() == []


def test_an_unreadable_list(world: World) -> None:
    """It is named."""
    (world.old / "dovecot-uidlist").write_bytes(b"ha\n")
    with pytest.raises(BadSource, match=r"old/dovecot-uidlist.*version"):
        world.found()


@pytest.mark.parametrize("name", ["dovecot-uidlist", "courierpop3dsizelist"])
def test_a_list_that_is_no_file(world: World, name: str) -> None:
    """Nothing waits for a pipe."""
    os.mkfifo(world.old / name)
    with pytest.raises(BadSource, match="no regular file"):
        world.found()


def test_mbox(world: World, tmp_path: Path) -> None:
    """Its messages have the same names in each run, whatever was noted of them or removed before them meanwhile."""
    mark = b"From a@b Thu Jan  1 00:00:%02d 2026\n"
    one, two = mark % 1 + b"X-UIDL: q1\nA: 1\n\nx\n\n", mark % 2 + b"A: 2\nStatus: RO\n\nx\n\n"
    box = tmp_path / "mbox"
    box.write_bytes(one + two + two)
    assert world.bring(list(mbox_messages(os.fsencode(box)))) == 3
    assert world.ids()[0] == "q1"
    assert [name.endswith(",S=11,W=11:2,S") for name in world.names()] == [True, True, False]
    assert int((world.box / world.names()[2]).stat().st_mtime) == 1_767_225_601
    box.write_bytes(two.replace(b"RO", b"O") + two + mark % 3 + b"A: 3\n\nx\n")

    assert world.bring(list(mbox_messages(os.fsencode(box)))) == 1
    assert len(set(world.ids())) == 4


def test_a_new_folder_is_durable_before_its_mail_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own name, too, is in a folder that has to be synced."""
    world = World(tmp_path)
    (world.old / "dovecot-uidlist").write_text("3 V7 N9\n1 :1700000001.M1P1.h:2,S\n")
    world.put("cur/1700000001.M1P1.h:2,S")
    synced: list[str] = []
    monkeypatch.setattr(module, "fsync_path", synced.append)
    box, world.box = world.box, world.box / ".Sent"

    assert world.bring() == 1
    assert str(box) in synced


def test_what_is_kept_of_a_message(world: World) -> None:
    """Folders with a million messages are moved: half a KiB each, however deep they lie."""
    for number in range(500):
        world.put(f"cur/{DAY + number}.M{number:06d}P1234.mail.example.org,S=9,W=12:2,RS")
    world.found()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        found = world.found()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(found) < 512
    assert {each.flags for each in found} == {b"RS"}


def test_half_a_rename(tmp_path: Path) -> None:
    """After a power cut a message may have both its names: it is here, and the other one goes."""
    world = World(tmp_path)
    world.put("cur/1700000001.M1P1.h:2,S")
    world.bring()
    (world.box / os.fsdecode(JOURNAL)).unlink()
    (there,) = (world.box / "cur").iterdir()
    os.link(there, world.box / "tmp" / there.name.partition(":")[0])

    assert world.bring() == 1
    assert not [*(world.box / "tmp").iterdir()]
    assert [*(world.box / "cur").iterdir()] == [there]
