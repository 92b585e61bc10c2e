"""The mail store: Maildirs below one root, as `IMailStore`."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IDraft, IMaildrop, IMailStore, IReceipt, ISharedState
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.draft import Draft
from mailsuite.mailbox.layout import INCOMING, create_maildir, maildir
from mailsuite.mailbox.maildir import Names, Receipt, Writer
from mailsuite.mailbox.maildrop import InThread, open_maildrop
from mailsuite.mailbox.recovery import remove_stale
from mailsuite.mailbox.sync import fsync_path
from mailsuite.meaning import Mailbox

# Free space is asked for at most this often, in seconds.
ROOM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """What tells the time: *now* in POSIX seconds, *seconds* monotonic."""

    now: Callable[[], float]
    seconds: Callable[[], float]


@implementer(IMailStore)
class MaildirStore:
    """See `IMailStore`. *floor* is the free space, in octets, below which no mail is taken.

    *locks* is where maildrops are locked, *in_thread* runs what may take long off the reactor's thread.
    """

    def __init__(
        self,
        writer: Writer,
        names: Names,
        barrier: Barrier,
        locks: ISharedState,
        in_thread: InThread,
        floor: int,
        clocks: Clocks,
    ) -> None:
        self._writer = writer
        self._names = names
        self._barrier = barrier
        self._locks = locks
        self._in_thread = in_thread
        self._floor = floor
        self._clocks = clocks
        self._free = 0
        self._free_known = float("-inf")

    def has_room(self, size: int) -> bool:
        """See `IMailStore.has_room`."""
        now = self._clocks.seconds()
        if now - self._free_known >= ROOM_SECONDS:
            volume = os.statvfs(self._writer.root)
            self._free = volume.f_bavail * volume.f_frsize if volume.f_favail or not volume.f_files else 0
            self._free_known = now
        return self._free - size >= self._floor

    def draft(self) -> IDraft:
        """See `IMailStore.draft`."""
        return cast(IDraft, Draft(f"{self._writer.root}/{INCOMING}/{self._names.next()}"))

    def deliver(self, draft: IDraft, mailboxes: Sequence[Mailbox], keep: bool = False) -> IReceipt:
        """See `IMailStore.deliver`."""
        return cast(IReceipt, self._writer.deliver(cast(Draft, draft), mailboxes, keep))

    def barrier(self, receipts: Sequence[IReceipt]) -> "Deferred[None] | None":
        """See `IMailStore.barrier`."""
        return self._barrier.commit(cast(Sequence[Receipt], receipts))

    def create(self, mailbox: Mailbox) -> None:
        """See `IMailStore.create`: durable at once, since no barrier of a later message looks at these folders."""
        for folder in create_maildir(self._writer.root, mailbox):
            fsync_path(folder)

    async def open(self, mailbox: Mailbox) -> IMaildrop:
        """See `IMailStore.open`. Files that a dead delivery left in ``tmp/`` are removed on the way."""
        path = maildir(self._writer.root, mailbox)
        self.create(mailbox)
        maildrop = await open_maildrop(path, self._locks, self._names.next(), self._in_thread)
        try:
            await self._in_thread(remove_stale, path, self._clocks.now())
        except OSError:
            maildrop.close()
            raise
        return cast(IMaildrop, maildrop)
