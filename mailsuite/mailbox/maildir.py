"""Writes a message into Maildirs: once into ``tmp/``, a name in ``new/`` of each mailbox.

File names carry ``,S=`` (octets on disk) and ``,W=`` (octets with CRLF line ends); we store CRLF, so ours are equal.
`mailsuite.mailbox.names.OPEN` marks what does not end in CRLF.
Nothing is durable here: `mailsuite.mailbox.barrier` makes it so, names and content with one commit.
"""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from zope.interface import implementer

from mailsuite.interfaces import IReceipt
from mailsuite.mailbox.draft import Draft, create, write_all
from mailsuite.mailbox.layout import create_maildir, maildir
from mailsuite.mailbox.names import OPEN
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED, Deferred, Outcome

# Where a hard link cannot be had, a copy is written: another file system, too many links, links not allowed.
_NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP})
_COPY_OCTETS = 1 << 20
_TMP = "tmp"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Names:
    """Unique names for deliveries: at most 40 octets, in the order of delivery, no host name.

    *wall_clock* gives seconds since the epoch, *process* a text that no other process on this mail root has now.
    """

    def __init__(self, wall_clock: Callable[[], float], process: str) -> None:
        self._wall_clock = wall_clock
        self._process = process
        self._count = 0

    def next(self) -> str:
        """Return a name that was never given before."""
        self._count += 1
        seconds, fraction = divmod(self._wall_clock(), 1)
        return f"{int(seconds)}.M{int(fraction * 1_000_000):06d}P{self._process}Q{self._count:x}"


@implementer(IReceipt)
@dataclass(slots=True)
class Receipt:
    """What one delivery has made; see `IReceipt`."""

    outcomes: tuple[Outcome, ...] = ()
    # The names in new/, and every folder whose entries changed.
    names: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    devices: set[int] = field(default_factory=set)
    # To be told when it is withdrawn.
    withdrawn: Callable[[], None] | None = None

    def withdraw(self) -> None:
        """See `IReceipt.withdraw`."""
        names, self.names = self.names, []
        told, self.withdrawn = self.withdrawn, None
        if told is not None:
            told()
        trouble: OSError | None = None
        for name in names:
            try:
                os.unlink(name)
            except FileNotFoundError:
                continue
            except OSError as error:
                # The others are taken back all the same.
                trouble = error
        if trouble is not None:
            raise trouble


class Writer:
    """Delivers finished drafts below one mail root."""

    def __init__(self, root: str, names: Names) -> None:
        self.root = root
        self._names = names

    def deliver(self, draft: Draft, mailboxes: Sequence[Mailbox], keep: bool = False) -> Receipt:
        """Give *draft* a name in each of *mailboxes*, none of them twice; see `IMailStore.deliver`."""
        receipt = Receipt()
        name = self._names.next() + (OPEN if draft.ends_open else "")
        waiting = list(mailboxes)
        deferred: dict[Mailbox, Outcome] = {}
        try:
            draft.close()
            if draft.path is not None:
                receipt.devices.add(os.stat(draft.path).st_dev)
        except OSError as error:
            waiting, deferred = [], dict.fromkeys(mailboxes, _outcome(error))
        # The first mailbox that can be written to is the home of the file.
        while draft.path is None and waiting:
            try:
                self._write(draft, waiting[0], name, receipt)
            except OSError as error:
                deferred[waiting.pop(0)] = _outcome(error)
        name += f",S={draft.size},W={draft.size}"
        # The others are linked to it; its own name comes last, by a rename.
        for mailbox in reversed(waiting):
            try:
                move = mailbox is waiting[0] and not (keep or deferred)
                self._place(draft, mailbox, name, receipt, move)
            except OSError as error:
                deferred[mailbox] = _outcome(error)
        if keep or deferred:
            _back_to_memory(draft)
        else:
            draft.discard()
        receipt.outcomes = tuple(deferred.get(mailbox, DELIVERED) for mailbox in mailboxes)
        return receipt

    def _write(self, draft: Draft, mailbox: Mailbox, name: str, receipt: Receipt) -> None:
        """Write *draft* into the mailbox's tmp/."""
        path = f"{maildir(self.root, mailbox)}/{_TMP}/{name}"
        fd = self._create(path, mailbox, receipt)
        draft.path = path
        try:
            write_all(fd, draft.chunks)
        except OSError:
            draft.path = None
            os.unlink(path)
            raise
        finally:
            os.close(fd)

    def _create(self, path: str, mailbox: Mailbox, receipt: Receipt) -> int:
        try:
            fd = create(path)
        except FileNotFoundError:
            receipt.folders += create_maildir(self.root, mailbox)
            fd = create(path)
        receipt.devices.add(os.fstat(fd).st_dev)
        return fd

    def _place(self, draft: Draft, mailbox: Mailbox, name: str, receipt: Receipt, move: bool) -> None:
        """Name the file in the mailbox's new/."""
        assert draft.path is not None
        folder = f"{maildir(self.root, mailbox)}/new"
        target = f"{folder}/{name}"
        place = os.rename if move else os.link
        try:
            try:
                place(draft.path, target)
            except FileNotFoundError:
                receipt.folders += create_maildir(self.root, mailbox)
                place(draft.path, target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            self._copy(draft.path, mailbox, target, receipt)
            move = False
        if move:
            draft.path = None
        receipt.names.append(target)
        receipt.folders.append(folder)

    def _copy(self, source: str, mailbox: Mailbox, target: str, receipt: Receipt) -> None:
        """Write the message anew where it cannot be linked to."""
        path = f"{maildir(self.root, mailbox)}/{_TMP}/{os.path.basename(target)}"
        fd = self._create(path, mailbox, receipt)
        try:
            with open(source, "rb") as original:
                while octets := original.read(_COPY_OCTETS):
                    write_all(fd, [octets])
            os.rename(path, target)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)


def _back_to_memory(draft: Draft) -> None:
    """A message that was in memory needs the file no more that it was written to; one that never was keeps it."""
    if draft.chunks and draft.path is not None:
        path, draft.path = draft.path, None
        with suppress(OSError):
            os.unlink(path)


def _outcome(error: OSError) -> Deferred:
    if error.errno in _NO_SPACE:
        return Deferred("4.3.1", f"No space on disk: {error}")
    return Deferred("4.2.0", f"The mailbox cannot be written to: {error}")
