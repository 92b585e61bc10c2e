"""A Maildir as a locked maildrop (RFC 1939 §4): read by number, removed durably at the end, and only then."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from zope.interface import implementer

from mailsuite.durable import fsync_path
from mailsuite.interfaces import IContent, IMaildrop
from mailsuite.mailbox.content import (
    ForeignContent,
    InThread,
    LoadedContent,
    Missized,
    PromptContent,
    StoredContent,
    open_content,
    wire_size,
)
from mailsuite.mailbox.listing import Listing
from mailsuite.mailbox.listings import REMOVALS, Listings, Times
from mailsuite.mailbox.maildirsize import Ledger, size_of
from mailsuite.mailbox.measured import Measured
from mailsuite.mailbox.message_file import WouldBlock
from mailsuite.mailbox.names import base, sizes
from mailsuite.mailbox.scan import PREFIX, folder_times, scan
from mailsuite.maybe import Maybe

# A larger message is not read before it is asked for: a session at rest is to hold little.
AT_HAND_OCTETS = 8192
# What other programs mostly make of a name: looked for before the whole mailbox is.
_USUAL_FLAGS = (b"", b"S", b"RS", b"FS", b"F", b"ST")


@implementer(IMaildrop)
class Maildrop:
    """See `IMaildrop`. *release* gives the lock back; it is called once. *listings* and *ledger* are told of
    removals."""

    __slots__ = (
        "_in_thread",
        "_ledger",
        "_listing",
        "_listings",
        "_moved",
        "_path",
        "_release",
        "_root",
        "_still",
        "_taken",
    )

    def __init__(
        self,
        path: str,
        listing: Listing,
        listings: Listings,
        release: Callable[[], None],
        in_thread: InThread,
        ledger: Ledger,
    ) -> None:
        self._path = path
        self._root = os.fsencode(path)
        # As it was when the session began, and where the files lie now.
        self._taken = self._listing = listing
        self._listings = listings
        self._release: Callable[[], None] | None = release
        self._in_thread = in_thread
        self._ledger = ledger
        # The folders' times at a look that found nothing moved: until they change there is none to be found.
        self._still: Times | None = None
        # Where single files were found since.
        self._moved: dict[int, bytes] = {}

    def listing(self) -> Listing:
        """See `IMaildrop.listing`."""
        return self._taken

    def read(self, number: int, whole: bool = True) -> Maybe[IContent]:
        """See `IMaildrop.read`. At once where the file is in memory and can be found without a look at all others."""
        try:
            return self._prompt(self._open(number, False, whole))
        except (WouldBlock, Missized):
            return self._read_later(number, whole)
        except FileNotFoundError:
            return self._read_moved(number, whole)

    def at_hand(self, number: int) -> bytes | None:
        """See `IMaildrop.at_hand`. What is not where it was is left for `read`."""
        octets = self._taken.sizes[number]
        if octets > AT_HAND_OCTETS:
            return None
        try:
            content = self._open(number, False, True)
        except (WouldBlock, OSError):
            return None
        return content.read(octets)

    def mark_seen(self, number: int) -> None:
        """See `IMaildrop.mark_seen`."""
        before = self._name(number)
        stem, _, flags = before[PREFIX:].partition(b":2,")
        after = b"cur/" + stem + b":2," + bytes(sorted({*flags, *b"S"}))
        if after != before:
            with suppress(OSError):
                os.rename(self._root + b"/" + before, self._root + b"/" + after)
                self._moved[number] = after

    def remove(self, numbers: Sequence[int]) -> Maybe[Sequence[int]]:
        """See `IMaildrop.remove`. A message that is gone already counts as removed."""
        return self._remove(numbers) if numbers else ()

    def close(self) -> None:
        """See `IMaildrop.close`. May be called twice."""
        release, self._release = self._release, None
        if release is not None:
            release()

    async def _read_later(self, number: int, whole: bool) -> IContent:
        try:
            return self._prompt(await self._in_thread(self._open, number, True, whole))
        except Missized:
            # RFC 1939 §11: LIST has said other octets than would be sent. The next session is told the right ones.
            await self._in_thread(self._measure, number)
            self._listings.forget(self._path)
            raise

    async def _read_moved(self, number: int, whole: bool) -> IContent:
        if not await self._in_thread(self._find, number):
            await self._in_thread(self._follow)
        return await self._read_later(number, whole)

    def _name(self, number: int) -> bytes:
        return self._moved.get(number) or self._listing.path(number)

    def _place(self, number: int) -> bytes:
        return self._root + b"/" + self._name(number)

    def _open(self, number: int, patient: bool, whole: bool) -> StoredContent | ForeignContent | LoadedContent:
        path = self._place(number)
        return open_content(path, sizes(os.path.basename(path)), self._listing.sizes[number], patient, whole)

    def _measure(self, number: int) -> None:
        """Keep how many octets a file really has on the wire, whatever its name says; blocks."""
        path = self._place(number)
        name = os.path.basename(path)
        with suppress(OSError):
            status = os.lstat(path)
            octets = wire_size(path, sizes(name).disk, None)
            measured = Measured(self._root)
            if measured.find(base(name), status) != octets:
                measured.add(base(name), status, octets)
                measured.save(all_used=False)

    def _prompt(self, content: StoredContent | ForeignContent | LoadedContent) -> IContent:
        if isinstance(content, LoadedContent):
            return content
        content.file.patient = False
        return PromptContent(content, self._in_thread)

    def _find(self, number: int) -> bool:
        """Look for a file that was moved where moved files mostly are; blocks."""
        stem = self._name(number)[PREFIX:].partition(b":")[0]
        if self._listing.is_twice(number):
            return False
        for flags in _USUAL_FLAGS:
            place = b"cur/" + stem + b":2," + flags
            if os.path.lexists(self._root + b"/" + place):
                self._moved[number] = place
                return True
        return False

    def _follow(self) -> None:
        """Learn where files were moved to by other programs; blocks."""
        times = folder_times(self._root)
        if times == self._still:
            return
        followed = self._listing.followed(scan(self._root))
        self._still = times if followed is self._listing else None
        self._moved.clear()
        self._listing = followed

    async def _remove(self, numbers: Sequence[int]) -> Sequence[int]:
        before = self._listings.before(self._path) if len(numbers) <= REMOVALS else None
        kept: Sequence[int]
        kept, after, shorter = await self._in_thread(self._remove_all, numbers, before is not None)
        if before is not None:
            self._listings.removed(self._path, before, after, self._taken, shorter)
        return kept

    def _remove_all(self, numbers: Sequence[int], listed: bool) -> tuple[list[int], Times, Listing | None]:
        """Remove *numbers* and make that durable; blocks.

        Return those that stayed and, if the listing is kept, the folders' times then and the listing of the others.
        """
        kept: list[int] = []
        gone: list[tuple[bytes, int]] = []
        moved = self._unlink(numbers, kept, gone)
        after = folder_times(self._root) if listed else ()
        sure = listed and not (moved or kept) and self._listing is self._taken
        if moved:
            for number in moved:
                self._find(number)
            moved = self._unlink(moved, kept, gone)
        if moved:
            self._follow()
            self._unlink(moved, kept, gone)
        self._ledger.removed(self._path, gone)
        # RFC 1939 §6 lets the +OK mean that they are gone, for good.
        for folder in {os.path.dirname(self._place(number)) for number in numbers}:
            fsync_path(os.fsdecode(folder))
        return sorted(kept), after, self._taken.without(numbers) if sure else None

    def _unlink(self, numbers: Sequence[int], kept: list[int], gone: list[tuple[bytes, int]]) -> list[int]:
        """Unlink *numbers*; return those that are not where they were, add those that will not go to *kept*.

        Names and octets of the others come to *gone*.
        """
        missing: list[int] = []
        for number in numbers:
            place = self._place(number)
            try:
                octets = size_of(place)
                os.unlink(place)
                gone.append((os.path.basename(place), octets))
            except FileNotFoundError:
                missing.append(number)
            except OSError:
                kept.append(number)
        return missing
