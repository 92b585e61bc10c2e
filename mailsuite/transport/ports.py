"""Ports: how they are bound, and how one process takes them over from another."""

import errno
import os
import socket
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.unix import Port as UNIXPort
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.transport.accepted import for_connections

# Connections that may wait to be accepted, where the endpoint does not say.
BACKLOG = 1024


class CannotListen(Exception):
    """A listener's address cannot be bound; the text says which one and why."""


def bind(
    name: str, text: str, endpoint: IStreamServerEndpoint, factory: IProtocolFactory, vanished_after: int = 0
) -> IListeningPort:
    """Return the port of *endpoint*, which *text* describes, of the listener *name*. Raises `CannotListen`.

    By TCP, a peer whose host answers nothing for *vanished_after* seconds counts as gone; 0: as the system has it.
    """
    ports: list[IListeningPort] = []
    failures: list[Failure] = []
    # Stream servers of the reactor are bound when `listen` returns: there is nothing to wait for.
    endpoint.listen(factory).addCallbacks(ports.append, failures.append)
    for failure in failures:
        error = failure.value
        reason = error.socketError if isinstance(error, CannotListenError) else error
        raise CannotListen(f"[listen.{name}] cannot listen on {text!r}: {reason}{_mend(text, reason)}")
    listening = getattr(ports[0], "socket", None)
    if listening is not None:
        if "backlog=" not in text:
            # Twisted's 50 make a burst of connections wait for whole seconds; the kernel takes the new figure.
            listening.listen(BACKLOG)
        for_connections(listening, vanished_after)
    return ports[0]


@implementer(IStreamServerEndpoint)
class InheritedSocket:
    """An endpoint on a listening socket that another process has bound, which looks after it: the descriptor *fd*.

    When the port is closed, it is closed in this process alone. To be used once.
    """

    def __init__(self, reactor: Any, fd: int) -> None:
        self._reactor = reactor
        self._fd = fd

    def listen(self, protocolFactory: IProtocolFactory) -> "Deferred[IListeningPort]":
        """See `IStreamServerEndpoint.listen`."""
        try:
            with socket.socket(fileno=os.dup(self._fd)) as inherited:
                family = inherited.family
            if family == socket.AF_UNIX:
                port = _SharedUNIXPort.of_descriptor(self._reactor, self._fd, protocolFactory)
            else:
                port = self._reactor.adoptStreamPort(self._fd, family, protocolFactory)
        except OSError as error:
            return fail(error)
        # The port has a copy.
        os.close(self._fd)
        return succeed(port)


class _SharedUNIXPort(UNIXPort):
    """A port whose path and mode are another process's to look after: Twisted would change the one, remove the other.

    (`tests/transport/test_ports.py` fails if Twisted changes what is relied on here.)
    """

    _shouldShutdown = False

    @classmethod
    def of_descriptor(cls, reactor: Any, fd: int, factory: IProtocolFactory) -> "_SharedUNIXPort":
        """Return a port that listens."""
        port: _SharedUNIXPort = cls._fromListeningDescriptor(reactor, fd, factory)
        # What has no name in a file system needs nothing there.
        port._bindPath = b"\0" + port._bindPath
        port.startListening()
        return port


def _mend(text: str, reason: object) -> str:
    """Return what to do about *reason*, in words that go on from there; empty where that is not clear."""
    if not text.startswith("tcp"):
        return ""
    if isinstance(reason, PermissionError):
        return "; for a port below 1024 start as root with --uid and --gid, or by etc/mailsuite.service"
    if isinstance(reason, OSError) and reason.errno == errno.EADDRINUSE:
        return "; another program listens there: stop it (ss -ltnp names it), or choose another port"
    return ""
