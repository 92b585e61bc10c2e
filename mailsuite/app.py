"""The composition root: settings and a reactor in, the whole service out. This file names the parts together.

(`incoming` makes its listeners, `outgoing` the way out, `logins` what users log in by, `limits` quotas and caps.)

Start order (docs/architecture.rst): `make_service` opens nothing. `privilegedStartService` binds the ports and reads
the keys, as root where twistd was started so. `startService` comes after the fork and after root was dropped: only
then are databases, threads and mail folders opened.
"""

import os
import secrets
import signal
import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from mailsuite.administered import AdminAPI
from mailsuite.backends import backend, load, source
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.last_uses import LastUses
from mailsuite.directory.lookup import Directory
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.returned import Returned
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.served import CHECK_SECONDS
from mailsuite.directory.threads import BoundedThreads
from mailsuite.identity import SessionIds
from mailsuite.incoming import Incoming, certificate_watch, has_tls, pop3_policies, roles
from mailsuite.limits import caps, full, ledger, notices, quotas
from mailsuite.logins import authenticator, offer, throttle, tokens
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.expiry import Expiry
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildir import Names, Writer
from mailsuite.mailbox.store import Clocks, MaildirStore
from mailsuite.mailbox.sync import choose
from mailsuite.maillog import MailLog
from mailsuite.maybe import then, value_of
from mailsuite.outgoing import Outgoing, leads_here
from mailsuite.peers import peers_in
from mailsuite.policies import Denials, OwnChecks, SenderChecks, load_own_checks
from mailsuite.policy.priorities import Priorities
from mailsuite.policy.retention import Retention
from mailsuite.policy.srs_secrets import BadSecrets
from mailsuite.returns import Returns
from mailsuite.service.flush import Flush
from mailsuite.service.holding import HoldQuota
from mailsuite.service.intake import Intake
from mailsuite.service.login import Logins
from mailsuite.service.login_delays import SharedDelays
from mailsuite.service.maa import MailboxSite
from mailsuite.service.site import Site
from mailsuite.starting import on_signal, refuse_root, stop, told_plainly
from mailsuite.workers.footing import Alone, Footing
from mailsuite.workers.inheritance import ToParent, ToWorker
from mailsuite.workers.leader import Leader
from mailsuite.workers.parent import Parent
from mailsuite.workers.program import Program
from mailsuite.workers.worker import Hired

_log = Logger()
# How often a process that is to go looks whether all sessions have ended, in seconds.
DRAINED_SECONDS = 0.2


def make_service(
    settings: Settings,
    reactor: Any = default_reactor,
    foreground: bool = False,
    program: Program | None = None,
    inherited: ToWorker | ToParent | None = None,
) -> "MailService | Parent":
    """Return the service for *settings*; nothing is opened before it is started.

    *foreground*: somebody watches, and is told in one line why a start fails. *program* is what could take our place,
    *inherited* what somebody has left us. Raises `CannotListen`.
    """
    if isinstance(inherited, ToWorker):
        return MailService(inherited.settings, reactor, foreground, Hired(inherited, reactor))
    if inherited is not None or worker_count(settings) > 1:
        return Parent(
            settings, worker_count(settings), reactor, foreground, program or Program(""), inherited,
            lambda: rehearse(settings, reactor),
        )  # fmt: skip
    return MailService(settings, reactor, foreground, Alone(settings, reactor))


def rehearse(settings: Settings, reactor: Any) -> None:
    """Make what a worker needs to serve, and do nothing with it. Raises one of `START_TROUBLE`."""
    load(settings)
    load_own_checks(settings)
    parts = Parts(settings, reactor, Passwords(), Alone(settings, reactor), lambda: True, lambda host, port: False)
    parts.try_out()


def worker_count(settings: Settings) -> int:
    """Return how many processes are to serve: as many as there are processors for us, where that is "auto"."""
    return len(os.sched_getaffinity(0)) if settings.workers == "auto" else settings.workers


