"""The composition root: settings and a reactor in, the whole service out. This file names the parts together.

(`incoming` makes its listeners, `outgoing` the way out, `logins` what users log in by.)

Start order (docs/architecture.rst): `make_service` opens nothing. `privilegedStartService` binds the ports and reads
the keys, as root where twistd was started so. `startService` comes after the fork and after root was dropped: only
then are databases, threads and mail folders opened.
"""

import os
import resource
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from mailsuite import __version__
from mailsuite.backends import backend, source
from mailsuite.certificates import PairError
from mailsuite.config import Settings
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.last_uses import LastUses
from mailsuite.directory.lookup import Directory
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.returned import Returned
from mailsuite.directory.rows import LOCAL
from mailsuite.directory.threads import HashingThreads
from mailsuite.identity import SessionIds
from mailsuite.incoming import Incoming, peers_in, pop3_policies, roles
from mailsuite.logins import authenticator, offer, throttle, tokens
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.expiry import Expiry
from mailsuite.mailbox.layout import INCOMING
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildir import Names, Writer
from mailsuite.mailbox.recovery import RunMark, sweep
from mailsuite.mailbox.store import Clocks, MaildirStore
from mailsuite.mailbox.sync import choose
from mailsuite.maillog import MailLog
from mailsuite.maybe import then, value_of
from mailsuite.outgoing import Outgoing, leads_here
from mailsuite.policy.priorities import Priorities
from mailsuite.policy.retention import Retention
from mailsuite.policy.srs_secrets import BadSecrets
from mailsuite.policy.state import MemoryState
from mailsuite.queue.errors import QueueError
from mailsuite.returns import Returns
from mailsuite.service.flush import Flush
from mailsuite.service.holding import HoldQuota
from mailsuite.service.intake import Intake
from mailsuite.service.login import Logins
from mailsuite.service.login_delays import SharedDelays
from mailsuite.service.maa import MailboxSite
from mailsuite.service.reception import Site
from mailsuite.transport.certificate_watch import CertificateWatch, NamedFiles
from mailsuite.transport.client_tls import IssuersError
from mailsuite.transport.listener import CannotListen

_log = Logger()


class RootRefused(Exception):
    """The service would run as root, and the configuration does not allow it."""


def refuse_root(uid: int, settings: Settings) -> None:
    """Raise `RootRefused` if *uid* is root's and `allow_root` is off."""
    if uid == 0 and not settings.allow_root:
        raise RootRefused(
            "mailsuite does not serve as root: start it with 'twistd --uid USER --gid GROUP mailsuite ...', which"
            " binds its ports and then becomes USER, or set allow_root = true in the configuration"
        )


