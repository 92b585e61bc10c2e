"""PostgreSQL's word that something has changed: one connection that only listens, watched by the reactor."""

import os
from collections.abc import Callable
from typing import Any

import psycopg
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.directory.postgresql_schema import CHANNEL
from mailsuite.directory.threads import Run


@implementer(IReadDescriptor)
class Notifications:
    """Calls *heard* for what is told on `CHANNEL`, over a connection that *dial* makes, in a thread of *run*'s.

    It is only a hint: the connection may be lost, and with it a word; `listen` makes it anew.
    """

    def __init__(
        self,
        dial: Callable[[], "psycopg.Connection[Any]"],
        reactor: Any,
        run: Run,
        heard: Callable[[], object],
    ) -> None:
        self._dial = dial
        self._reactor = reactor
        self._run = run
        self._heard = heard
        self._connection: psycopg.Connection[Any] | None = None
        # A descriptor of our own for its socket: the reactor knows it by that, whenever the library closes its own.
        self._descriptor = -1
        self._stopped = False

    async def listen(self) -> None:
        """Listen, if that is not so already; where nobody answers, nothing is said."""
        if self._connection is not None or self._stopped:
            return
        try:
            connection = await self._run(self._begin)
        except psycopg.Error:
            return
        self._connection = connection
        self._descriptor = os.dup(connection.fileno())
        self._reactor.addReader(self)
        self._drop_if_stopped()

    async def stop(self) -> None:
        """Listen no more."""
        self._stopped = True
        self._drop()

    def fileno(self) -> int:
        """See `IReadDescriptor`."""
        return self._descriptor

    def doRead(self) -> None:
        """See `IReadDescriptor`: take what has come, without waiting for more."""
        if self._connection is None:
            return
        try:
            told = list(self._connection.notifies(timeout=0))
        except psycopg.Error:
            self._drop()
            return
        if told:
            self._heard()

    def connectionLost(self, reason: Failure) -> None:
        """See `IReadDescriptor`."""
        self._drop()

    def logPrefix(self) -> str:
        """See `ILoggingContext`."""
        return "notifications"

    def _drop_if_stopped(self) -> None:
        """Stopping does not wait for a connection that is being made."""
        if self._stopped:
            self._drop()

    def _begin(self) -> "psycopg.Connection[Any]":
        connection = self._dial()
        try:
            connection.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._reactor.removeReader(self)
            os.close(self._descriptor)
            self._descriptor = -1
            connection.close()
