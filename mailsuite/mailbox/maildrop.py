"""A Maildir as a locked maildrop (RFC 1939 §4): read by number, removed durably at the end, and only then."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from zope.interface import implementer

from mailsuite.interfaces import IContent, IMaildrop, ISharedState, MaildropInUse
from mailsuite.mailbox.content import open_content
from mailsuite.mailbox.listing import Listing, UniqueIds, take_listing
from mailsuite.mailbox.names import sizes
from mailsuite.mailbox.scan import folder_times, scan
from mailsuite.mailbox.sync import fsync_path
from mailsuite.maybe import Maybe

# Runs a function that blocks with its arguments, off the reactor thread.
InThread: TypeAlias = Callable[..., Awaitable[Any]]


async def open_maildrop(path: str, lock: ISharedState, owner: str, in_thread: InThread) -> "Maildrop":
    """Lock the Maildir at *path* for *owner*, who is nobody else's, and list it.

    Raises `MaildropInUse` when another owner has it, and `OSError`; the lock is then free or another's.
    """
    name = f"maildrop:{path}"
    if not lock.acquire(name, owner):
        raise MaildropInUse(path)
    try:
        listing = await in_thread(take_listing, path)
    except BaseException:
        lock.release(name, owner)
        raise
    return Maildrop(path, listing, lambda: lock.release(name, owner), in_thread)


@implementer(IMaildrop)
class Maildrop:
    """See `IMaildrop`. *release* gives the lock back; it is called once."""

    __slots__ = ("_in_thread", "_listing", "_release", "_root", "_still")

    def __init__(self, path: str, listing: Listing, release: Callable[[], None], in_thread: InThread) -> None:
        self._root = os.fsencode(path)
        self._listing = listing
        self._release: Callable[[], None] | None = release
        self._in_thread = in_thread
        # The folders' times at a look that found nothing moved: until they change there is none to be found.
        self._still: tuple[int, ...] | None = None

    def sizes(self) -> Sequence[int]:
        """See `IMaildrop.sizes`."""
        return self._listing.sizes

    def unique_ids(self) -> Sequence[str]:
        """See `IMaildrop.unique_ids`."""
        return UniqueIds(self._listing)

    def read(self, number: int) -> Maybe[IContent]:
        """See `IMaildrop.read`. At once, unless the file was moved meanwhile and must be looked for."""
        try:
            return self._content(number)
        except FileNotFoundError:
            return self._read_moved(number)

    def remove(self, numbers: Sequence[int]) -> Maybe[Sequence[int]]:
        """See `IMaildrop.remove`. A message that is gone already counts as removed."""
        return self._in_thread(self._remove_all, numbers) if numbers else ()

    def close(self) -> None:
        """See `IMaildrop.close`. May be called twice."""
        release, self._release = self._release, None
        if release is not None:
            release()

    async def _read_moved(self, number: int) -> IContent:
        await self._in_thread(self._follow)
        return self._content(number)

    def _path(self, number: int) -> bytes:
        return self._root + b"/" + self._listing.path(number)

    def _content(self, number: int) -> IContent:
        path = self._path(number)
        return open_content(path, sizes(os.path.basename(path)), self._listing.sizes[number])

    def _follow(self) -> None:
        """Learn where files were moved to by other programs; blocks."""
        times = folder_times(self._root)
        if times == self._still:
            return
        followed = self._listing.followed(scan(self._root))
        self._still = times if followed is self._listing else None
        self._listing = followed

    def _remove_all(self, numbers: Sequence[int]) -> list[int]:
        """Remove *numbers* and make that durable; blocks."""
        kept: list[int] = []
        moved = self._unlink(numbers, kept)
        if moved:
            self._follow()
            self._unlink(moved, kept)
        # RFC 1939 §6 lets the +OK mean that they are gone, for good.
        for folder in {os.path.dirname(self._path(number)) for number in numbers}:
            fsync_path(os.fsdecode(folder))
        return sorted(kept)

    def _unlink(self, numbers: Sequence[int], kept: list[int]) -> list[int]:
        """Unlink *numbers*; return those that are not where they were, add those that will not go to *kept*."""
        missing: list[int] = []
        for number in numbers:
            try:
                os.unlink(self._path(number))
            except FileNotFoundError:
                missing.append(number)
            except OSError:
                kept.append(number)
        return missing