def take_descriptors() -> None:
    """Take as many descriptors as this process may have: the usual soft limit is for programs that use select()."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# What a start may stumble over, each with a text that says how to mend it.
START_TROUBLE = (
    RootRefused, CannotListen, PairError, IssuersError, AccountsError, QueueError, BadSecrets, OSError,
)  # fmt: skip


def make_service(settings: Settings, reactor: Any = default_reactor, foreground: bool = False) -> "MailService":
    """Return the service for *settings*; nothing is opened before it is started.

    *foreground*: somebody watches, and is told in one line why a start fails.
    """
    return MailService(settings, reactor, foreground)


class MailService(MultiService):
    """All services of a site under one roof: listeners stop first, then what they stand on."""

    log = Logger()

    def __init__(self, settings: Settings, reactor: Any, foreground: bool) -> None:
        super().__init__()
        self._settings = settings
        self._reactor = reactor
        self._foreground = foreground
        # Made here since it loads modules, which another user may not be able to read.
        self._passwords = Passwords(renew=settings.directory.renew_hashes)
        self._parts: Parts | None = None
        self._certificates = CertificateWatch(
            NamedFiles(settings.tls.certificate, settings.tls.key),
            settings.tls.minimum,
            reactor,
            [NamedFiles(each.certificate, each.key, tuple(each.names)) for each in settings.certificates.values()],
            settings.tls.client_ca,
        )
        if any(listener.tls != "none" for listener in settings.listen.values()):
            self._certificates.setServiceParent(self)
        incoming = Incoming(settings, reactor, self._certificates, self._running)
        self.listeners = [incoming.listener(name, listener) for name, listener in settings.listen.items()]
        for listener in self.listeners:
            listener.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Bind the ports and read the keys. Raises one of `START_TROUBLE`."""
        with self._told_plainly():
            super().privilegedStartService()

    def startService(self) -> None:
        """Open everything, then serve. Raises one of `START_TROUBLE`."""
        with self._told_plainly():
            refuse_root(os.geteuid(), self._settings)
            take_descriptors()
            self._parts = Parts(self._settings, self._reactor, self._passwords, self._lone, self._listens)
            super().startService()
        signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self.reload))
        self.log.info("mailsuite {version} serves {listeners}", version=__version__, listeners=self._told())

    def stopService(self) -> Deferred[None]:
        """Let the sessions end, then close what they stood on."""
        # A service that is removed while we run is stopped by that; a second stop would wait for ever.
        stopping = [maybeDeferred(self.removeService, listener) for listener in self.listeners]
        return DeferredList(stopping).addCallback(self._stop_rest)

    def reload(self) -> None:
        """Read certificates anew and reopen the mail log (SIGHUP); no session is touched."""
        self._certificates.reload()
        if self._parts is not None:
            self._parts.log.open()
            self._parts.reload()

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except START_TROUBLE as error:
            if self._foreground:
                raise SystemExit(f"mailsuite: {error}") from error
            raise

    def _stop_rest(self, result: Any) -> Any:
        stopped = super().stopService()
        if self._parts is None:
            return stopped
        closed = Deferred.fromCoroutine(self._parts.close())
        return closed.addCallback(lambda _: stopped)

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
        lone: Callable[[], bool],
        listens: Callable[[str, int], bool],
    ) -> None:
        root = settings.store.path
        clocks = Clocks(time.time, time.monotonic)
        self._mark = RunMark(settings.state_dir, clocks.seconds)
        self._mark.take()
        self.log = MailLog(settings.log.path, settings.log.format, clocks.now)
        self.log.open()
        os.makedirs(f"{root}/{INCOMING}", 0o700, exist_ok=True)
        recover(root, self._mark, clocks.now())
        self._returns = Returns(settings, clocks.now)
        self._returns.load()
        self._hashing = HashingThreads(reactor, settings.directory.hash_threads)
        self._backend = backend(settings, clocks.seconds, self._hashing.run)
        self._backend.start()
        seen = source(settings, self._backend, clocks.seconds)
        directory = Directory(
            self._backend, seen, clocks.now, settings.directory.postmaster, settings.hostname,
            Returned(self._returns.restoring, clocks.now),
        )  # fmt: skip
        self._uses = LastUses(self._backend.use_writer(), deferToThread, clocks.now, reactor)
        state = MemoryState(clocks.seconds)
        self._throttle = throttle(settings, reactor, state, self.log, peers_in(settings.limits.exempt, unix=True))
        self.bans = self._throttle.bans
        self.offer = offer(settings, self._backend, clocks.seconds)
        self.session_id = SessionIds(secrets.randbits(40))
        names = Names(clocks.now, str(os.getpid()))
        self._barrier = Barrier(
            choose(root, settings.store.sync), reactor, lone, clocks.seconds, self._mark.committed
        )
        self._locks = Locks(f"{settings.state_dir}/locks")
        store = MaildirStore(
            Writer(root, names),
            names,
            self._barrier,
            Listings(settings.store.listing_memory, clocks.now),
            self._locks,
            deferToThread,
            settings.store.free_floor,
            clocks,
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
        )
        flush = Flush(self._outgoing.runner, self._outgoing.router, peers_in(settings.smtp.etrn_peers))
        self.roles = roles(settings, self.logins, flush, self._outgoing.backups, clocks.seconds)
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
            Expiry(root, self._locks, deferToThread),
            self.log,
            clocks.now,
            reactor,
            settings.pop3.expire_interval,
        )
        self._throttle.sync.start()
        self._mark.set()
        self._hashing.start()
        self._uses.start()
        self._barrier.start()
        try:
            self._outgoing.start()
        except BaseException:
            # Nothing was promised yet: that is no unclean stop.
            self._mark.clear()
            raise
        if any(policy.expire for policy in policies.all()):
            self._retention.start()

    def reload(self) -> None:
        """Read anew what is read once: whose certificates are whose, and the secrets of return addresses."""
        try:
            self.offer.load()
        except AccountsError as error:
            _log.error("The list of certificates stays as it was: {reason}", reason=str(error))
        try:
            self._returns.load()
        except (BadSecrets, OSError) as error:
            _log.error("The secrets of return addresses stay as they were: {reason}", reason=str(error))

    async def close(self) -> None:
        """Close everything; what was promised is durable when this returns."""
        await self._retention.stop()
        await self._outgoing.stop()
        await self._throttle.sync.stop()
        await self._uses.stop()
        self._barrier.stop()
        self._locks.close()
        self._hashing.stop()
        await value_of(self._backend.stop())
        self._mark.clear()
        self.log.close()


def recover(root: str, mark: RunMark, now: float) -> None:
    """After an unclean stop, set aside what it has damaged, before anybody can read it."""
    last_barrier = mark.left_behind()
    if last_barrier is None:
        return
    _log.warn("The last stop was unclean: looking for messages that it has damaged")
    swept = sweep(root, last_barrier, now)
    for path in swept.damaged:
        _log.error("A message that was not whole lies now at {path}", path=path)
    for error in swept.skipped:
        _log.error("A folder was not looked at: {reason}", reason=str(error))
