"""A parent makes way for another program: a new version of this one, or one that has read a new configuration.

It is executed in the same process: who watches that one sees no change, and sockets, lock and workers stay. First it
is rehearsed, in another process, up to where mail would be served: what would not start takes no place.
"""

import os
import shlex
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailsuite.config import ConfigError
from mailsuite.config.loading import read
from mailsuite.starting import STOPPING
from mailsuite.workers.inheritance import VARIABLE, ToParent, leave
from mailsuite.workers.process import start
from mailsuite.workers.program import Program, command

# A rehearsal that takes longer has not gone well, in seconds.
REHEARSAL_SECONDS = 120.0


class Upgrade:
    """Puts *program* in our place."""

    _log = Logger()

    def __init__(self, reactor: Any, program: Program) -> None:
        self._reactor = reactor
        self._program = program
        self._rehearsal: _Rehearsal | None = None
        self._again = False
        self._forgotten = False

    def begin(self, will: Callable[[str, bool], ToParent]) -> None:
        """Rehearse, and make way if that goes well.

        *will* says what we leave, with the text of the configuration that is to be taken up, and is told if that is a
        rehearsal.
        """
        if self._rehearsal is not None:
            # There may be something newer to be taken up.
            self._again = True
            return
        try:
            text = read(self._program.config)
        except ConfigError as error:
            self._refused(str(error))
            return
        try:
            self._program.check_log()
        except OSError as error:
            path, user = shlex.quote(error.filename), os.geteuid()
            self._refused(f"its log cannot be written ({error}); to mend it: chown {user} {path}")
            return
        left = will(text, True)
        environment = dict(os.environ)
        legacy = leave(left, environment)
        self._rehearsal = _Rehearsal(self._reactor, lambda refusal: self._rehearsed(refusal, text, will))
        kept: dict[int, int | str] = {fd: fd for fd in (legacy, *left.descriptors)}
        try:
            start(
                self._reactor, self._rehearsal, command(self._program.rehearsal), environment,
                {**kept, 1: "r", 2: "r"},
            )  # fmt: skip
        except OSError as error:
            self._rehearsed(str(error), text, will)
        finally:
            os.close(legacy)

    def forget(self) -> None:
        """Make way for nobody any more: the service stops."""
        self._forgotten = True
        if self._rehearsal is not None:
            self._rehearsal.kill()

    def _rehearsed(self, refusal: str, text: str, will: Callable[[str, bool], ToParent]) -> None:
        self._rehearsal = None
        if self._forgotten:
            return
        if self._again:
            self._again = False
            self.begin(will)
        elif refusal:
            self._refused(refusal)
        else:
            self._make_way(will(text, False))

    def _make_way(self, left: ToParent) -> None:
        self._log.info("Another program takes this place: new configuration, new version")
        legacy = leave(left, os.environ)
        # They would be the end of a program that is only beginning.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGUSR2)}
        # These wait until it can stop in good order (see `stop_once`).
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        arguments = command(self._program.arguments)
        try:
            os.execv(arguments[0], arguments)  # noqa: S606 (no shell is wanted)
        except OSError as error:
            for number, act in before.items():
                signal.signal(number, act)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            del os.environ[VARIABLE]
            os.close(legacy)
            self._refused(str(error))

    def _refused(self, refusal: str) -> None:
        self._log.error("Nothing new is taken up, and all goes on as it was: {refusal}", refusal=refusal)


class _Rehearsal(ProcessProtocol):
    """Calls *ended* with what a rehearsal had to say, empty where it went well."""

    def __init__(self, clock: Any, ended: Callable[[str], None]) -> None:
        self._clock = clock
        self._ended = ended
        self._said: list[bytes] = []
        self._killing: Any = None

    def connectionMade(self) -> None:
        """See `ProcessProtocol`."""
        assert self.transport is not None
        self._killing = self._clock.callLater(REHEARSAL_SECONDS, self.kill)

    def kill(self) -> None:
        """End it now."""
        assert self.transport is not None
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """See `ProcessProtocol`."""
        self._said.append(data)

    def processEnded(self, reason: Failure) -> None:
        """See `ProcessProtocol`."""
        if self._killing.active():
            self._killing.cancel()
        said = b"".join(self._said).decode("utf-8", "replace").strip()
        self._ended("" if reason.check(ProcessDone) else said or "it has ended without a word")
