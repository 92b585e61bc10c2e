"""The listening sockets of a site, which its parent holds, and nobody accepts from but its workers."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.config.endpoints import place
from mailsuite.config.tables.listen import Listener
from mailsuite.transport.ports import bind
from mailsuite.workers.footing import endpoint
from mailsuite.workers.inheritance import Socket


class Sockets:
    """The sockets of *listeners*, by name; those that are *inherited* are bound already."""

    _log = Logger()

    def __init__(self, reactor: Any, listeners: Mapping[str, Listener], inherited: Sequence[Socket]) -> None:
        self._reactor = reactor
        self._wanted = [(name, text) for name, each in listeners.items() for text in each.endpoints]
        self._inherited = {(each.name, each.endpoint): each for each in inherited}
        self._new: list[Callable[[], Any]] = []
        self.bound: list[Socket] = []

    def bind(self) -> None:
        """Bind what is not bound. Raises `CannotListen`."""
        self.bound = [self._inherited.get(wanted) or self._bind(*wanted) for wanted in self._wanted]

    def close_unwanted(self) -> None:
        """Close what is inherited and of which nothing is said in the configuration any more."""
        for key, socket in self._inherited.items():
            if key not in self._wanted:
                close(socket)

    def close_new(self) -> "Deferred[Any]":
        """Close what was not bound before us."""
        return DeferredList([maybeDeferred(close_port).addErrback(self._left) for close_port in self._new])

    def close(self) -> "Deferred[Any]":
        """Close all."""
        for key, socket in self._inherited.items():
            if key in self._wanted:
                close(socket)
        return self.close_new()

    def _left(self, failure: Failure) -> None:
        # A UNIX socket in a folder that is not ours any more, most likely; the next start removes it.
        self._log.warn("{reason}", reason=failure.getErrorMessage())

    def _bind(self, name: str, text: str) -> Socket:
        port: Any = bind(name, text, endpoint(self._reactor, name, text), ServerFactory())
        # The reactor does not run yet: nothing was accepted.
        port.stopReading()
        self._new.append(port.stopListening)
        return Socket(name, text, port.fileno())


def close(socket: Socket) -> None:
    """Close a socket that another program has bound; where it has a path, remove that."""
    os.close(socket.fd)
    spot = place(socket.endpoint)
    if spot.kind == "unix":
        for path in (spot.path, f"{spot.path}.lock"):
            with suppress(OSError):
                os.unlink(path)
