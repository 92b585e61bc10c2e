"""Accounts in PostgreSQL as a back end: asked in a few threads, followed by NOTIFY, and missed without harm."""

import os
import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any, TypeVar, cast

import psycopg
from twisted.enterprise.adbapi import Connection as PooledConnection
from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from mailsuite.directory.backend import Backend, Lookups, Rewrite, WriteUses
from mailsuite.directory.errors import AccountsError, Away, in_one_line
from mailsuite.directory.notifications import Notifications
from mailsuite.directory.postgresql_schema import (
    PostgresConnection,
    PostgresRecords,
    check_version,
    connect,
    conninfo,
    dial,
)
from mailsuite.directory.records import AddressRecord, DomainRecord, LoginRecord
from mailsuite.directory.rewrite import Rewriter, UseWriter
from mailsuite.directory.schema import LOGIN_WAIT_SECONDS
from mailsuite.maybe import at_once
from mailsuite.meaning import Mailbox

T = TypeVar("T")

# A server that lives says itself that a question takes too long. One that has not said that so many seconds later is
# stuck, or somewhere behind a dead wire.
STUCK_SECONDS = 0.5
# What is asked about all accounts at once, for nobody who waits, may take so long whatever else may.
UNHURRIED_SECONDS = 8.0
# Of a cluster the next node is tried after so many seconds, while who asks still waits. libpq takes no less.
CONNECT_SECONDS = 2
# So many questions may wait for a connection; who comes then is told to come again.
WAITING = 1_000

_log = Logger()


class PostgresBackend(Backend):
    """The accounts in the database that *dsn* names, over at most so many *connections*, each with its thread.

    What changes there is told by the server, and looked for every *poll* seconds, since the word may be lost. What is
    not answered within *timeout* seconds is given up.
    """

    def __init__(self, dsn: str, reactor: Any, connections: int, poll: float, timeout: float) -> None:
        self._dsn = dsn
        self._reactor = reactor
        self._connections = connections
        self._poll = poll
        self._timeout = timeout
        self._pool: _Pool | None = None
        self._waiting = 0
        self._generation = 0
        self._looking = False
        self._notifications = Notifications(partial(dial, dsn), reactor, self._in_thread, self._changed)
        self._polling = LoopingCall(self._changed)
        self._polling.clock = reactor

    def start(self) -> None:
        """See `Backend.start`. A server that is away now is waited for; one without our tables is refused."""
        try:
            with closing(dial(self._dsn)) as connection:
                check_version(connection)
                self._generation = PostgresRecords(lambda: PostgresConnection(connection)).generation()
        except psycopg.OperationalError as error:
            _log.error("The accounts cannot be reached yet: {reason}", reason=in_one_line(error))
        self._pool = _Pool(
            "psycopg", conninfo(self._dsn, CONNECT_SECONDS, statement_timeout=_milliseconds(self._timeout)),
            autocommit=True, cp_min=1, cp_max=self._connections, cp_reactor=self._reactor, cp_noisy=False,
            cp_openfun=check_version,
        )  # fmt: skip
        self._pool.start()
        self._polling.start(self._poll)

    async def stop(self) -> None:
        """See `Backend.stop`."""
        if self._polling.running:
            self._polling.stop()
        await self._notifications.stop()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def generation(self) -> int:
        """See `Backend.generation`: as far as the server has told."""
        return self._generation

    def domain(self, name: str) -> Awaitable[DomainRecord | None]:
        """See `Backend.domain`."""
        return self._ask(lambda records: records.domain(name))

    def address(self, local: str, domain: str) -> Awaitable[AddressRecord | None]:
        """See `Backend.address`."""
        return self._ask(lambda records: records.address(local, domain))

    def wildcards(self, domain: str) -> Awaitable[Sequence[str]]:
        """See `Backend.wildcards`."""
        return self._ask(lambda records: records.wildcards(domain))

    def login(self, name: str) -> Awaitable[LoginRecord | None]:
        """See `Backend.login`."""
        return self._ask(lambda records: records.login(name))

    def domains(self, domain_class: str) -> Awaitable[Sequence[str]]:
        """See `Backend.domains`."""
        return self._ask(lambda records: records.domains(domain_class))

    def first_domain(self) -> Awaitable[str | None]:
        """See `Backend.first_domain`."""
        return self._ask(lambda records: records.first_domain())

    def mailboxes(self, domain: str, after: int) -> Awaitable[Sequence[Mailbox]]:
        """See `Backend.mailboxes`."""
        return self._ask(lambda records: records.mailboxes(domain, after))

    def current(self, mailbox: Mailbox) -> Awaitable[Mailbox | None]:
        """See `Backend.current`."""
        return self._ask(lambda records: records.current(mailbox))

    def everybody_has(self, kinds: Collection[str]) -> Awaitable[frozenset[str]]:
        """See `Backend.everybody_has`."""
        seconds = max(self._timeout, UNHURRIED_SECONDS)

        def held(records: PostgresRecords) -> frozenset[str]:
            with records.unhurried(_milliseconds(seconds)):
                return records.held_by_all(kinds)

        return self._ask(held, seconds)

    def site_secret(self) -> Awaitable[bytes]:
        """See `Backend.site_secret`."""
        return self._ask(lambda records: records.site_secret())

    def rewriter(self) -> Rewrite:
        """See `Backend.rewriter`."""
        return Rewriter(partial(connect, self._dsn, LOGIN_WAIT_SECONDS))

    def use_writer(self) -> WriteUses:
        """See `Backend.use_writer`."""
        return UseWriter(partial(connect, self._dsn))

    def read(self, ask: Callable[[Lookups], Coroutine[Any, Any, T]]) -> Awaitable[T]:
        """See `Backend.read`: all of it in one thread, on one snapshot."""

        def in_snapshot(records: PostgresRecords) -> T:
            with records.snapshot():
                return at_once(ask(records))

        return self._ask(in_snapshot)

    async def _ask(self, work: Callable[[PostgresRecords], T], seconds: float | None = None) -> T:
        """Return what *work* reads, which can be done again, within *seconds* where others are given. Raises `Away`.

        A connection of which the other end is gone says so once: then the next one is tried.
        """
        if self._pool is None or self._waiting >= WAITING:
            raise Away("not connected" if self._pool is None else f"{self._waiting} questions wait for PostgreSQL")
        self._waiting += 1
        try:
            for _ in range(self._connections):
                with suppress(_Dead):
                    return await self._attempt(work, seconds or self._timeout)
            return await self._attempt(work, seconds or self._timeout)
        except (psycopg.OperationalError, _Dead, TimeoutError) as error:
            raise Away(f"PostgreSQL does not answer: {in_one_line(error)}") from error
        finally:
            self._waiting -= 1

    async def _attempt(self, work: Callable[[PostgresRecords], T], seconds: float) -> T:
        assert self._pool is not None
        line = _Line()
        asked: Deferred[T] = self._pool.runWithConnection(line.attempt, work)
        try:
            return await asked.addTimeout(seconds + STUCK_SECONDS, self._reactor)
        except TimeoutError:
            # Its thread would else wait until the server goes on, though another node may serve by now.
            line.cut()
            raise

    def _in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        if self._pool is None:
            raise Away("not connected")
        done: Awaitable[T] = deferToThreadPool(self._reactor, self._pool.threadpool, work)
        return done

    def _changed(self) -> None:
        """Something may have changed: find out the generation."""
        if not self._looking:
            self._looking = True
            Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        try:
            await self._notifications.listen()
            self._generation = await self._ask(lambda records: records.generation())
        except Away:
            # Who asks about an address finds that out, and says so.
            return
        except AccountsError as error:
            _log.error("The accounts are of no use: {reason}", reason=str(error))
        finally:
            self._looking = False


