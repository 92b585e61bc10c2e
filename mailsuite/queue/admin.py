"""The queue in an operator's hands, from another process, while the server works on it or not.

Every transaction is short. What a process of the server has in its hands just now is not changed under it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeAlias

from mailsuite.database import transaction
from mailsuite.queue import due
from mailsuite.queue.damage import open_content
from mailsuite.queue.entries import PAGE, Entry, Place, Selection, State, count, pages
from mailsuite.queue.errors import NotQueued
from mailsuite.queue.files import ContentFolder
from mailsuite.queue.owners import Lease
from mailsuite.queue.process import started, this_process, uptime
from mailsuite.queue.reading import FileContent, LoadedContent
from mailsuite.queue.rows import as_outcome
from mailsuite.queue.schema import connect, trouble
from mailsuite.queue.settling import remove_emptied
from mailsuite.queue.store import DATABASE
from mailsuite.queue.writer import Work
from mailsuite.queued import QueuedMessage

_COUNTS = """
    SELECT d.name, d.not_before, d.troubled, d.last, d.held, count(*), sum(r.state = 'held'), sum(r.owner IS NOT NULL)
    FROM recipients r JOIN destinations d ON d.number = r.destination
    GROUP BY r.destination
    HAVING ?1 IS NULL OR count(*) < ?1 OR (count(*) = ?1 AND d.name > ?2)
    ORDER BY count(*) DESC, d.name LIMIT ?3"""

_CHUNK = 65_536

Progress: TypeAlias = Callable[[int], object]


def _unseen(count: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many recipients are queued for one destination; *held* and *claimed* are among them."""

    place: Place
    recipients: int
    held: int
    claimed: int


@dataclass(slots=True)
class Changed:
    """What came of a request: recipients *changed*, *busy* ones that the server has in its hands and that were left
    as they are, and *unfit* ones whose state does not allow it (what is held is not retried, but released)."""

    changed: int = 0
    busy: int = 0
    unfit: int = 0


