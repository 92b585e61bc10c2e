"""Delivery into Maildirs: written once, linked, named so that nothing has to be read later (lessons 12, 27 and 31)."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IReceipt
from mailsuite.mailbox import maildir as maildir_module
from mailsuite.mailbox.draft import MEMORY_OCTETS
from mailsuite.mailbox.maildir import Names, Receipt
from mailsuite.outcome import DELIVERED, Deferred
from tests.mailbox.files import ALICE, BOB, CAROL, MailRoot, mode, small_volume

SMALL = b"Subject: x\r\n\r\nhello\r\n"
LARGE = SMALL + b"x" * 78 + b"\r\n" * MEMORY_OCTETS
CONTENTS = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
ORDERS = [(ALICE,), (ALICE, BOB), (ALICE, BOB, CAROL)]


@pytest.fixture
def mail(tmp_path: Path) -> MailRoot:
    """An empty mail root."""
    return MailRoot(tmp_path)


def refuse(code: int, wanted: Callable[[str], bool] = lambda path: True) -> Callable[..., Any]:
    """Return a system call that fails with *code* for the paths that are *wanted*."""

    def call(*paths: str) -> None:
        if any(wanted(str(path)) for path in paths):
            raise OSError(code, os.strerror(code), *paths)
        raise AssertionError("not called for these paths")

    return call


def test_interface() -> None:
    """A receipt is what the intake asks for."""
    assert verifyObject(IReceipt, Receipt())


@CONTENTS
@pytest.mark.parametrize("boxes", ORDERS, ids=len)
def test_delivery(mail: MailRoot, content: bytes, boxes: tuple[Any, ...]) -> None:
    """Each mailbox has the message in new/, whole; folders are made on the first delivery; nothing is left over."""
    receipt = mail.deliver(content, *boxes)

    assert receipt.outcomes == (DELIVERED,) * len(boxes)
    for box in boxes:
        assert mail.contents(box) == [content]
        assert mail.files(box, "cur") == []
    assert mail.leftovers() == []


@CONTENTS
def test_content_is_written_once(mail: MailRoot, content: bytes) -> None:
    """All mailboxes share one file."""
    mail.deliver(content, ALICE, BOB, CAROL)
    (one,), (two,), (three,) = mail.files(ALICE), mail.files(BOB), mail.files(CAROL)

    assert one.stat().st_ino == two.stat().st_ino == three.stat().st_ino
    assert one.stat().st_nlink == 3


@CONTENTS
def test_modes(mail: MailRoot, content: bytes) -> None:
    """Mail is its owner's alone: folders 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        mail.deliver(content, ALICE)
    finally:
        os.umask(before)
    path = mail.root / ALICE.path

    assert [mode(folder) for folder in (path.parent, path, path / "new", path / "cur", path / "tmp")] == [0o700] * 5
    assert mode(mail.files(ALICE)[0]) == 0o600


@CONTENTS
def test_names_tell_the_size(mail: MailRoot, content: bytes) -> None:
    """``,S=`` is the size on disk and ``,W=`` that with CRLF line ends: ours are equal."""
    mail.deliver(content, ALICE)
    (path,) = mail.files(ALICE)

    assert path.name.endswith(f",S={len(content)},W={len(content)}")
    assert path.stat().st_size == len(content)


def test_unique_part_of_names() -> None:
    """At most 40 octets, in the order of delivery, never twice, though the clock stands still or goes back."""
    times = iter([5.5, 5.5, 4.0, 1e10, 1e10])
    names = Names(lambda: next(times), "4194304")
    given = [names.next() for _ in range(5)]

    assert len(set(given)) == 5
    for name in given:
        assert re.fullmatch(r"\d+\.M\d{6}P4194304Q[0-9a-f]+", name)
        assert len(name) <= 40


def test_a_receipt_knows_what_must_be_durable(mail: MailRoot) -> None:
    """The names in new/, their folders, and the folders in which folders were made; the file systems."""
    receipt = mail.deliver(SMALL, ALICE)
    domain = mail.root / "b.example"

    assert receipt.names == [str(mail.files(ALICE)[0])]
    assert set(receipt.folders) == {str(mail.root), str(domain), str(domain / "alice"), str(domain / "alice" / "new")}
    assert receipt.devices == {mail.root.stat().st_dev}
    assert mail.deliver(SMALL, ALICE).folders == [str(domain / "alice" / "new")]


