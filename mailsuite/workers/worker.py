"""What a worker stands on: its parent's sockets, lock and certificates, and the state that all share."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailsuite.interfaces import ISharedState
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.policy.shared_state import Exchange
from mailsuite.starting import stop
from mailsuite.transport.ports import InheritedSocket
from mailsuite.workers.channel import Channel, Message
from mailsuite.workers.crew import DRAIN
from mailsuite.workers.inheritance import ToWorker

# How often a worker whose parent does not answer looks whether it still has one, in seconds.
LOOK_SECONDS = 0.5


class Hired:
    """See `mailsuite.workers.footing.Footing`."""

    shared = True
    _log = Logger()

    def __init__(self, inherited: ToWorker, reactor: Any) -> None:
        self.certificates = inherited.certificates
        self._inherited = inherited
        self._reactor = reactor
        self._sockets = {(each.name, each.endpoint): each.fd for each in inherited.sockets}
        self._locks = Locks(f"{inherited.settings.state_dir}/locks")
        self._exchange = Exchange(time.monotonic, reactor, self._locks, self._tell)
        self._channel: Channel | None = None
        self._looking = LoopingCall(self._look_for_parent)
        self._looking.clock = reactor
        # The site's lock is the parent's; who inherits it keeps others out until the last of us is gone.
        self.committed = RunMark(inherited.settings.state_dir, time.monotonic).committed

    def endpoint(self, name: str, text: str) -> IStreamServerEndpoint:
        """See `Footing`."""
        return InheritedSocket(self._reactor, self._sockets[name, text])

    def state(self, name: str) -> ISharedState:
        """See `Footing`."""
        return self._exchange.state(name)

    def begin(self) -> None:
        """See `Footing`."""
        self._channel = Channel(self._reactor, self._inherited.channel, self._received, self._lost)

    def serves(self, where: str) -> None:
        """See `Footing`."""
        if self._channel is not None:
            self._channel.send(Message(ready=True))

    def end(self) -> None:
        """See `Footing`."""
        self._locks.close()
        if self._looking.running:
            self._looking.stop()

    def signals(self, drain: Callable[[], None]) -> Mapping[int, Callable[[], None]]:
        """See `Footing`."""
        return {DRAIN: drain}

    def _tell(self, changes: Any) -> None:
        if self._channel is not None:
            self._channel.tell(changes)

    def _received(self, message: Message) -> None:
        self._exchange.received(message.changes)

    def _lost(self) -> None:
        """Our parent is dead, or another program takes its place and will replace us."""
        self._channel = None
        self._looking.start(LOOK_SECONDS)

    def _look_for_parent(self) -> None:
        if os.getppid() != self._inherited.parent:
            self._looking.stop()
            self._log.error("The parent of this worker is dead: it stops")
            stop(self._reactor)
