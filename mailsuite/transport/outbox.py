"""What sessions say in one turn of the reactor leaves together, at its end.

A send over TCP wakes whoever reads at the other end, or the card that brings it there. Peers that are woken one by one
ask one by one, each in a turn of its own; peers that are answered together ask together. So with 20 connections at a
time a message costs a tenth less CPU (docs/performance.rst). A session that is alone has nobody to wait for.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailsuite.transport.direct import close, send
from mailsuite.transport.direct_tls import hold, release

# Of one session; with more it does not wait for the others.
WAITING_OCTETS = 4096


class Sender(Protocol):
    """Who has something to send."""

    transport: Any

    def kept_waiting(self) -> None:
        """What was sent, or the end of the connection, waits in the transport for the peer."""

    def abort(self) -> None:
        """End the connection now."""


class Outbox:
    """Sends for many sessions. *crowded* says whether there are others whose replies are worth waiting for."""

    log = Logger()

    def __init__(self, clock: IReactorTime, crowded: Callable[[], bool]) -> None:
        self._clock = clock
        self._crowded = crowded
        self._waiting: dict[Sender, bytes] = {}
        self._closing: set[Sender] = set()

    def send(self, sender: Sender, data: bytes) -> None:
        """Send *data* at the end of this turn, after what waits for it already, or now."""
        waiting = self._waiting.get(sender)
        if waiting is not None:
            self._waiting[sender] = waiting + data
            if len(waiting) + len(data) > WAITING_OCTETS:
                self.push(sender)
        elif len(data) > WAITING_OCTETS or not (self._crowded() and hold(sender.transport)):
            self._leave(sender, data)
        else:
            if not self._waiting:
                self._clock.callLater(0, self._leave_all)
            self._waiting[sender] = data

    def push(self, sender: Sender) -> None:
        """Send now what waits of *sender*: what it does next is done to the transport itself."""
        waiting = self._waiting.pop(sender, None)
        if waiting is not None:
            self._leave(sender, waiting)
            release(sender.transport)

    def close(self, sender: Sender) -> None:
        """Close the connection of *sender* behind all that it has sent."""
        if sender in self._waiting:
            self._closing.add(sender)
        elif not close(sender.transport):
            sender.kept_waiting()

    def _leave_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        closing, self._closing = self._closing, set()
        for sender, data in waiting.items():
            try:
                if not send(sender.transport, data):
                    sender.kept_waiting()
                if sender in closing:
                    self.close(sender)
            except Exception:
                # The others have waited long enough; this one would wait for a reply that never comes.
                self.log.failure("Sending failed")
                sender.abort()
            finally:
                release(sender.transport)

    def _leave(self, sender: Sender, data: bytes) -> None:
        if not send(sender.transport, data):
            sender.kept_waiting()
