"""Who has claimed what, and for how long that is to be believed.

A process has one row, however much it has claimed, and renews it. Its claims are free again when it gives the row
back, when it is known to be dead, or when it has not renewed for the time of a lease. Leases run on the time since
boot: setting the clock frees nothing.
"""

import sqlite3
from collections.abc import Callable, Iterable

from mailsuite.queue.due import refresh
from mailsuite.queue.process import Process
from mailsuite.queued import Job, Settled

# How often a process looks whether others have died, in seconds.
LOOK_SECONDS = 1.0


class Lease:
    """The row of this process: *number*. *seconds* is how long the others believe in it after each renewal.

    *identify* says who we are, asked when the lease is taken; *uptime* gives seconds since boot, *started* when a
    process began (`process.started`). *stale* are the recipients that this process has in its hands and that are free
    for others, since they had given it up: until it has let go of them it must not claim them once more.
    """

    def __init__(
        self,
        identify: Callable[[], Process],
        seconds: float,
        uptime: Callable[[], float],
        started: Callable[[int], int | None],
    ) -> None:
        self.number = 0
        self.stale: set[int] = set()
        self._in_hand: set[int] = set()
        self._identify = identify
        self._seconds = seconds
        self._uptime = uptime
        self._started = started
        self._renewed = 0.0
        self._looked = 0.0
        # What `number` and the time of the last renewal were before the transaction under way.
        self._before = (0, 0.0)

    @property
    def left(self) -> float:
        """Seconds until it is time to renew: a third of the lease after the last time."""
        return max(0.0, self._renewed + self._seconds / 3 - self._uptime())

    def take(self, connection: sqlite3.Connection) -> None:
        """Be known as one who claims, from now on."""
        process = self._identify()
        self._renewed = self._uptime()
        cursor = connection.execute(
            "INSERT INTO owners (node, boot, pid, started, until) VALUES (?, ?, ?, ?, ?)",
            (process.node, process.boot, process.pid, process.started, self._renewed + self._seconds),
        )
        self.number = int(cursor.lastrowid or 0)

    def remember(self) -> None:
        """A transaction begins, and is kept or `undone`."""
        self._before = (self.number, self._renewed)

    def undone(self) -> None:
        """Nothing of the transaction was kept: what `renew` did neither. (What is stale then stays so.)"""
        self.number, self._renewed = self._before

    def renew(self, connection: sqlite3.Connection) -> bool:
        """Say that we live. ``False``: others had given us up; what we had claimed is free, and we begin anew."""
        self._renewed = self._uptime()
        known = connection.execute(
            "UPDATE owners SET until = ? WHERE number = ?", (self._renewed + self._seconds, self.number)
        )
        if known.rowcount:
            return True
        self.take(connection)
        self.stale |= self._in_hand
        self._in_hand.clear()
        return False

    def took(self, jobs: Iterable[Job]) -> None:
        """Remember what was claimed: it is in our hands."""
        self._in_hand.update(recipient.number for job in jobs for recipient in job.recipients)

    def let_go(self, settled: Iterable[Settled]) -> None:
        """What was recorded is not in our hands any more."""
        numbers = {each.recipient.number for each in settled}
        self._in_hand -= numbers
        self.stale -= numbers

    def give_back(self, connection: sqlite3.Connection, now: float) -> None:
        """Free all that is claimed, and be gone."""
        free(connection, self.number, now)

    def look_around(self, connection: sqlite3.Connection, now: float) -> int:
        """Free what the dead had claimed, if it is time to look; return how many of them there were."""
        if self._uptime() < self._looked + LOOK_SECONDS:
            return 0
        return self.free_dead(connection, now)

    def free_dead(self, connection: sqlite3.Connection, now: float, hung: bool = True) -> int:
        """Free what the dead had claimed; return how many of them there were.

        With *hung*, that is also who lives and has not renewed its lease.
        """
        dead = self.dead(connection, hung)
        for number in dead:
            free(connection, number, now)
        return len(dead)

    def dead(self, connection: sqlite3.Connection, hung: bool = True) -> list[int]:
        """Return the numbers of the dead; *hung* is as for `free_dead`."""
        self._looked = self._uptime()
        us = self._identify()
        rows = connection.execute(
            "SELECT number, node, boot, pid, started, until FROM owners WHERE number != ?", (self.number,)
        ).fetchall()
        return [number for number, *said in rows if self._is_dead(us, hung, *said)]

    def _is_dead(self, us: Process, hung: bool, node: str, boot: str, pid: int, started: int, until: float) -> bool:
        # Of another boot, be it of this machine or, before the folder was moved here, of another one: SQLite's log is
        # shared by the processes of one running kernel alone, so that nobody else can be at work on the file.
        if boot != us.boot:
            return True
        seen = node == us.node
        if until <= self._uptime() and (hung or not seen):
            return True
        return seen and self._started(pid) != started


def free_orphans(connection: sqlite3.Connection, now: float) -> None:
    """Let everybody claim what is claimed by nobody that is known."""
    unknown = connection.execute(
        "SELECT DISTINCT owner FROM recipients WHERE owner IS NOT NULL AND owner NOT IN (SELECT number FROM owners)"
    ).fetchall()
    for (owner,) in unknown:
        free(connection, owner, now)


def free(connection: sqlite3.Connection, owner: int, now: float) -> None:
    """Let everybody claim what *owner* had, and forget it."""
    claimed = connection.execute("SELECT DISTINCT destination FROM recipients WHERE owner = ?", (owner,)).fetchall()
    connection.execute("UPDATE recipients SET owner = NULL, purpose = NULL WHERE owner = ?", (owner,))
    connection.execute("DELETE FROM owners WHERE number = ?", (owner,))
    for (destination,) in claimed:
        refresh(connection, destination, now)
