"""Removes mail that has lain in a mailbox for longer than it may (RFC 2449 §6.7): for good, and under the lock.

A name says when its message came (https://cr.yp.to/proto/maildir.html); where it does not, the file's time does.
"""

import os
import re
from collections.abc import Iterator, Sequence

from zope.interface import implementer

from mailsuite.durable import fsync_path
from mailsuite.interfaces import IExpiry
from mailsuite.mailbox.content import InThread
from mailsuite.mailbox.layout import folders_of, maildir
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildirsize import Ledger, size_of
from mailsuite.mailbox.names import base
from mailsuite.mailbox.scan import FOLDERS
from mailsuite.meaning import Mailbox

_LEDGER = Ledger()
# Seconds since 1970 have nine or ten digits from 1973 to 2286; other numbers in front of a name are something else.
_SECONDS = re.compile(rb"(\d{9,10})(?!\d)")


@implementer(IExpiry)
class Expiry:
    """See `IExpiry`: Maildirs below *root*, with their *folders* where people get at these by POP3, too.

    *ledger* is told of removals.
    """

    def __init__(
        self, root: str, locks: Locks, in_thread: InThread, folders: bool = False, ledger: Ledger = _LEDGER
    ) -> None:
        self._root = root
        self._locks = locks
        self._in_thread = in_thread
        self._folders = folders
        self._ledger = ledger

    async def remove_older(self, mailbox: Mailbox, before: float) -> Sequence[str]:
        """See `IExpiry.remove_older`. A mailbox with nothing to remove is looked at, and not locked."""
        path = maildir(self._root, mailbox)
        removed = [*await self._remove_from(path, before)]
        if self._folders:
            for folder in await self._in_thread(folders_of, path):
                removed += await self._remove_from(folder, before)
        return removed

    async def _remove_from(self, path: str, before: float) -> Sequence[str]:
        if not await self._in_thread(_has_older, os.fsencode(path), before) or not self._locks.acquire(path):
            return ()
        try:
            removed: Sequence[str] = await self._in_thread(_remove_older, path, before, self._ledger)
        finally:
            self._locks.release(path)
        return removed


def _has_older(root: bytes, before: float) -> bool:
    return next(_older(root, before), None) is not None


def _remove_older(maildir: str, before: float, ledger: Ledger) -> list[str]:
    removed: list[str] = []
    changed: set[bytes] = set()
    gone: list[tuple[bytes, int]] = []
    for path in list(_older(os.fsencode(maildir), before)):
        try:
            octets = size_of(path)
            os.unlink(path)
        except FileNotFoundError:
            # Another program was faster, or has moved it: then it is seen the next time.
            continue
        folder, name = os.path.split(path)
        changed.add(folder)
        removed.append(os.fsdecode(base(name)))
        gone.append((name, octets))
    ledger.removed(maildir, gone)
    for folder in changed:
        fsync_path(os.fsdecode(folder))
    return removed


def _older(root: bytes, before: float) -> Iterator[bytes]:
    """Yield the paths of messages that came before *before*. Raises `OSError`."""
    for folder in FOLDERS:
        try:
            entries = os.scandir(root + b"/" + folder)
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                if not entry.name.startswith(b".") and _came(entry) < before and entry.is_file(follow_symlinks=False):
                    yield entry.path


def _came(entry: "os.DirEntry[bytes]") -> float:
    """Return when a message came; of one that is gone, never."""
    said = _SECONDS.match(entry.name)
    if said is not None:
        return int(said[1])
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")
