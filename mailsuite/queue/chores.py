"""What the writer's thread sees to beside its operations: opening, recovery, the lease, tidying up, closing."""

import sqlite3
from collections.abc import Callable

from twisted.logger import Logger

from mailsuite.database import transaction
from mailsuite.queue.due import forget_unused
from mailsuite.queue.errors import QueueError
from mailsuite.queue.files import ContentFolder
from mailsuite.queue.owners import Lease, free_orphans
from mailsuite.queue.recovery import recover
from mailsuite.queue.schema import connect, trouble
from mailsuite.queue.writer import Work

# After so many seconds without work there is time to tidy up, and after as many again for the next bit of it.
IDLE_SECONDS = 0.5
# A process that is never idle tidies up a bit after so many transactions.
BUSY_TRANSACTIONS = 500
# So many pages (of 4 KiB) are kept for what comes; beyond them, and a quarter of the file, it is made shorter.
_SPARE_PAGES = 4096
_PAGES_AT_ONCE = 2000
_DESTINATIONS_AT_ONCE = 2000


def opened(folder: ContentFolder, path: str) -> sqlite3.Connection:
    """Return a connection to the queue in the file *path* and the *folder*, made where there is none.

    Raises `QueueError`.
    """
    try:
        folder.create()
    except OSError as error:
        raise QueueError(f"the queue's folder cannot be made: {error}") from error
    return connect(path, create=True)


class Housekeeping:
    """See `writer.Chores`. *path* is the queue's file, *now* gives POSIX time, *last* is done before it is closed."""

    _log = Logger()

    def __init__(
        self,
        path: str,
        folder: ContentFolder,
        lease: Lease,
        now: Callable[[], float],
        last: Callable[[Work], None],
    ) -> None:
        self._path = path
        self._folder = folder
        self._lease = lease
        self._now = now
        self._last = last
        self._untidy = True
        self._more = False
        self._changes = -1
        self._seen = 0
        self._since = 0

    def open(self) -> sqlite3.Connection:
        """Open and recover the queue, and claim from now on. Raises `QueueError`."""
        connection = opened(self._folder, self._path)
        try:
            self._begin(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        now = self._now()
        try:
            with trouble(self._path), transaction(connection):
                self._lease.free_dead(connection, now)
                free_orphans(connection, now)
                alone = connection.execute("SELECT 1 FROM owners").fetchone() is None
                lost = recover(connection, self._folder, alone, now)
                self._lease.take(connection)
        except OSError as error:
            raise QueueError(f"the queue's folder cannot be looked at: {error}") from error
        for identity in lost:
            self._log.error("The content of the queued message {id} is gone; it was set aside", id=identity)

    def each(self, connection: sqlite3.Connection) -> None:
        """Renew the lease when it is time."""
        self._untidy = True
        self._since += 1
        self._lease.remember()
        self._renew(connection)

    def undone(self) -> None:
        """Believe nothing of what was not kept."""
        self._lease.undone()

    def pause(self) -> float:
        """Until the lease has to be renewed, or there is time to tidy up; a moment after a trouble."""
        if self._since >= BUSY_TRANSACTIONS:
            return 0.0
        left = max(self._lease.left, 0.1)
        return min(left, IDLE_SECONDS) if self._untidy else left

    def rest(self, connection: sqlite3.Connection) -> None:
        """Renew the lease when it is time, and tidy up a bit."""
        self._since = 0
        if self._lease.left <= 0:
            self._renew_alone(connection)
        self._untidy = self._more or connection.total_changes != self._changes
        if self._untidy:
            self._more = self._tidy(connection)
            self._changes = connection.total_changes

    def close(self, connection: sqlite3.Connection) -> None:
        """Give back what is claimed, and the lease."""
        try:
            self._do_last(connection)
            with transaction(connection):
                self._lease.give_back(connection, self._now())
        finally:
            connection.close()

    def _do_last(self, connection: sqlite3.Connection) -> None:
        work = Work(connection)
        try:
            with transaction(connection):
                self._last(work)
        except Exception:
            self._log.failure("What was delivered last could not be recorded, and may be delivered again")
            return
        for call in work.after:
            call()

    def _renew(self, connection: sqlite3.Connection) -> None:
        if self._lease.left <= 0 and not self._lease.renew(connection):
            self._log.warn("The queue's lease ran out before it was renewed: what was claimed may be tried twice")

    def _renew_alone(self, connection: sqlite3.Connection) -> None:
        self._lease.remember()
        try:
            with transaction(connection):
                self._renew(connection)
        except BaseException:
            self._lease.undone()
            raise

    def _tidy(self, connection: sqlite3.Connection) -> bool:
        """Bring the log's pages home, and do one bit of the rest, so that nobody waits long; say if there is more."""
        connection.execute("PRAGMA wal_checkpoint (PASSIVE)").fetchall()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (spare,) = connection.execute("PRAGMA freelist_count").fetchone()
        if spare > max(_SPARE_PAGES, pages // 4):
            connection.execute(f"PRAGMA incremental_vacuum ({_PAGES_AT_ONCE})").fetchall()
            return True
        with transaction(connection):
            seen = forget_unused(connection, self._seen, _DESTINATIONS_AT_ONCE, self._now())
        self._seen = seen or 0
        return seen is not None
