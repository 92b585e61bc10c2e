"""After an unclean stop: what a power cut has left short or empty is set aside before anybody can read it.

While the service runs, a mark lies in the state folder; its time is that of the last barrier. If it is still there
at the next start, the stop was unclean: every file of that time less a minute, or younger, is compared with the
size in its name. One that does not fit was never acknowledged, or its disk has lied; either way it is not a message.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from mailsuite.mailbox.layout import DAMAGED, INCOMING, maildirs
from mailsuite.mailbox.sync import fsync_path

# What was written this long before the last recorded barrier is taken for durable, in seconds.
DOUBT_SECONDS = 60.0
# The mark's time is brought up to date at most this often, in seconds.
MARK_SECONDS = 5.0
# A file in tmp/ that is older belongs to a delivery that will never go on (36 hours: maildir(5)).
STALE_SECONDS = 36 * 3600.0

_SIZE = re.compile(r",S=(\d+)")
_SECONDS = re.compile(r"(\d+)\.")


class RunMark:
    """The mark of a running service: a file at *path*. *seconds* is a monotonic clock."""

    def __init__(self, path: str, seconds: Callable[[], float]) -> None:
        self._path = path
        self._seconds = seconds
        self._told = 0.0

    def left_behind(self) -> float | None:
        """Return the POSIX time of the last barrier before an unclean stop; ``None`` after a clean one."""
        try:
            return os.stat(self._path).st_mtime
        except FileNotFoundError:
            return None

    def set(self) -> None:
        """The service runs from now on; durable when this returns."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.utime(fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        fsync_path(os.path.dirname(self._path))

    def committed(self) -> None:
        """A barrier has ended well."""
        now = self._seconds()
        if now - self._told >= MARK_SECONDS:
            self._told = now
            # An older time makes a later sweep look at more: it is no reason to refuse mail.
            with suppress(OSError):
                os.utime(self._path)

    def clear(self) -> None:
        """The service has stopped, and all that it promised is durable."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)


def sweep(root: str, last_barrier: float, now: float) -> list[str]:
    """Set aside what an unclean stop has damaged below *root*; return where each file lies now.

    Only mailboxes whose folders have changed since the last barrier are read. Stale files in ``tmp/`` and messages
    that were still coming in are removed. Raises `OSError` where a mailbox cannot be read.
    """
    since = last_barrier - DOUBT_SECONDS
    moved: list[str] = []
    for mailbox in maildirs(root):
        for folder in ("new", "cur"):
            if _changed(f"{mailbox}/{folder}", since):
                moved += [_set_aside(mailbox, path) for path in _misfits(f"{mailbox}/{folder}", since)]
        remove_stale(mailbox, now)
    _remove_older(f"{root}/{INCOMING}", now)
    return moved


def remove_stale(mailbox: str, now: float) -> None:
    """Remove what deliveries that will never go on have left in *mailbox*'s ``tmp/``. Raises `OSError`."""
    _remove_older(f"{mailbox}/tmp", now - STALE_SECONDS)


def _changed(folder: str, since: float) -> bool:
    try:
        return os.stat(folder).st_mtime >= since
    except FileNotFoundError:
        return False


def _misfits(folder: str, since: float) -> Iterator[str]:
    """Yield the files whose size is not the one in their name."""
    with os.scandir(folder) as entries:
        for entry in list(entries):
            size = _SIZE.search(entry.name)
            if size is None or _older(entry.name, since):
                continue
            status = entry.stat(follow_symlinks=False)
            if status.st_mtime >= since and status.st_size != int(size[1]):
                yield entry.path


def _older(name: str, since: float) -> bool:
    """Say whether the name of a delivery is from before *since*, which spares its `stat`."""
    began = _SECONDS.match(name)
    return began is not None and int(began[1]) + 1 < since


def _set_aside(mailbox: str, path: str) -> str:
    folder = f"{mailbox}/{DAMAGED}"
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    target = f"{folder}/{os.path.basename(path)}"
    os.rename(path, target)
    return target


def _remove_older(folder: str, than: float) -> None:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < than:
            os.unlink(entry.path)