class MailService(MultiService):
    """All services of a site under one roof: listeners stop first, then what they stand on."""

    log = Logger()

    def __init__(self, settings: Settings, reactor: Any, foreground: bool, footing: Footing) -> None:
        super().__init__()
        self._settings = settings
        self._reactor = reactor
        self._foreground = foreground
        self._footing = footing
        # Made here since it loads modules, which another user may not be able to read.
        self._passwords = Passwords(renew=settings.directory.renew_hashes)
        with told_plainly(foreground):
            load(settings)
            load_own_checks(settings)
        self._parts: Parts | None = None
        self._draining: LoopingCall | None = None
        self._certificates = certificate_watch(settings, reactor, footing.certificates)
        if has_tls(settings):
            self._certificates.setServiceParent(self)
        incoming = Incoming(settings, reactor, footing, self._certificates, self._running)
        self.listeners = [incoming.listener(name, listener) for name, listener in settings.listen.items()]
        for listener in self.listeners:
            listener.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Bind the ports and read the keys. Raises one of `START_TROUBLE`."""
        with told_plainly(self._foreground):
            super().privilegedStartService()

    def startService(self) -> None:
        """Open everything, then serve. Raises one of `START_TROUBLE`."""
        with told_plainly(self._foreground):
            refuse_root(os.geteuid(), self._settings)
            self._footing.begin()
            try:
                parts = Parts(
                    self._settings, self._reactor, self._passwords, self._footing, self._lone, self._listens
                )
                parts.start()
            except BaseException:
                # Nothing was promised yet: that is no unclean stop.
                self._footing.end()
                raise
            self._parts = parts
            super().startService()
        for number, act in {signal.SIGHUP: self.reload, **self._footing.signals(self.drain)}.items():
            on_signal(self._reactor, number, act)
        self._footing.serves(self._told())

    def drain(self) -> None:
        """Take nothing new, and stop when all sessions have ended, or have had their time."""
        if self._draining is not None or self._parts is None:
            return
        for listener in self.listeners:
            listener.close()
        Deferred.fromCoroutine(self._parts.leader.stop())
        self._draining = LoopingCall(self._look_drained, self._reactor.seconds() + self._settings.drain_time)
        self._draining.clock = self._reactor
        self._draining.start(DRAINED_SECONDS)

    def _look_drained(self, until: float) -> None:
        left = any(listener.open_sessions or listener.waiting for listener in self.listeners)
        if not left or self._reactor.seconds() >= until:
            stop(self._reactor)

    def stopService(self) -> Deferred[None]:
        """Let the sessions end, then close what they stood on."""
        if self._draining is not None and self._draining.running:
            self._draining.stop()
        # A service that is removed while we run is stopped by that; a second stop would wait for ever.
        stopping = [maybeDeferred(self.removeService, listener) for listener in self.listeners]
        return DeferredList(stopping).addCallback(self._stop_rest)

    def reload(self) -> None:
        """Read certificates anew and reopen the mail log (SIGHUP); no session is touched."""
        self._certificates.reload()
        if self._parts is not None:
            self._parts.reload()

    def _stop_rest(self, result: Any) -> Any:
        stopped = super().stopService()
        if self._parts is None:
            return stopped
        closed = Deferred.fromCoroutine(self._parts.close())
        return closed.addCallback(lambda _: self._footing.end()).addCallback(lambda _: stopped)

    def _listens(self, host: str, port: int) -> bool:
        """Say whether mail for *port* of the IP address *host* would come to ourselves."""
        return any(
            getattr(address, "port", 0) == port and leads_here(getattr(address, "host", ""), host)
            for listener, settings in zip(self.listeners, self._settings.listen.values(), strict=True)
            if settings.service == "mta"
            for address in listener.addresses
        )

    def _lone(self) -> bool:
        return sum(listener.open_sessions for listener in self.listeners) <= 1

    def _told(self) -> str:
        return ", ".join(f"{each.name} at {', '.join(map(str, each.addresses))}" for each in self.listeners)

    def _running(self) -> "Parts":
        if self._parts is None:
            raise RuntimeError("the service has not started")
        return self._parts


class Parts:
    """What is opened once root is dropped: mail, accounts, log, and what stands on them.

    Raises `OSError` or what the directory raises; what was opened before is closed again.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        passwords: Passwords,
        footing: Footing,
        lone: Callable[[], bool],
        listens: Callable[[str, int], bool],
    ) -> None:
        root = settings.store.path
        clocks = Clocks(time.time, time.monotonic)
        self.log = MailLog(settings.log.path, settings.log.format, clocks.now)
        self.log.open()
        self._returns = Returns(settings, clocks.now)
        self._returns.load()
        self._denials = Denials(settings)
        self._denials.load()
        own_checks = OwnChecks(settings, reactor)
        self._reloading = DeferredLock()
        self._hashing = BoundedThreads(reactor, settings.directory.hash_threads)
        self._backend = backend(settings, reactor, clocks.seconds, self._hashing.run)
        self._backend.start()
        seen = source(settings, self._backend, clocks.seconds)
        directory = Directory(
            self._backend, seen, clocks.now, settings.directory.postmaster, settings.hostname,
            Returned(self._returns.restoring, clocks.now),
        )  # fmt: skip
        # So that it is known by the time it is asked for, where that takes a moment.
        directory.is_backup("")
        self._uses = LastUses(self._backend.use_writer(), deferToThread, clocks.now, reactor)
        state = footing.state("logins")
        self._throttle = throttle(settings, reactor, state, self.log, peers_in(settings.limits.exempt, unix=True))
        self.bans = self._throttle.bans
        self._api: AdminAPI | None = None
        if any(listener.service == "admin" for listener in settings.listen.values()):
            self._api = AdminAPI(settings, reactor, self._throttle.guessing, self.log)
        self.offer = offer(settings, self._backend, clocks.seconds)
        self._looking = LoopingCall(self.offer.look)
        self._looking.clock = reactor
        self.session_id = SessionIds(secrets.randbits(40))
        names = Names(clocks.now, str(os.getpid()))
        self._barrier = Barrier(choose(root, settings.store.sync), reactor, lone, clocks.seconds, footing.committed)
        self._locks = Locks(f"{settings.state_dir}/locks")
        counted = ledger(settings)
        store = MaildirStore(
            Writer(root, names),
            names,
            self._barrier,
            Listings(settings.store.listing_memory, clocks.now, footing.shared),
            self._locks,
            deferToThread,
            settings.store.free_floor,
            clocks,
            counted,
        )
        priorities = Priorities(peers_in(settings.smtp.priority_peers), settings.submission.highest_priority)
        self._outgoing = Outgoing(
            settings, reactor, directory, store, self.log, lambda: f"{self.session_id()}-0", listens,
            priorities.granted, self._returns.sending,
        )
        self.logins = Logins(
            authenticator(settings, self._backend, seen, passwords, self._hashing, self._uses.note),
            self._throttle.guessing,
            tokens(settings, reactor, self._outgoing.resolver),
        )
        intake = Intake(store, self._outgoing.dispatch)
        self._outgoing.own_mail.intake = intake
        told = notices(settings, self._outgoing.own_mail.submit, clocks.now)
        store.quotas = quotas(settings, counted, footing.state("room"), deferToThread, clocks, told)
        self.smtp = Site(
            settings.hostname,
            directory,
            store,
            intake,
            self.log,
            clocks.now,
            clocks.seconds,
            settings.limits.hops,
            priorities.granted,
            HoldQuota(self._outgoing.queue, settings.limits.held_messages).admits,
            store.quotas,
            full(settings),
        )
        flush = Flush(self._outgoing.runner, self._outgoing.router, peers_in(settings.smtp.etrn_peers))
        self.roles = roles(
            settings, self.logins, flush, self._outgoing.backups, footing.state("rates"),
            (self._denials, SenderChecks(settings, self._outgoing.resolver, directory), own_checks),
            caps(settings, footing.state("caps"), told),
        )
        policies = pop3_policies(settings)
        self.pop3 = MailboxSite(
            settings.hostname,
            store,
            self.logins,
            self.log,
            clocks.seconds,
            settings.pop3.mark_seen,
            policies.of,
            SharedDelays(state),
        )
        self._retention = Retention(
            lambda: then(self._backend.domains(LOCAL), policies.terms),
            self._backend.mailboxes,
            Expiry(root, self._locks, deferToThread, settings.pop3.folders, counted),
            self.log,
            clocks.now,
            reactor,
            settings.pop3.expire_interval,
        )
        self._expires = any(policy.expire for policy in policies.all())
        # (The owner is this process: what else is in it shares the lead.)
        self.leader = Leader(state, str(os.getpid()), reactor, self._lead, self._step_down)

    def try_out(self) -> None:
        """Raise `QueueError` where `start` would for the queue that is there."""
        self._outgoing.queue.try_out()

    def start(self) -> None:
        """Take part in the site. Raises `QueueError`."""
        self._throttle.sync.start()
        self._hashing.start()
        self._looking.start(CHECK_SECONDS, now=False)
        if self._api is not None:
            self._api.start()
        self._uses.start()
        self._barrier.start()
        self._outgoing.start()
        self.leader.start()

    @property
    def admin(self) -> AdminAPI:
        """The HTTP API, where a listener has it."""
        assert self._api is not None
        return self._api

    def _lead(self) -> None:
        """Do from now on what one process of a site does for all."""
        self._outgoing.lead()
        if self._expires:
            self._retention.start()

    async def _step_down(self) -> None:
        await self._retention.stop()
        await self._outgoing.step_down()

    def reload(self) -> None:
        """Open the mail log anew, and read what is read once: whose certificates are whose, secrets, what is denied.

        What cannot be had stays as it was, and keeps nothing else from being read.
        """
        try:
            self.log.open()
        except OSError as error:
            _log.error(
                "The mail log goes on in the file that is open, since {path} cannot be opened: {reason}; let the user"
                " that we run as write there (logrotate: create 0640 USER GROUP), then reload again",
                path=error.filename, reason=error.strerror,
            )  # fmt: skip
        try:
            self.offer.load()
        except AccountsError as error:
            _log.error("The list of certificates stays as it was: {reason}", reason=str(error))
        try:
            self._returns.load()
        except (BadSecrets, OSError) as error:
            _log.error("The secrets of return addresses stay as they were: {reason}", reason=str(error))
        # One after the other: what was read later is newer.
        self._reloading.run(lambda: Deferred.fromCoroutine(self._reload_denials()))

    async def _reload_denials(self) -> None:
        found, wrong = await deferToThread(self._denials.read)
        self._denials.take(found)
        for name, error in wrong.items():
            _log.error("What is denied by deny.{name} stays as it was: {reason}", name=name, reason=str(error))

    async def close(self) -> None:
        """Close everything; what was promised is durable when this returns."""
        await self.leader.stop()
        if self._looking.running:
            self._looking.stop()
        await self._outgoing.stop()
        if self._api is not None:
            self._api.stop()
        await self._throttle.sync.stop()
        await self._uses.stop()
        self._barrier.stop()
        self._locks.close()
        self._hashing.stop()
        await value_of(self._backend.stop())
        self.log.close()
