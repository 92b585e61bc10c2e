"""The parent of workers: it holds what they share and does no other work, so that it does not die of any.

Ports are bound here, keys are read here, the site is locked here, and what an unclean stop has left is looked at here,
once, before any worker serves.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from mailsuite import __version__
from mailsuite.config import Settings
from mailsuite.incoming import certificate_watch, has_tls
from mailsuite.mailbox.locks import hold_between_processes
from mailsuite.mailbox.ownership import Ownership
from mailsuite.mailbox.recovery import forget_process
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.policy.shared_state import Hub, Tell
from mailsuite.starting import on_signal, refuse_root, stop, told_plainly
from mailsuite.transport.certificate_watch import NOTHING_KNOWN
from mailsuite.workers import channel, log
from mailsuite.workers.channel import Channel, Message
from mailsuite.workers.crew import Crew, Worker
from mailsuite.workers.inheritance import ToParent, ToWorker, leave
from mailsuite.workers.process import FormerWorker, StartedWorker, start
from mailsuite.workers.program import WORKER, Program, command
from mailsuite.workers.sockets import Sockets
from mailsuite.workers.upgrade import Upgrade


class Parent(MultiService):
    """The service of a site with *count* workers. *inherited* is what the program before us has left.

    *program* is what takes our place in an upgrade; *foreground* as for `make_service`. *rehearse* makes what a worker
    needs to serve; it raises one of `START_TROUBLE`, and is called only to see whether that can be done.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        count: int,
        reactor: Any,
        foreground: bool,
        program: Program,
        inherited: ToParent | None,
        rehearse: Callable[[], None],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._reactor = reactor
        self._foreground = foreground
        self._program = program
        self._inherited = inherited
        self._rehearse = rehearse
        self._certificates = certificate_watch(
            settings, reactor, NOTHING_KNOWN if inherited is None else inherited.certificates
        )
        if has_tls(settings):
            self._certificates.setServiceParent(self)
        self._sockets = Sockets(reactor, settings.listen, () if inherited is None else inherited.sockets)
        self._folders = (settings.state_dir, settings.store.path)
        mark = RunMark(settings.state_dir, time.monotonic)
        self._ownership = Ownership(mark, settings.store.path, time.time)
        self._hub = Hub(time.monotonic)
        self._log_ends = log.pair() if inherited is None else inherited.log
        self._said = log.WorkersLog(self._log_ends[0], log.relay)
        self._crew = Crew(
            count, self._launch, reactor, self._died, self._failed, settings.drain_time, settings.limits.shutdown_grace
        )
        self._upgrade = Upgrade(reactor, program)
        # What the workers that died have left, and is not looked at yet.
        self._looking_after: set[Deferred[None]] = set()

    def privilegedStartService(self) -> None:
        """Bind the ports and read the keys. Raises one of `START_TROUBLE`."""
        with told_plainly(self._foreground):
            self._check()
            super().privilegedStartService()
            self._sockets.bind()

    def startService(self) -> None:
        """Look at the site, then start the workers. Raises one of `START_TROUBLE`."""
        with told_plainly(self._foreground):
            refuse_root(os.geteuid(), self._settings)
            if self._inherited is not None and self._inherited.rehearsal:
                self._rehearse()
                # All is well, and the rest is for who does it.
                self._sockets.close_new().addCallback(lambda _: stop(self._reactor))
                return
            if self._inherited is None:
                self._ownership.begin()
            else:
                self._ownership.succeed(self._inherited.lock)
                self._sockets.close_unwanted()
            super().startService()
        self._reactor.addReader(self._said)
        on_signal(self._reactor, signal.SIGHUP, self.reload)
        on_signal(self._reactor, signal.SIGUSR2, self.upgrade)
        self._crew.complete.addCallback(self._tell_complete)
        self._crew.start(*self._former_workers())
        if self._inherited is not None:
            # Who told us to reload in the meantime has told nobody.
            self._crew.hang_up()

    def stopService(self) -> Deferred[None]:
        """Let the workers end what they have begun, all at the same time."""
        if self._inherited is not None and self._inherited.rehearsal:
            return succeed(None)
        self._upgrade.forget()
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> None:
        """Read certificates anew, and have the workers do so and reopen the mail log (SIGHUP)."""
        self._certificates.reload()
        self._crew.hang_up()

    def upgrade(self) -> None:
        """Take up a new configuration, or a new version of the program (SIGUSR2): see `Upgrade`."""
        if self._looking_after:
            self._log.warn("Nothing new is taken up now: what a dead worker has left is being looked at")
            return
        self._upgrade.begin(self._will)

    def _check(self) -> None:
        """Raise `OSError` for what workers cannot be had with, or not be replaced with."""
        if not hold_between_processes():
            raise OSError("this system has no locks for several processes: leave workers at 1")
        if self._inherited is not None and self._inherited.folders != self._folders:
            raise OSError("state_dir and [store] path cannot be changed without a restart")

    async def _stop(self) -> None:
        await self._crew.stop()
        await DeferredList(list(self._looking_after))
        # What they have said last.
        self._said.doRead()
        self._reactor.removeReader(self._said)
        self._said.close()
        await self._sockets.close()
        await super().stopService()
        self._ownership.end()
        if self._inherited is not None and self._inherited.pidfile:
            # The twistd that wrote it is not the one that ends.
            with suppress(OSError):
                os.unlink(self._inherited.pidfile)

    def _launch(self, number: int) -> Worker:
        ours, theirs = channel.pair()
        worker = StartedWorker(number, lambda well, how: self._crew.ended(worker, well, how))
        inheritance = ToWorker(
            sockets=self._sockets.bound,
            certificates=self._certificates.told() if has_tls(self._settings) else {},
            lock=self._ownership.lock,
            number=number,
            parent=os.getpid(),
            channel=theirs,
            settings=self._settings,
        )
        environment = dict(os.environ)
        legacy = leave(inheritance, environment)
        said = self._log_ends[1]
        kept = {fd: fd for fd in (legacy, *inheritance.descriptors)}
        try:
            start(self._reactor, worker, command(WORKER), environment, {**kept, 1: said, 2: said})
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(legacy)
            os.close(theirs)
        self._connect(worker, ours)
        return worker

    def _connect(self, worker: StartedWorker, fd: int) -> None:
        member: Tell

        def received(message: Message) -> None:
            self._hub.received(member, message.changes)
            if message.ready:
                self._log.info("Worker {number} is process {pid}", number=worker.number, pid=worker.pid)
                self._crew.ready(worker)

        member = Channel(self._reactor, fd, received, lambda: self._hub.left(member)).tell
        self._hub.joined(member)

    def _died(self, worker: Worker) -> None:
        """Look at what a worker has left that was killed, or stopped for a trouble."""
        looking = deferToThread(forget_process, self._settings.store.path, str(worker.pid), time.time())
        looking.addErrback(lambda failure: self._log.failure("What a worker has left was not looked at", failure))
        self._looking_after.add(looking)
        looking.addBoth(lambda _: self._looking_after.discard(looking))

    def _failed(self) -> None:
        self._log.critical("The workers cannot be started, so mailsuite stops")
        # twistd has no other way to end with another status than 0.
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        stop(self._reactor)

    def _tell_complete(self, _: None) -> None:
        where = ", ".join(f"{each.name} at {each.endpoint}" for each in self._sockets.bound)
        self._log.info(
            "mailsuite {version} serves {where} with {count} workers",
            version=__version__, where=where, count=len(self._crew.placed),
        )  # fmt: skip

    def _former_workers(self) -> tuple[list[Worker], list[Worker]]:
        if self._inherited is None:
            return [], []
        return self._former(self._inherited.workers), self._former(self._inherited.going)

    def _former(self, numbers: Mapping[int, int]) -> list[Worker]:
        workers = [FormerWorker(number, pid, self._reactor) for pid, number in numbers.items()]
        for worker in workers:
            worker.watch(partial(self._crew.ended, worker))
        return list(workers)

    def _will(self, configuration: str, rehearsal: bool) -> ToParent:
        """Return what we leave to who takes our place. Who does not serve yet is told to stop then."""
        if not rehearsal:
            self._crew.stop_beginners()
        return ToParent(
            sockets=self._sockets.bound,
            certificates=self._certificates.told() if has_tls(self._settings) else {},
            lock=self._ownership.lock,
            folders=self._folders,
            log=self._log_ends,
            workers={worker.pid: worker.number for worker in self._crew.serving},
            going={worker.pid: worker.number for worker in (*self._crew.going, *self._crew.beginners)},
            pidfile=self._program.pidfile if self._inherited is None else self._inherited.pidfile,
            configuration=configuration,
            rehearsal=rehearsal,
        )