class Administration:
    """The queue in the folder *path*. A context manager, which turns what the database complains of into `QueueError`.

    *progress* of a method is called with the number of recipients that were looked at. *sleep* lets a time go by.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: str,
        now: Callable[[], float],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._connection = connection
        self._path = path
        self._now = now
        self._sleep = sleep
        self._folder = ContentFolder(path, 0, str)

    @classmethod
    def open(
        cls, path: str, now: Callable[[], float] = time.time, sleep: Callable[[float], object] = time.sleep
    ) -> "Administration":
        """Open the queue in the folder *path*. Raises `NoQueue` where the server has never started."""
        opened = cls(connect(f"{path}/{DATABASE}"), path, now, sleep)
        # Who only looks gets on without it.
        with suppress(sqlite3.Error):
            opened._free_dead()
        return opened

    def __enter__(self) -> "Administration":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._connection.close()
        if isinstance(error, sqlite3.DatabaseError):
            with trouble(f"{self._path}/{DATABASE}"):
                raise error

    # Looking

    def list(self, selection: Selection, after: int = 0) -> Iterator[Entry]:
        """Yield what is selected, in the order of arrival, behind the recipient whose number is *after*; never all of
        it is in memory."""
        for page in pages(self._connection, selection, after):
            yield from page

    def count(self, selection: Selection) -> tuple[int, int]:
        """Return how many recipients, and of how many messages, are selected."""
        return count(self._connection, selection)

    def counts(self, after: tuple[int | None, str] = (None, ""), limit: int = -1) -> Iterator[Counts]:
        """Yield what is queued for each destination, the longest queue first.

        Behind the one with so many recipients and the name in *after*, and *limit* of them, where these are given.
        """
        for name, not_before, troubled, last, held, *numbers in self._connection.execute(_COUNTS, (*after, limit)):
            yield Counts(Place(name, not_before, as_outcome(last) if troubled else None, bool(held)), *numbers)

    def held(self) -> tuple[bool, Sequence[str]]:
        """Say whether the whole queue is held, and which destinations are."""
        names = self._connection.execute("SELECT name FROM destinations WHERE held ORDER BY name")
        return due.queue_is_held(self._connection), [name for (name,) in names]

    def show(self, identity: str) -> Sequence[Entry]:
        """Return all entries of the message *identity*. Raises `NotQueued`."""
        try:
            found = list(self.list(Selection(id=identity)))
        except ValueError as error:
            raise NotQueued(str(error)) from error
        if not found:
            raise NotQueued(f"{identity} is not in the queue: it has left it, or never was in it; the mail log tells")
        return found

    def content(self, identity: str) -> Iterator[bytes]:
        """Open the message *identity*, and yield its content. Raises `NotQueued`, or `OSError` where it is damaged."""
        number = self.show(identity)[0].message.number
        return _pieces(open_content(self._connection, number, self._folder))

    # Changing

    def retry(self, selection: Selection, progress: Progress = _unseen) -> Changed:
        """Make what waits due now, and its destination with it; also what its sender wants to wait (RFC 4865)."""
        return self._change(selection, ("waiting", "scheduled"), self._retry, progress)

    def hold(self, selection: Selection, progress: Progress = _unseen) -> Changed:
        """Let nothing happen to it, until `release`: it is neither tried nor given up."""
        return self._change(selection, ("waiting", "scheduled", "bounce"), self._hold, progress)

    def release(self, selection: Selection, progress: Progress = _unseen) -> Changed:
        """Make what is held or was set aside due now, or when its sender wants it, whichever is later.

        What would have expired meanwhile gets its time anew.
        """
        return self._change(selection, ("held", "damaged"), self._release, progress)

    def remove(self, selection: Selection, progress: Progress = _unseen) -> Changed:
        """Drop it. Nobody is told."""
        return self._change(selection, ("waiting", "scheduled", "held", "bounce", "damaged"), self._remove, progress)

    def bounce(self, selection: Selection, progress: Progress = _unseen) -> Changed:
        """Have the server give it up and tell the sender."""
        return self._change(selection, ("waiting", "scheduled", "held", "damaged"), self._bounce, progress)

    def hold_destination(self, name: str, held: bool) -> bool:
        """Try nothing for the destination *name*, or go on; what waits for it grows old all the same.

        Returns whether that is news. One that nobody knows can be held: mail for it may come.
        """
        with transaction(self._connection):
            if due.is_held(self._connection, name) is held:
                return False
            due.set_held(self._connection, name, held, self._now())
            return True

    def knows(self, name: str) -> bool:
        """Say whether there is, or was lately, anything for a destination *name*."""
        return self._connection.execute("SELECT 1 FROM destinations WHERE name = ?", (name,)).fetchone() is not None

    def hold_queue(self, held: bool) -> None:
        """Let the whole queue stand still, or go on. New mail is accepted, and waits."""
        with transaction(self._connection):
            due.set_queue_held(self._connection, held)

    def _change(
        self,
        selection: Selection,
        fit: Sequence[State],
        change: Callable[[Work, Sequence[Entry], float], None],
        progress: Progress,
    ) -> Changed:
        """Do *change* page by page, each in a transaction, with what is free and in a state that is *fit*.

        After each page comes a pause as long as it took: a server at work has the queue for half of the time.
        """
        self._free_dead()
        total = Changed()
        begun = time.monotonic()
        # What is meant is looked for before the transaction, which may keep the server waiting.
        for page in pages(self._connection, selection):
            self._change_page(page, fit, change, total)
            progress(len(page))
            if len(page) == PAGE:
                self._sleep(time.monotonic() - begun)
            begun = time.monotonic()
        return total

    def _change_page(
        self,
        page: Sequence[Entry],
        fit: Sequence[State],
        change: Callable[[Work, Sequence[Entry], float], None],
        total: Changed,
    ) -> None:
        work = Work(self._connection)
        with transaction(self._connection):
            now_there = list(self._as_now(page))
            free = [entry for entry in now_there if not entry.claimed]
            chosen = [entry for entry in free if entry.state in fit]
            change(work, chosen, self._now())
            for name in {entry.place.name for entry in chosen}:
                due.refresh(self._connection, due.number_of(self._connection, name), self._now())
        for call in work.after:
            call()
        total.changed += len(chosen)
        total.busy += len(now_there) - len(free)
        total.unfit += len(free) - len(chosen)

    def _as_now(self, page: Sequence[Entry]) -> Iterator[Entry]:
        """Yield those that are still there, claimed or not and in the state that they are in now."""
        for entry in page:
            row = self._connection.execute(
                "SELECT owner IS NOT NULL, state FROM recipients WHERE number = ?", (entry.recipient.number,)
            ).fetchone()
            if row is not None:
                yield replace(entry, claimed=bool(row[0]), state=row[1])

    def _free_dead(self) -> None:
        """What a dead process had claimed is nobody's, also while no server runs that would notice.

        A server that slept with the machine goes on with what it has: only another server takes that over.
        """
        lease = Lease(this_process, 0, uptime, started)
        if not lease.dead(self._connection, hung=False):
            return
        with transaction(self._connection):
            lease.free_dead(self._connection, self._now(), hung=False)

    def _retry(self, work: Work, entries: Sequence[Entry], now: float) -> None:
        for name in {entry.place.name for entry in entries}:
            due.lift(work.connection, due.number_of(work.connection, name))
        self._each(
            "UPDATE recipients SET state = 'waiting', next_try = min(next_try, ?) WHERE number = ?", entries, now
        )

    def _hold(self, work: Work, entries: Sequence[Entry], now: float) -> None:
        self._each("UPDATE recipients SET state = 'held' WHERE number = ?", entries)

    def _release(self, work: Work, entries: Sequence[Entry], now: float) -> None:
        for message in {entry.message.number: entry.message for entry in entries}.values():
            if message.expires <= now:
                self._give_time(message, now + message.expires - message.arrived)
        # Of a delay that the hold was part of, nobody is told.
        self._each(
            """UPDATE recipients SET state = 'waiting', next_try = ?, report_at = CASE WHEN report_at > ?
            THEN report_at ELSE (SELECT expires FROM messages WHERE number = message) END WHERE number = ?""",
            entries, now, now,
        )  # fmt: skip
        later = [entry for entry in entries if entry.message.asked.release > now]
        for entry in later:
            self._each("UPDATE recipients SET state = 'scheduled', next_try = ? WHERE number = ?", [entry],
                       entry.message.asked.release)

    def _give_time(self, message: QueuedMessage, expires: float) -> None:
        self._connection.execute("UPDATE messages SET expires = ? WHERE number = ?", (expires, message.number))
        self._connection.execute(
            "UPDATE recipients SET report_at = ? WHERE message = ? AND report_at = ?",
            (expires, message.number, message.expires),
        )

    def _remove(self, work: Work, entries: Sequence[Entry], now: float) -> None:
        self._each("DELETE FROM recipients WHERE number = ?", entries)
        remove_emptied(work, dict.fromkeys(entry.message.number for entry in entries), self._folder)

    def _bounce(self, work: Work, entries: Sequence[Entry], now: float) -> None:
        self._each("UPDATE recipients SET state = 'bounce', report_at = ? WHERE number = ?", entries, now)

    def _each(self, statement: str, entries: Iterable[Entry], *values: object) -> None:
        self._connection.executemany(statement, [(*values, entry.recipient.number) for entry in entries])


def _pieces(content: FileContent | LoadedContent) -> Iterator[bytes]:
    try:
        while piece := content.read(_CHUNK):
            yield piece
    finally:
        content.close()
