"""The listings that this process keeps: shared between sessions, true as long as the folders' times are.

What we deliver and remove ourselves is told to `Listings` and changes the kept listing without a look at the disk.
Whoever is about to change a folder asks `Listings.before`, and says what was done with what that returned: then the
change is taken for the only one if the folders' times show no other. Where anything is doubtful the listing is
forgotten; the next login takes a new one.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mailsuite.mailbox.listing import Listing
from mailsuite.mailbox.names import our_size
from mailsuite.mailbox.scan import folder_times
from mailsuite.mailbox.taking import take_listing

Times: TypeAlias = tuple[int, ...]
# Names that change in the same instant leave a folder with the same time. Of a listing that was taken so soon after
# the latest change, in nanoseconds, nobody knows whether it has seen the last one.
UNSETTLED = 2_000_000_000
# A listing that was changed by what we were told is good for so long since the last look at the disk, in seconds: what
# another program did within the same instant as we is seen then.
TOLD_SECONDS = 300.0
# And every other one for so long: then the mailbox's ``tmp/`` is looked at again, too.
LOOK_SECONDS = 3600.0
# More removals than this take so long that another program's change could hide among them.
REMOVALS = 100
# What an entry takes beside its listing, in octets.
_ENTRY_OCTETS = 2048


@dataclass(slots=True)
class _Kept:
    """One mailbox's listing, the folders' *times* that it goes with, and when it was taken (POSIX seconds)."""

    listing: Listing
    times: Times
    looked: float
    told: bool = False
    memory: int = 0


class Listings:
    """The kept listings, those used last, in at most *octets* of memory. *now* gives POSIX seconds.

    *shared*: other processes of ours deliver into the same mailboxes, so that two changes within one instant are no
    rare thing. Then nothing is kept of a mailbox that we change, as of one that others have changed.

    `take` may be called in any thread, everything else in the reactor's.
    """

    def __init__(self, octets: int, now: Callable[[], float], shared: bool = False) -> None:
        self._most = octets
        self._now = now
        self._shared = shared
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.memory = 0

    def current(self, path: str) -> Listing | None:
        """Return the listing of the mailbox at *path* where it is kept and true. Raises `OSError`."""
        kept = self._kept.get(path)
        if kept is None:
            return None
        term = TOLD_SECONDS if kept.told else LOOK_SECONDS
        if self._now() - kept.looked > term or folder_times(os.fsencode(path)) != kept.times:
            self.forget(path)
            return None
        self._kept.move_to_end(path)
        return kept.listing

    def take(self, path: str) -> "tuple[Listing, Times, float]":
        """Look at the disk; return what `keep` wants. Blocks. Raises `OSError`."""
        looked = self._now()
        listing, times = take_listing(path)
        return listing, times, looked

    def keep(self, path: str, listing: Listing, times: Times, looked: float) -> None:
        """Keep a listing that `take` has returned, if it can be trusted again."""
        self.forget(path)
        if times and int(looked * 1e9) - max(times) >= UNSETTLED:
            self._put(path, _Kept(listing, times, looked))

    def forget(self, path: str) -> None:
        """What is kept of the mailbox at *path*, if anything, is not true."""
        kept = self._kept.pop(path, None)
        if kept is not None:
            self.memory -= kept.memory

    def before(self, path: str) -> Times | None:
        """Say how things stand in the mailbox at *path* before we change it; ``None``: nothing of it is kept."""
        kept = self._kept.get(path)
        if kept is None:
            return None
        if self._shared or folder_times(os.fsencode(path)) != kept.times:
            self.forget(path)
            return None
        return kept.times

    def delivered(self, path: str, before: Times, name: str) -> None:
        """A message of ours came into ``new/`` of *path* as *name*, after `before` had returned *before*."""
        kept = self._unchanged_since(path, before)
        after = folder_times(os.fsencode(path))
        octets = our_size(os.fsencode(name))
        longer = None
        if kept is not None and octets is not None and after[1:] == before[1:] and _is_fine(after):
            longer = kept.listing.extended(b"new/" + os.fsencode(name), octets)
        self._replace(path, kept, longer, after)

    def removed(self, path: str, before: Times, after: Times, listing: Listing, shorter: Listing | None) -> None:
        """Messages of *listing* are gone, *shorter* is left; *before* and *after* are the folders' times around that.

        *shorter* is ``None`` where that is not sure.
        """
        kept = self._unchanged_since(path, before)
        if kept is not None and (kept.listing is not listing or not _is_fine(after)):
            shorter = None
        self._replace(path, kept, shorter, after)

    def _unchanged_since(self, path: str, before: Times) -> _Kept | None:
        kept = self._kept.get(path)
        return kept if kept is not None and kept.times == before else None

    def _replace(self, path: str, kept: _Kept | None, listing: Listing | None, times: Times) -> None:
        self.forget(path)
        if kept is not None and listing is not None:
            self._put(path, _Kept(listing, times, kept.looked, told=True))

    def _put(self, path: str, kept: _Kept) -> None:
        self._kept[path] = kept
        # A listing grows by what is delivered; what was counted is what is taken off again.
        kept.memory = kept.listing.memory() + _ENTRY_OCTETS
        self.memory += kept.memory
        while self.memory > self._most and self._kept:
            self.forget(next(iter(self._kept)))


def _is_fine(times: Sequence[int]) -> bool:
    """Say whether the file system tells times more finely than by seconds: where it does not, changes hide."""
    return any(time % 1_000_000_000 for time in times)
