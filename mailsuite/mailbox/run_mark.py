"""The mark of a running service: it says at the next start whether the last stop was a clean one.

It lies in the state folder while the service runs; its time is that of the last barrier. If it is still there at the
next start, the stop was unclean.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

from mailsuite.durable import sync_folder
from mailsuite.reach import closed_folder, user_name

# The mark's time is brought up to date at most this often, in seconds.
MARK_SECONDS = 5.0


class SiteInUse(OSError):
    """Another process serves this site."""


class NotOurs(OSError):
    """The site is another user's, and we may not write in its folder."""


class RunMark:
    """The mark of a running service: a file in *folder*, which is locked. *seconds* is a monotonic clock."""

    def __init__(self, folder: str, seconds: Callable[[], float]) -> None:
        self._folder = folder
        self._path = f"{folder}/running"
        self._seconds = seconds
        self._told = 0.0
        self._lock = -1

    @property
    def folder(self) -> str:
        """The state folder."""
        return self._folder

    @property
    def lock(self) -> int:
        """The descriptor that holds the lock. Who inherits it keeps the site, too, until it ends."""
        return self._lock

    def inherit(self, lock: int) -> None:
        """Be the one who serves this site, since *lock* was held before us."""
        self._lock = lock

    def take(self) -> None:
        """Be the only one who serves this site. Raises `SiteInUse`, `NotOurs`, or another `OSError`.

        The lock ends with the process.
        """
        self._refuse_others()
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise SiteInUse(f"another mailsuite serves the site in {self._folder}: stop that one first") from error
        self._lock = fd

    def _refuse_others(self) -> None:
        """Raise `NotOurs` where the folder is another user's: what would be refused later names neither of us."""
        who = user_name(os.geteuid())
        if (closed := closed_folder(self._folder)) is not None:
            raise NotOurs(f"state_dir {self._folder} cannot be reached: {closed.what}; to mend it: {closed.mend}")
        owner = os.stat(self._folder).st_uid
        if owner != os.geteuid() and not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise NotOurs(
                f"the user {who} may not write in state_dir {self._folder}, which belongs to {user_name(owner)}:"
                f" run as that user (twistd --uid), or give all in it to {who}"
            )

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
        sync_folder(self._folder)

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
