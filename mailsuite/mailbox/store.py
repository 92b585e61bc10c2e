"""The mail store: Maildirs below one root, as `IMailStore`."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.durable import fsync_path
from mailsuite.interfaces import IDraft, IMaildrop, IMailStore, IQuotas, IReceipt, MaildropInUse, NoSuchFolder
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.content import InThread
from mailsuite.mailbox.draft import Draft
from mailsuite.mailbox.layout import INCOMING, create_maildir, maildir
from mailsuite.mailbox.listing import Listing
from mailsuite.mailbox.listings import Listings, Times
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildir import Names, Receipt, Writer
from mailsuite.mailbox.maildirsize import Ledger
from mailsuite.mailbox.maildrop import Maildrop
from mailsuite.mailbox.recovery import remove_stale
from mailsuite.mailbox.shared_drop import SharedMaildrop, View, view
from mailsuite.mailbox.sharing import Sharing, is_shared
from mailsuite.maybe import Maybe
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED

# Free space is asked for at most this often, in seconds.
ROOM_SECONDS = 1.0
_LEDGER = Ledger()


@dataclass(frozen=True, slots=True)
class Clocks:
    """What tells the time: *now* in POSIX seconds, *seconds* monotonic."""

    now: Callable[[], float]
    seconds: Callable[[], float]


@implementer(IMailStore)
class MaildirStore:
    """See `IMailStore`. *floor* is the free space, in octets, below which no mail is taken.

    *listings* keeps listings between sessions, *locks* is where maildrops are locked, *in_thread* runs what may take
    long off the reactor's thread, *ledger* is told of what is removed.
    """

    def __init__(
        self,
        writer: Writer,
        names: Names,
        barrier: Barrier,
        listings: Listings,
        locks: Locks,
        in_thread: InThread,
        floor: int,
        clocks: Clocks,
        ledger: Ledger = _LEDGER,
    ) -> None:
        self._writer = writer
        self._names = names
        self._barrier = barrier
        self._listings = listings
        self._locks = locks
        self._in_thread = in_thread
        self._floor = floor
        self._clocks = clocks
        self._ledger = ledger
        # Told of what is delivered; given once both are made.
        self.quotas: IQuotas | None = None
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
        return cast(IDraft, Draft(self._place))

    def _place(self) -> str:
        return f"{self._writer.root}/{INCOMING}/{self._names.next()}"

    def deliver(self, draft: IDraft, mailboxes: Sequence[Mailbox], keep: bool = False) -> IReceipt:
        """See `IMailStore.deliver`."""
        told = self._told(mailboxes)
        size = draft.size
        receipt = self._writer.deliver(cast(Draft, draft), mailboxes, keep)
        if told:
            for name in receipt.names:
                path, _, file_name = name.rpartition("/new/")
                if path in told:
                    self._listings.delivered(path, told[path], file_name)
        if self.quotas is not None:
            reached = [box for box, outcome in zip(mailboxes, receipt.outcomes, strict=True) if outcome is DELIVERED]
            for box in reached:
                self.quotas.delivered(box, size)
            receipt.withdrawn = partial(self._withdrawn, reached, size)
        return cast(IReceipt, receipt)

    def _withdrawn(self, mailboxes: Sequence[Mailbox], size: int) -> None:
        assert self.quotas is not None
        for box in mailboxes:
            self.quotas.withdrawn(box, size)

    def barrier(self, receipts: Sequence[IReceipt]) -> "Deferred[None] | None":
        """See `IMailStore.barrier`."""
        return self._barrier.commit(cast(Sequence[Receipt], receipts))

    def create(self, mailbox: Mailbox) -> None:
        """See `IMailStore.create`: durable at once, since no barrier of a later message looks at these folders."""
        for folder in create_maildir(self._writer.root, mailbox):
            fsync_path(folder)

    def open(self, mailbox: Mailbox, reader: str) -> Maybe[IMaildrop]:
        """See `IMailStore.open`: at once where the mailbox's listing is kept.

        Where it is not, files that a dead delivery left in ``tmp/`` are removed on the way.
        """
        path = maildir(self._writer.root, mailbox)
        if mailbox.folder and not os.path.isdir(f"{path}/cur"):
            raise NoSuchFolder(mailbox.folder)
        shared = is_shared(path)
        # Who shares a mailbox shuts out only himself, and whoever wants it alone.
        locks = [path, f"{path}#{reader}"] if shared else [path]
        taken = [name for name in locks if self._locks.acquire(name, shared and name == path)]

        def release() -> None:
            while taken:
                self._locks.release(taken.pop())

        if len(taken) < len(locks):
            release()
            raise MaildropInUse(path)
        try:
            listing = self._listings.current(path)
        except BaseException:
            release()
            raise
        if shared:
            return self._open_shared(mailbox, path, listing, reader, release)
        if listing is None:
            return cast(Awaitable[IMaildrop], self._open_later(mailbox, path, release))
        return cast(IMaildrop, self._maildrop(path, listing, release))

    async def _open_shared(
        self, mailbox: Mailbox, path: str, listing: Listing | None, reader: str, release: Callable[[], None]
    ) -> IMaildrop:
        if listing is None:
            whole = await self._open_later(mailbox, path, release)
        else:
            whole = self._maildrop(path, listing, release)
        try:
            sharing = Sharing(path)
            seen, over = await self._in_thread(self._look, sharing, whole.listing(), reader)
            removed = whole.remove(over)
            if isinstance(removed, Awaitable):
                await removed
        except BaseException:
            whole.close()
            raise
        return cast(IMaildrop, SharedMaildrop(whole, seen, sharing, reader, self._clocks.now, self._in_thread))

    def _look(self, sharing: Sharing, listing: Listing, reader: str) -> tuple[View | Listing, list[int]]:
        """Return what *reader* sees of *listing*, and the messages that all have hidden for long enough."""
        sharing.join(reader)
        sharing.tidy(reader, listing.unique_ids)
        over = sharing.over(self._clocks.now())
        gone = [index for index, each in enumerate(listing.unique_ids) if each.encode("ascii") in over] if over else []
        return view(listing, sharing.hidden(reader).keys() | over), gone

    async def _open_later(self, mailbox: Mailbox, path: str, release: Callable[[], None]) -> Maildrop:
        try:
            taken = await self._in_thread(self._take, mailbox, path)
        except BaseException:
            release()
            raise
        self._listings.keep(path, *taken)
        return self._maildrop(path, taken[0], release)

    def _take(self, mailbox: Mailbox, path: str) -> tuple[Listing, Times, float]:
        self.create(mailbox)
        remove_stale(path, self._clocks.now())
        return self._listings.take(path)

    def _maildrop(self, path: str, listing: Listing, release: Callable[[], None]) -> Maildrop:
        return Maildrop(path, listing, self._listings, release, self._in_thread, self._ledger)

    def _told(self, mailboxes: Sequence[Mailbox]) -> dict[str, Times]:
        """Return how things stand in those of *mailboxes* whose listings are kept."""
        told: dict[str, Times] = {}
        for mailbox in mailboxes:
            path = maildir(self._writer.root, mailbox)
            before = self._listings.before(path)
            if before is not None:
                told[path] = before
        return told