class TestWithdraw:
    """Names that must not be shown."""

    @CONTENTS
    def test_withdraw(self, mail: MailRoot, content: bytes) -> None:
        """No mailbox shows the message any more; doing it twice is no harm."""
        receipt = mail.deliver(content, ALICE, BOB)
        receipt.withdraw()
        receipt.withdraw()

        assert mail.contents(ALICE) == mail.contents(BOB) == []

    def test_what_is_gone_is_gone(self, mail: MailRoot) -> None:
        """A message that was read and removed meanwhile is no error."""
        receipt = mail.deliver(SMALL, ALICE, BOB)
        mail.files(ALICE)[0].unlink()
        receipt.withdraw()

        assert mail.contents(BOB) == []

    def test_one_that_cannot_be_removed(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        """The others are removed all the same, and the error is told."""
        receipt = mail.deliver(SMALL, ALICE, BOB, CAROL)
        real = os.unlink

        def unlink(path: str) -> None:
            if "/bob/" in path:
                raise OSError(errno.EIO, "Input/output error")
            real(path)

        monkeypatch.setattr(os, "unlink", unlink)
        with pytest.raises(OSError, match="Input/output"):
            receipt.withdraw()

        assert mail.contents(ALICE) == mail.contents(CAROL) == []


class TestFallBack:
    """Where a link cannot be had, a copy is written."""

    @CONTENTS
    @pytest.mark.parametrize("code", [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP])
    def test_no_link(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch, code: int, content: bytes) -> None:
        """Each mailbox has a file of its own then, with the same name and content."""
        monkeypatch.setattr(os, "link", refuse(code))
        receipt = mail.deliver(content, ALICE, BOB)
        (one,), (two,) = mail.files(ALICE), mail.files(BOB)

        assert receipt.outcomes == (DELIVERED, DELIVERED)
        assert sorted(receipt.names) == [str(one), str(two)]
        assert one.read_bytes() == two.read_bytes() == content
        assert one.stat().st_ino != two.stat().st_ino
        assert one.name == two.name
        assert mode(two) == 0o600
        assert mail.leftovers() == []

    def test_another_file_system(self, mail: MailRoot) -> None:
        """A domain on a volume of its own: the large draft that lies on the root's is copied there."""
        with small_volume(mail.root / "c.example", 10_000_000) as volume:
            receipt = mail.deliver(LARGE, CAROL, ALICE)

            assert receipt.outcomes == (DELIVERED, DELIVERED)
            assert mail.contents(CAROL) == mail.contents(ALICE) == [LARGE]
            assert receipt.devices == {mail.root.stat().st_dev, volume.stat().st_dev}
            assert mail.leftovers() == []

    def test_a_large_message_to_a_new_mailbox_elsewhere(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch) -> None:
        """Folders that were missing are made before it shows that a copy is needed: one try is enough."""
        real = os.rename

        def rename(source: str, target: str) -> None:
            if f"/{maildir_module._TMP}/" not in source and os.path.isdir(os.path.dirname(target)):
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)

        assert mail.deliver(LARGE, ALICE).outcomes == (DELIVERED,)
        assert mail.contents(ALICE) == [LARGE]
        assert mail.leftovers() == []


class TestTrouble:
    """A mailbox that cannot be written to is put off, and the others have the message."""

    @CONTENTS
    @pytest.mark.parametrize("bad", [0, 1, 2])
    def test_unwritable_mailbox(self, mail: MailRoot, bad: int, content: bytes) -> None:
        """Where its folder is a file, say; whichever of the mailboxes it is."""
        boxes = [ALICE, BOB, CAROL]
        broken = mail.root / boxes[bad].path
        broken.parent.mkdir(exist_ok=True)
        broken.write_bytes(b"not a folder")
        receipt = mail.deliver(content, *boxes)

        for index, (box, outcome) in enumerate(zip(boxes, receipt.outcomes, strict=True)):
            if index == bad:
                assert isinstance(outcome, Deferred)
                assert outcome.status == "4.2.0"
            else:
                assert outcome is DELIVERED
                assert mail.contents(box) == [content]
        assert mail.leftovers() == []

    @CONTENTS
    def test_no_mailbox_can_be_written_to(self, mail: MailRoot, content: bytes) -> None:
        """All are put off, and nothing is left."""
        (mail.root / "b.example").write_bytes(b"not a folder")
        receipt = mail.deliver(content, ALICE, BOB)

        assert [type(outcome) for outcome in receipt.outcomes] == [Deferred, Deferred]
        assert receipt.names == []
        assert mail.leftovers() == []

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    def test_no_space(self, mail: MailRoot, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        """A full disk, or a full quota, has a status of its own (RFC 3463 §3.4, X.3.1)."""
        mail.deliver(SMALL, ALICE)
        monkeypatch.setattr(
            maildir_module, "write_all", lambda fd, chunks: (_ for _ in ()).throw(OSError(code, os.strerror(code)))
        )
        (outcome,) = mail.deliver(SMALL, ALICE).outcomes

        assert isinstance(outcome, Deferred)
        assert outcome.status == "4.3.1"
        assert mail.leftovers() == []

    @CONTENTS
    def test_a_full_volume(self, mail: MailRoot, content: bytes) -> None:
        """On a real file system that fills up: 4.3.1, nothing half is shown, what was there stays whole."""
        with small_volume(mail.root / "c.example", 16_384):
            receipts = [mail.deliver(content * (1 + 4096 // len(content)), CAROL) for _ in range(8)]
            last = receipts[-1].outcomes[0]

            assert isinstance(last, Deferred)
            assert last.status == "4.3.1"
            assert set(mail.contents(CAROL)) <= {content * (1 + 4096 // len(content))}
            assert mail.leftovers() == []

    def test_the_draft_is_gone(self, mail: MailRoot) -> None:
        """A draft that somebody removed is no exception: the mailboxes are put off."""
        draft = mail.draft(LARGE)
        assert draft.path is not None
        os.unlink(draft.path)
        receipt = mail.writer.deliver(draft, [ALICE])

        assert isinstance(receipt.outcomes[0], Deferred)
        assert mail.contents(ALICE) == []
