"""After an unclean stop: what a power cut has left short or empty is set aside before anybody can read it.

While the service runs, a mark lies in the state folder; its time is that of the last barrier. If it is still there
at the next start, the stop was unclean: every file of that time less a minute, or younger, is compared with the
size in its name. One that does not fit was never acknowledged, or its disk has lied; either way it is not a message.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

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


class SiteInUse(OSError):
    """Another process serves this site."""


class RunMark:
    """The mark of a running service: a file in *folder*, which is locked. *seconds* is a monotonic clock."""

    def __init__(self, folder: str, seconds: Callable[[], float]) -> None:
        self._folder = folder
        self._path = f"{folder}/running"
        self._seconds = seconds
        self._told = 0.0
        self._lock = -1

    def take(self) -> None:
        """Be the only one who serves this site. Raises `SiteInUse`, or `OSError`. The lock ends with the process."""
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise SiteInUse(f"another mailsuite serves the site in {self._folder}: stop that one first") from error
        self._lock = fd

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
        fsync_path(self._folder)

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
        self.release()

    def release(self) -> None:
        """Let others serve the site, and leave the mark as it is."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@dataclass(slots=True)
class Swept:
    """What a sweep has found: where each damaged file lies now, and the folders that could not be looked at."""

    damaged: list[str] = field(default_factory=list)
    skipped: list[OSError] = field(default_factory=list)


def sweep(root: str, last_barrier: float, now: float) -> Swept:
    """Set aside what an unclean stop has damaged below *root*.

    Only mailboxes whose folders have changed since the last barrier are read. Stale files in ``tmp/`` and messages
    that were still coming in are removed. A folder that we may not read is skipped: nobody can fetch from it either.
    """
    swept = Swept()
    for mailbox in maildirs(root, swept.skipped.append):
        try:
            _sweep_mailbox(mailbox, last_barrier - DOUBT_SECONDS, now, swept)
        except OSError as error:
            swept.skipped.append(error)
    _remove_older(f"{root}/{INCOMING}", now)
    return swept


def _sweep_mailbox(mailbox: str, since: float, now: float, swept: Swept) -> None:
    for folder in ("new", "cur"):
        if _changed(f"{mailbox}/{folder}", since):
            swept.damaged += [_set_aside(mailbox, path) for path in _misfits(f"{mailbox}/{folder}", since)]
    remove_stale(mailbox, now)


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
        # A delivery that ends at this moment takes its file away.
        with suppress(FileNotFoundError):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < than:
                os.unlink(entry.path)