class _Quiet(PooledConnection):
    """A pooled connection on which transactions are ours: the pool has nothing to commit or to roll back."""

    def commit(self) -> None:
        """Nothing: each statement, or each transaction of ours, has committed for itself."""

    def rollback(self) -> None:
        """Give the connection up where it is of no use any more."""
        if self._connection is not None and self._connection.closed:
            self._pool.disconnect(self._connection)


class _Pool(ConnectionPool):
    connectionFactory = _Quiet


class _Dead(Exception):
    """The other end of the connection was gone."""


class _Line:
    """One question on its way, in the thread of its connection."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None

    def attempt(self, pooled: _Quiet, work: Callable[[PostgresRecords], T]) -> T:
        """Do *work* in the thread of *pooled*. Raises `_Dead`, or what *work* does."""
        connection = cast("psycopg.Connection[Any]", pooled._connection)
        self._connection = connection
        try:
            return work(PostgresRecords(lambda: PostgresConnection(connection)))
        except psycopg.Error as error:
            if connection.closed:
                raise _Dead(in_one_line(error)) from error
            raise
        finally:
            self._connection = None

    def cut(self) -> None:
        """End the connection under the work, which may be waiting for it in its thread; another thread may call."""
        connection = self._connection
        # It may come to its end at this very moment.
        with suppress(OSError, psycopg.Error):
            if connection is not None:
                with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)


def _milliseconds(seconds: float) -> int:
    """Return *seconds* as PostgreSQL takes them. (0 would be for ever.)"""
    return max(1, int(seconds * 1000))
