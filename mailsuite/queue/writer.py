"""The one thread of a process that touches the queue's file: all that waits is done in one durable transaction.

A batch forms by itself, in a few turns of the reactor (`mailsuite.gathering`) and while the one before is committed;
no clock is waited for. An operation that fails is undone alone; a commit that fails fails its whole batch, and
nothing is kept of it. For some troubles SQLite undoes the whole transaction: what may meet them again and again has
one of its own. What is asked for very often, in few statements for many, is a `Joint` operation.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger

from mailsuite.database import primary_code
from mailsuite.gathering import Gathering

T = TypeVar("T")

# Operations in one transaction: other processes wait for its end.
BATCH = 500
# For so many turns others are waited for: more gain next to nothing (docs/performance.rst, "Where the time goes").
TURNS = 8


class WriterReactor(IReactorFromThreads, IReactorTime):
    """What the writer needs of a reactor."""


@dataclass(slots=True)
class Work:
    """What an operation works with: *connection*, in a transaction; *after* is called once that is durable."""

    connection: sqlite3.Connection
    after: list[Callable[[], None]] = field(default_factory=list)


Operation: TypeAlias = Callable[[Work], T]


class Chores(Protocol):
    """What the thread does beside the operations; all of it is called there."""

    def open(self) -> sqlite3.Connection:
        """Return the connection; all that has to come first is done."""

    def each(self, connection: sqlite3.Connection) -> None:
        """Do what is due, at the beginning of each transaction."""

    def undone(self) -> None:
        """Nothing was kept of the transaction that `each` began."""

    def pause(self) -> float:
        """Return after how many seconds without any operation `rest` is to be called."""

    def rest(self, connection: sqlite3.Connection) -> None:
        """Do what is due, and tidy up for a moment, outside of a transaction."""

    def close(self, connection: sqlite3.Connection) -> None:
        """Do what comes last, and close the connection."""


class Joint(Generic[T]):
    """An operation on a list of items: those that come before the thread takes it up are done, or fail, together.

    *undo* is called with them, in either thread, where nothing came of it.
    """

    __slots__ = ("items", "operation", "told", "undo")

    def __init__(self, operation: Callable[[list[T], Work], None], undo: Callable[[list[T]], None]) -> None:
        self.operation = operation
        self.undo = undo
        # What the thread has not been given yet, and who wants to know what comes of it.
        self.items: list[T] = []
        self.told: list[Deferred[None]] = []

    def close(self) -> None:
        """What comes from now on is for the next time."""
        self.items = []
        self.told = []


def _nothing() -> None:
    """There is nothing to undo."""


def _closed() -> OSError:
    return OSError(errno.ESHUTDOWN, "the queue is closed")


def _tell(listening: "Iterable[Deferred[None]]") -> None:
    for told in listening:
        told.callback(None)


def _fail(listening: "Iterable[Deferred[None]]", error: BaseException) -> None:
    for told in listening:
        told.errback(error)


@dataclass(slots=True)
class _Asked:
    """One operation on its way: its Deferred, how it ended, and what is to be done then."""

    operation: Operation[Any]
    done: "Deferred[Any]"
    undo: Callable[[], None]
    alone: bool
    result: Any = None
    error: OSError | None = None
    after: list[Callable[[], None]] = field(default_factory=list)
    joint: Joint[Any] | None = None

    @property
    def callers(self) -> int:
        """How many have asked for it."""
        return 1 if self.joint is None else len(self.joint.told)


def _callers(batch: Iterable[_Asked]) -> int:
    return sum(asked.callers for asked in batch)


class Writer:
    """Runs operations in its thread. To be started and stopped."""

    _log = Logger()

    def __init__(self, reactor: WriterReactor, chores: Chores) -> None:
        self._reactor = reactor
        self._chores = chores
        self._queue: SimpleQueue[list[_Asked] | None] = SimpleQueue()
        self._waiting: list[_Asked] = []
        self._busy = False
        # How many had asked for what was in the last batch.
        self._last_callers = 0
        self._gathering = Gathering(reactor, TURNS, self._in_company, self._hand_over)
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread; returns when it is ready. Raises what its chores raise at the beginning."""
        ready: SimpleQueue[Exception | None] = SimpleQueue()
        thread = Thread(target=self._run, args=(ready,), name="queue", daemon=True)
        thread.start()
        error = ready.get()
        if error is not None:
            thread.join()
            raise error
        self._thread = thread

    def stop(self) -> None:
        """Do what was asked for, then end the thread. Blocks for that long."""
        if self._thread is None:
            return
        while self._waiting:
            self._hand_over()
        self._queue.put(None)
        self._thread.join()
        self._thread = None

    def ask(
        self, operation: Operation[T], undo: Callable[[], None] = _nothing, alone: bool = False
    ) -> "Deferred[T]":
        """Run *operation*; its result comes when it is durable. Fails with `OSError`.

        *undo* is called, in either thread, where nothing came of it. *alone*: in a transaction of its own.
        """
        if self._thread is None:
            undo()
            return fail(_closed())
        return self._put(_Asked(operation, Deferred(), undo, alone))

    def join(self, joint: Joint[T], items: Iterable[T]) -> "Deferred[None]":
        """Do *joint* with *items*, and with what others bring meanwhile. Fails with `OSError`, as all of them do."""
        if self._thread is None:
            joint.undo(list(items))
            return fail(_closed())
        told: Deferred[None] = Deferred()
        if not joint.told:
            asked = _Asked(partial(joint.operation, joint.items), Deferred(), partial(joint.undo, joint.items), False)
            asked.joint = joint
            listening = joint.told
            self._put(asked).addCallbacks(lambda _: _tell(listening), lambda failure: _fail(listening, failure.value))
        joint.told.append(told)
        joint.items.extend(items)
        return told

    def _put(self, asked: _Asked) -> "Deferred[Any]":
        self._waiting.append(asked)
        if not self._busy:
            self._busy = True
            self._gathering.start()
        return asked.done

    def _in_company(self) -> bool:
        """Say whether others may join the next batch: some have joined the last one, or are here already."""
        several = self._last_callers > 1 or _callers(self._waiting) > 1
        return several and self._room() > len(self._waiting)

    def _room(self) -> int:
        """Return how many operations the next batch can have: what is to be alone ends the one before it."""
        return next((index for index, asked in enumerate(self._waiting[:BATCH]) if asked.alone), BATCH) or 1

    def _hand_over(self) -> None:
        count = self._room()
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._last_callers = _callers(batch)
        for asked in batch:
            if asked.joint is not None:
                asked.joint.close()
        self._queue.put(batch)

    def _settle(self, batch: list[_Asked]) -> None:
        """In the reactor: tell everybody."""
        if self._waiting:
            self._gathering.start()
        else:
            self._busy = False
        for asked in batch:
            if asked.error is None:
                asked.done.callback(asked.result)
            else:
                asked.done.errback(asked.error)

    # In the thread, which must never die: nobody would get an answer again.

    def _run(self, ready: "SimpleQueue[Exception | None]") -> None:
        try:
            connection = self._chores.open()
        except Exception as error:
            ready.put(error)
            return
        ready.put(None)
        while True:
            try:
                batch = self._queue.get(timeout=self._chores.pause())
            except Empty:
                self._try(lambda: self._chores.rest(connection))
                continue
            if batch is None:
                break
            self._do(connection, batch)
        # Where this fails, what is claimed is free when the lease has run out.
        self._try(lambda: self._chores.close(connection))

    def _do(self, connection: sqlite3.Connection, batch: list[_Asked]) -> None:
        try:
            if not self._did_at_once(connection, batch):
                self._do_rest(connection, batch)
        except Exception as error:
            self._give_up(connection, batch, error)
        for asked in batch:
            for call in asked.after if asked.error is None else [asked.undo]:
                self._try(call)
        self._reactor.callFromThread(self._settle, batch)

    def _did_at_once(self, connection: sqlite3.Connection, batch: list[_Asked]) -> bool:
        """Do all of *batch*. Where an operation fails it has its error, and nothing is kept: ``False``."""
        connection.execute("BEGIN IMMEDIATE")
        at_work: _Asked | None = None
        try:
            self._chores.each(connection)
            for at_work in batch:
                at_work.result = at_work.operation(Work(connection, at_work.after))
            at_work = None
            connection.execute("COMMIT")
        except Exception as error:
            self._chores.undone()
            # For some troubles SQLite undoes the whole transaction: that is everybody's.
            if at_work is None or not connection.in_transaction:
                raise
            connection.execute("ROLLBACK")
            at_work.error = self._as_os_error(error)
            return False
        return True

    def _do_rest(self, connection: sqlite3.Connection, batch: list[_Asked]) -> None:
        """Do what has not failed, each so that it can be undone alone: there may be more trouble of that kind."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._chores.each(connection)
            for asked in batch:
                if asked.error is None:
                    asked.after.clear()
                    self._do_one(connection, asked)
            connection.execute("COMMIT")
        except Exception:
            self._chores.undone()
            raise

    def _do_one(self, connection: sqlite3.Connection, asked: _Asked) -> None:
        connection.execute("SAVEPOINT operation")
        try:
            asked.result = asked.operation(Work(connection, asked.after))
        except Exception as error:
            if not connection.in_transaction:
                # For some troubles SQLite undoes the whole transaction.
                raise
            connection.execute("ROLLBACK TO operation")
            asked.error = self._as_os_error(error)
        connection.execute("RELEASE operation")

    def _give_up(self, connection: sqlite3.Connection, batch: list[_Asked], error: Exception) -> None:
        trouble = self._as_os_error(error)
        self._log.error("The queue refused {count} operations: {reason}", count=len(batch), reason=str(trouble))
        if connection.in_transaction:
            self._try(lambda: connection.execute("ROLLBACK"))
        for asked in batch:
            # Whose own trouble came first has that one; it may be what the commit failed for.
            asked.error = asked.error or trouble

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            self._log.failure("The queue's thread met a trouble, and goes on")

    def _as_os_error(self, error: Exception) -> OSError:
        if isinstance(error, OSError):
            return error
        if not isinstance(error, sqlite3.Error):
            self._log.failure("An operation on the queue failed")
            return OSError(errno.EIO, f"an operation on the queue failed: {error!r}")
        code = primary_code(error)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._log.failure("The queue's file is damaged")
        number = _NUMBERS.get(code, errno.EIO)
        return OSError(number, f"the queue's file: {error} ({os.strerror(number)})")


# What SQLite's complaints are called elsewhere.
_NUMBERS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_BUSY: errno.EAGAIN,
    sqlite3.SQLITE_LOCKED: errno.EAGAIN,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
}
