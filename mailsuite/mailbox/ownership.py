"""Who serves a site: one service at a time, which looks first what an unclean stop of the last one has left."""

import os
from collections.abc import Callable

from twisted.logger import Logger

from mailsuite.mailbox.layout import INCOMING
from mailsuite.mailbox.recovery import sweep
from mailsuite.mailbox.restore_mark import RestoreMark
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.mailbox.sync import sync_volume

_log = Logger()


class Ownership:
    """Of the site whose state lies in *folder* and whose mail in *root*. *now* gives POSIX time."""

    def __init__(self, mark: RunMark, root: str, now: Callable[[], float]) -> None:
        self._mark = mark
        self._root = root
        self._now = now

    @property
    def lock(self) -> int:
        """See `RunMark.lock`."""
        return self._mark.lock

    def begin(self) -> None:
        """Serve from now on. Raises `SiteInUse`, `HalfRestored`, or another `OSError`.

        Blocks, after an unclean stop for as long as it takes to set aside what that has damaged: nobody can read yet.
        """
        self._mark.take()
        try:
            RestoreMark(self._mark.folder).refuse()
            os.makedirs(f"{self._root}/{INCOMING}", 0o700, exist_ok=True)
            self._recover()
        except BaseException:
            self._mark.release()
            raise
        self._mark.set()

    def succeed(self, lock: int) -> None:
        """Go on with what an earlier program of this process has begun, and which has left us its *lock*."""
        self._mark.inherit(lock)

    def end(self) -> None:
        """Serve no longer: all that was promised is durable."""
        try:
            # So has to be what was not promised, the sums of mailboxes: after a clean stop nobody doubts them.
            sync_volume(self._root)
        except OSError as error:
            _log.error("The disk of {root} fails: {reason}. The next start looks what that has damaged",
                       root=self._root, reason=str(error))  # fmt: skip
            self._mark.release()
            return
        self._mark.clear()

    def _recover(self) -> None:
        last_barrier = self._mark.left_behind()
        if last_barrier is None:
            return
        _log.warn("The last stop was unclean: looking for messages that it has damaged")
        swept = sweep(self._root, last_barrier, self._now())
        for path in swept.damaged:
            _log.error("A message that was not whole lies now at {path}", path=path)
        for error in swept.skipped:
            _log.error("A folder was not looked at: {reason}", reason=str(error))
