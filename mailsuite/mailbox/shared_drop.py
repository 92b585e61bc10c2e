"""A shared mailbox as one login sees it: without what it has hidden. DELE hides, and removes nothing."""

from array import array
from collections.abc import Callable, Sequence, Set

from zope.interface import implementer

from mailsuite.interfaces import IContent, IListing, IMaildrop
from mailsuite.mailbox.content import InThread
from mailsuite.mailbox.listing import Column, Listing
from mailsuite.mailbox.maildrop import Maildrop
from mailsuite.mailbox.sharing import Sharing
from mailsuite.maybe import Maybe

# So many messages are looked at a time, so that other threads have their turn in between.
_PIECE = 1024


@implementer(IListing)
class View:
    """See `IListing`: the messages *indexes* of *listing*, numbered anew."""

    __slots__ = ("_listing", "indexes", "octets", "sizes", "unique_ids")

    def __init__(self, listing: Listing, indexes: Sequence[int]) -> None:
        self._listing = listing
        self.indexes = indexes
        self.sizes = Column(len(indexes), lambda number: listing.sizes[indexes[number]])
        self.unique_ids = Column(len(indexes), lambda number: listing.unique_id(indexes[number]))
        self.octets = sum(self.sizes)

    def size_rows(self, start: int, stop: int) -> bytes:
        """See `IListing.size_rows`."""
        return b"".join([b"%d %d\r\n" % (number + 1, self.sizes[number]) for number in range(start, stop)])

    def id_rows(self, start: int, stop: int) -> bytes:
        """See `IListing.id_rows`."""
        ids = self.unique_ids
        return b"".join([b"%d %b\r\n" % (number + 1, ids[number].encode("ascii")) for number in range(start, stop)])


def view(listing: Listing, hidden: Set[bytes]) -> View | Listing:
    """Return *listing* without the messages whose unique ids are *hidden*; itself where none is. Blocks."""
    if not hidden:
        return listing
    indexes = array("I")
    for start in range(0, len(listing), _PIECE):
        stop = min(start + _PIECE, len(listing))
        ids = [row.partition(b" ")[2] for row in listing.id_rows(start, stop).split(b"\r\n")[:-1]]
        indexes.extend([start + number for number, each in enumerate(ids) if each not in hidden])
    return listing if len(indexes) == len(listing) else View(listing, indexes)


@implementer(IMaildrop)
class SharedMaildrop:
    """See `IMaildrop`: *whole* as *reader* sees it, with the numbers of *seen*. *now* gives POSIX seconds."""

    def __init__(
        self,
        whole: Maildrop,
        seen: View | Listing,
        sharing: Sharing,
        reader: str,
        now: Callable[[], float],
        in_thread: InThread,
    ) -> None:
        self._whole = whole
        self._seen = seen
        self._sharing = sharing
        self._reader = reader
        self._now = now
        self._in_thread = in_thread

    def listing(self) -> View | Listing:
        """See `IMaildrop.listing`."""
        return self._seen

    def read(self, number: int, whole: bool = True) -> Maybe[IContent]:
        """See `IMaildrop.read`."""
        return self._whole.read(self._index(number), whole)

    def at_hand(self, number: int) -> bytes | None:
        """See `IMaildrop.at_hand`."""
        return self._whole.at_hand(self._index(number))

    def mark_seen(self, number: int) -> None:
        """See `IMaildrop.mark_seen`."""
        self._whole.mark_seen(self._index(number))

    def remove(self, numbers: Sequence[int]) -> Maybe[Sequence[int]]:
        """See `IMaildrop.remove`: they are hidden from this login, durably."""
        return self._hide(numbers) if numbers else ()

    def close(self) -> None:
        """See `IMaildrop.close`."""
        self._whole.close()

    async def _hide(self, numbers: Sequence[int]) -> Sequence[int]:
        ids = [self._seen.unique_ids[number] for number in numbers]
        await self._in_thread(self._sharing.hide, self._reader, ids, self._now())
        return ()

    def _index(self, number: int) -> int:
        return self._seen.indexes[number] if isinstance(self._seen, View) else number
