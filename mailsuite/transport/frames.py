"""Messages between processes of one site: over a pair of UNIX sockets, each behind its length."""

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

# The longest message that is taken.
FRAME_OCTETS = 16 * 1024 * 1024
# Whoever does not read while so many octets wait for it is cut off: the sender's memory is bounded.
UNREAD_OCTETS = 64 * 1024 * 1024


@implementer(IPushProducer)
class Frames(Int32StringReceiver):
    """One end. *received* is called with each message, *lost* once when the other end is gone."""

    MAX_LENGTH = FRAME_OCTETS
    transport: Any

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._paused = False
        self._unread = 0

    def connectionMade(self) -> None:
        """Learn when the other end does not read."""
        self.transport.registerProducer(self, True)

    def send(self, message: bytes) -> None:
        """Send *message*; nothing happens where the other end is gone."""
        if self._paused:
            self._unread += len(message)
            if self._unread > UNREAD_OCTETS:
                self.transport.abortConnection()
                return
        self.sendString(message)

    def stringReceived(self, string: bytes) -> None:
        """See `Int32StringReceiver`."""
        self._received(string)

    def lengthLimitExceeded(self, length: int) -> None:
        """See `Int32StringReceiver`: nobody who speaks our language does that."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `Int32StringReceiver`."""
        self._lost()

    def pauseProducing(self) -> None:
        """What is sent from now on has to wait."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The other end has read all."""
        self._paused = False
        self._unread = 0

    def stopProducing(self) -> None:
        """The connection is at its end."""


def connect(reactor: Any, fd: int, received: Callable[[bytes], None], lost: Callable[[], None]) -> Frames:
    """Return this end of a pair of sockets; *fd* is closed and must not be used any more."""
    ends: list[Frames] = []

    class _End(Factory):
        noisy = False

        def buildProtocol(self, addr: object) -> Frames:
            ends.append(Frames(received, lost))
            return ends[0]

    os.set_blocking(fd, False)
    reactor.adoptStreamConnection(fd, socket.AF_UNIX, _End())
    os.close(fd)
    return ends[0]
