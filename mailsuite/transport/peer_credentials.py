"""Who is at the other end of a UNIX socket: the kernel knows, and needs no password (SO_PEERCRED, unix(7))."""

import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.transport.addresses import LocalAddress

# Names the user of this system with a number.
UserOf: TypeAlias = Callable[[int], Awaitable[str]]

# pid, uid and gid of the process that has connected.
_CREDENTIALS = struct.Struct("=iii")


def user_of(uid: int) -> Awaitable[str]:
    """See `name_of`; in a thread, since the name may be in LDAP."""
    return deferToThread(name_of, uid)


def name_of(uid: int) -> str:
    """Return the name of the user *uid*, or the number where there is none. Blocks."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class Identified(ServerFactory):
    """Builds what *factory* builds, once it is known which user has connected. *name* is the listener's."""

    log = Logger()
    noisy = False

    def __init__(self, name: str, factory: Any, user_of: UserOf) -> None:
        self.name = name
        self.user_of = user_of
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """See `IProtocolFactory.buildProtocol`."""
        return Question(self)

    def admit(self, address: LocalAddress) -> Any:
        """Return what serves the user at *address*; ``None`` where it may not come."""
        return self._factory.buildProtocol(address)


class Question(Protocol):
    """Asks for the user, then leaves its place to what serves it (as `transport.gate.Prelude` does)."""

    # A UNIX transport of Twisted's.
    transport: Any

    def __init__(self, identified: Identified) -> None:
        self._identified = identified
        self._over = False

    def connectionMade(self) -> None:
        """Ask. Nothing is read until there is an answer."""
        self.transport.pauseProducing()
        Deferred.fromCoroutine(self._ask()).addErrback(self._failed)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody is there any more."""
        self._over = True

    async def _ask(self) -> None:
        connection = self.transport.getHandle()
        if connection.family != socket.AF_UNIX:
            raise OSError("it came by no UNIX socket")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(credentials)
        user = await self._identified.user_of(uid)
        if self._over:
            return
        served = self._identified.admit(LocalAddress(user, uid))
        if served is None:
            self.transport.abortConnection()
            return
        self.transport.protocol = served
        self.transport.resumeProducing()
        served.makeConnection(self.transport)

    def _failed(self, failure: Failure) -> None:
        name, reason = self._identified.name, failure.getErrorMessage()
        self._identified.log.warn("[listen.{name}] a client is turned away: {reason}", name=name, reason=reason)
        self.transport.abortConnection()
