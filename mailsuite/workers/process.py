"""A worker's process: one that we have started, or one that who was here before us has."""

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

# How often it is looked whether a process has ended of which the reactor is not told, in seconds.
LOOK_SECONDS = 0.1

# Is told how a process ended: whether that was well, and in words.
Ended = Callable[[bool, str], None]


class StartedWorker(ProcessProtocol):
    """The worker *number*, once it is started. *ended* is called when it is gone."""

    def __init__(self, number: int, ended: Ended) -> None:
        self.number = number
        self.pid = 0
        self._ended = ended

    def connectionMade(self) -> None:
        """See `ProcessProtocol`."""
        # There is one from now on.
        assert self.transport is not None
        self.pid = self.transport.pid or 0

    def signal(self, number: int) -> None:
        """See `mailsuite.workers.crew.Worker`."""
        assert self.transport is not None
        try:
            self.transport.signalProcess(signal.Signals(number).name.removeprefix("SIG"))
        except ProcessExitedAlready:
            return

    def processEnded(self, reason: Failure) -> None:
        """See `ProcessProtocol`."""
        error: Any = reason.value
        self._ended(*_judged(error.exitCode, error.signal))


class FormerWorker:
    """The worker *number*, a child of this process that another program has started; *clock* is the reactor."""

    def __init__(self, number: int, pid: int, clock: Any) -> None:
        self.number = number
        self.pid = pid
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._ended: Ended | None = None

    def watch(self, ended: Ended) -> None:
        """Call *ended* when it is gone."""
        self._ended = ended
        self._looking.start(LOOK_SECONDS, now=False)

    def signal(self, number: int) -> None:
        """See `mailsuite.workers.crew.Worker`."""
        if self._looking.running:
            os.kill(self.pid, number)

    def _look(self) -> None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self._looking.stop()
            code = os.waitstatus_to_exitcode(status)
            assert self._ended is not None
            self._ended(*_judged(code if code >= 0 else None, -code if code < 0 else None))


def start(
    reactor: Any,
    protocol: ProcessProtocol,
    command: list[str],
    environment: Mapping[str, str],
    descriptors: Mapping[int, int | str],
) -> None:
    """Start *command* with *descriptors* (as `IReactorProcess.spawnProcess` has them) and nothing on its input."""
    with open(os.devnull, "rb") as nothing:
        reactor.spawnProcess(
            protocol, command[0], command, dict(environment), childFDs={0: nothing.fileno(), **descriptors}
        )


def _judged(code: int | None, number: int | None) -> tuple[bool, str]:
    """Return whether a process ended well, and how, in words. (twistd ends by the signal that it was told to.)"""
    if number is not None:
        return number in (signal.SIGTERM, signal.SIGINT), f"was ended by {signal.Signals(number).name}"
    return code == 0, "has stopped" if code == 0 else f"has stopped with status {code}"
