"""The mail store: Maildirs below one root, as `IMailStore`."""

import os
from collections.abc import Callable, Sequence
from typing import cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IDraft, IMailStore, IReceipt, ISharedState
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.draft import Draft
from mailsuite.mailbox.layout import INCOMING, create_maildir
from mailsuite.mailbox.maildir import Names, Receipt, Writer
from mailsuite.meaning import Mailbox

# Free space is asked for at most this often, in seconds.
ROOM_SECONDS = 1.0


@implementer(IMailStore)
class MaildirStore:
    """See `IMailStore`. *floor* is the free space, in octets, below which no mail is taken."""

    def __init__(
        self,
        writer: Writer,
        names: Names,
        barrier: Barrier,
        locks: ISharedState,
        floor: int,
        seconds: Callable[[], float],
    ) -> None:
        self._writer = writer
        self._names = names
        self._barrier = barrier
        self._locks = locks
        self._floor = floor
        self._seconds = seconds
        self._free = 0
        self._free_known = -ROOM_SECONDS

    def has_room(self, size: int) -> bool:
        """See `IMailStore.has_room`."""
        now = self._seconds()
        if now - self._free_known >= ROOM_SECONDS:
            volume = os.statvfs(self._writer.root)
            self._free = volume.f_bavail * volume.f_frsize if volume.f_favail or not volume.f_files else 0
            self._free_known = now
        return self._free - size >= self._floor

    def draft(self) -> IDraft:
        """See `IMailStore.draft`."""
        return cast(IDraft, Draft(f"{self._writer.root}/{INCOMING}/{self._names.next()}"))

    def deliver(self, draft: IDraft, mailboxes: Sequence[Mailbox]) -> IReceipt:
        """See `IMailStore.deliver`."""
        return cast(IReceipt, self._writer.deliver(cast(Draft, draft), mailboxes))

    def barrier(self, receipts: Sequence[IReceipt]) -> "Deferred[None] | None":
        """See `IMailStore.barrier`."""
        return self._barrier.commit(cast(Sequence[Receipt], receipts))

    def create(self, mailbox: Mailbox) -> None:
        """See `IMailStore.create`."""
        create_maildir(self._writer.root, mailbox)
