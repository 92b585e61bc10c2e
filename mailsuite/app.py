"""The composition root: settings and a reactor in, the whole service out. Only this file names the parts together.

Start order (docs/architecture.rst): `make_service` opens nothing. `privilegedStartService` binds the ports and reads
the keys, as root where twistd was started so. `startService` comes after the fork and after root was dropped: only
then are databases, threads and mail folders opened.
"""

import os
import resource
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import ip_network
from typing import Any, cast

from twisted.application.service import MultiService
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from mailsuite import __version__
from mailsuite.address import domain_key
from mailsuite.certificates import PairError
from mailsuite.config import Settings
from mailsuite.config.endpoints import place
from mailsuite.config.settings import Listener as ListenerSettings
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.records import Records
from mailsuite.directory.rewrite import Rewriter
from mailsuite.directory.served import Served
from mailsuite.directory.sqlite import SqliteDirectory
from mailsuite.directory.threads import HashingThreads
from mailsuite.envelope import Peer
from mailsuite.identity import SessionIds
from mailsuite.interfaces import IRespondent
from mailsuite.logins import Offer, terms, tokens, wanted_secrets
from mailsuite.mailbox.barrier import Barrier
from mailsuite.mailbox.layout import INCOMING
from mailsuite.mailbox.listings import Listings
from mailsuite.mailbox.locks import Locks
from mailsuite.mailbox.maildir import Names, Writer
from mailsuite.mailbox.recovery import RunMark, sweep
from mailsuite.mailbox.store import Clocks, MaildirStore
from mailsuite.mailbox.sync import choose
from mailsuite.maillog import MailLog
from mailsuite.outgoing import Outgoing, leads_here
from mailsuite.policy.connections import Caps, ConnectionLimit
from mailsuite.policy.guessing import GuessingLimit
from mailsuite.policy.priorities import Priorities
from mailsuite.policy.rates import Allowances, Rates
from mailsuite.policy.relay import NoRelay, OwnOnly, SubmissionRelay
from mailsuite.policy.state import MemoryState
from mailsuite.pop3 import responses as pop3_responses
from mailsuite.pop3 import server as pop3_server
from mailsuite.pop3 import settings as pop3_settings
from mailsuite.queue.errors import QueueError
from mailsuite.service.flush import Flush
from mailsuite.service.intake import Intake
from mailsuite.service.login import Logins
from mailsuite.service.login_delays import SharedDelays
from mailsuite.service.maa import MailboxAccess, MailboxSite
from mailsuite.service.mda import DeliveryRole
from mailsuite.service.msa import SubmissionRole
from mailsuite.service.mta import InboundRole
from mailsuite.service.pop3_policies import Policies
from mailsuite.service.reception import Reception, Role, Site
from mailsuite.smtp import replies as smtp_replies
from mailsuite.smtp import server as smtp_server
from mailsuite.smtp import settings as smtp_settings
from mailsuite.transport.bounds import Admission, Bounds
from mailsuite.transport.certificate_watch import CertificateWatch, NamedFiles
from mailsuite.transport.client_tls import IssuersError
from mailsuite.transport.gate import Rules, everybody, nobody
from mailsuite.transport.listener import CannotListen, Listener, NewSession
from mailsuite.transport.unix_socket import FreshSocket
from mailsuite.wire.events import SessionCore


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
START_TROUBLE = (RootRefused, CannotListen, PairError, IssuersError, AccountsError, QueueError, OSError)


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
        self._passwords = Passwords()
        self._parts: Parts | None = None
        self._exempt = peers_in(settings.limits.exempt, unix=True)
        self._arrivals = MemoryState(time.monotonic)
        self._certificates = CertificateWatch(
            NamedFiles(settings.tls.certificate, settings.tls.key),
            settings.tls.minimum,
            reactor,
            [NamedFiles(each.certificate, each.key, tuple(each.names)) for each in settings.certificates.values()],
            settings.tls.client_ca,
        )
        if any(listener.tls != "none" for listener in settings.listen.values()):
            self._certificates.setServiceParent(self)
        self.listeners = [self._listener(name, listener) for name, listener in settings.listen.items()]

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

    def _listener(self, name: str, settings: ListenerSettings) -> Listener:
        asks = settings.client_certificates == "ask"
        tls = self._certificates.context(name, asks) if settings.tls != "none" else None
        implicit = settings.tls == "implicit"
        endpoints = [(text, self._endpoint(name, text)) for text in settings.endpoints]
        sessions = _pop3_sessions if settings.service == "pop3" else _smtp_sessions
        listener = Listener(
            name,
            endpoints,
            sessions(self._settings, settings, self._running),
            self._reactor,
            tls,
            implicit,
            self._settings.limits.shutdown_grace,
            bounds(self._settings, settings),
            self._admission(name, settings),
            _rules(self._settings, settings),
        )
        listener.setServiceParent(self)
        return listener

    def _admission(self, name: str, settings: ListenerSettings) -> Admission:
        limits = self._settings.limits
        caps = Caps(
            limits.connections, limits.address_connections, limits.network_connections, limits.connection_rate
        )
        words = _POP3_WORDS if settings.service == "pop3" else _SMTP_WORDS

        def refuse(peer: Peer, limit: str) -> bytes:
            told = {"service": settings.service, "peer": peer.host, "via": peer.via or None, "limit": limit}
            self._running().log.record("limit", told)
            return words.get(limit, words["connections"])

        return Admission(ConnectionLimit(name, caps, self._arrivals, self._exempt), refuse)

    def _endpoint(self, name: str, text: str) -> IStreamServerEndpoint:
        try:
            endpoint: IStreamServerEndpoint = serverFromString(self._reactor, text)
            spot = place(text)
        except Exception as error:
            # Each kind of endpoint has its own ways to fail; systemd's where systemd did not start us, say.
            raise CannotListen(f"[listen.{name}] cannot use {text!r}: {error}") from error
        return cast(IStreamServerEndpoint, FreshSocket(spot.path, endpoint)) if spot.kind == "unix" else endpoint

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
        self._records = Records.open(settings.directory.path)
        directory = SqliteDirectory(
            self._records, clocks.seconds, settings.directory.postmaster, settings.hostname
        )
        self._hashing = HashingThreads(reactor, settings.directory.hash_threads)
        state = MemoryState(clocks.seconds)
        authenticator = Authenticator(
            self._records, passwords, self._hashing.run, Rewriter(settings.directory.path), wanted_secrets(settings)
        )
        served = Served(
            settings.directory.path,
            self._records,
            settings.sasl.secrets,
            settings.sasl.offer == "some",
            self._hashing.run,
            clocks.seconds,
        )
        guessing = GuessingLimit(state, reactor, settings.limits.guesses, settings.limits.guess_window)
        self.offer = Offer(settings, served)
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
            priorities.granted,
        )
        self.logins = Logins(authenticator, guessing, tokens(settings, reactor, self._outgoing.resolver))
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
        )
        flush = Flush(self._outgoing.runner, self._outgoing.router, peers_in(settings.smtp.etrn_peers))
        limits = settings.limits
        allowances = Allowances(
            limits.message_rate, limits.recipient_rate, limits.login_messages, limits.login_recipients
        )
        rates = Rates(allowances, MemoryState(clocks.seconds), peers_in(limits.exempt, unix=True))
        self.roles: dict[str, Role] = {
            "mta": InboundRole(NoRelay(self._outgoing.backups), self.logins, flush, rates),
            "submission": SubmissionRole(
                SubmissionRelay(), self.logins, flush, settings.submission.check_from, rates
            ),
            "lmtp": DeliveryRole(OwnOnly(), self.logins),
        }
        self.pop3 = MailboxSite(
            settings.hostname,
            store,
            self.logins,
            self.log,
            clocks.seconds,
            settings.pop3.mark_seen,
            pop3_policies(settings).of,
            SharedDelays(state),
        )
        self._mark.set()
        self._hashing.start()
        self._barrier.start()
        try:
            self._outgoing.start()
        except BaseException:
            # Nothing was promised yet: that is no unclean stop.
            self._mark.clear()
            raise

    def reload(self) -> None:
        """Read anew what is read once: whose certificates are whose."""
        try:
            self.offer.load()
        except AccountsError as error:
            _log.error("The list of certificates stays as it was: {reason}", reason=str(error))

    async def close(self) -> None:
        """Close everything; what was promised is durable when this returns."""
        await self._outgoing.stop()
        self._barrier.stop()
        self._locks.close()
        self._hashing.stop()
        self._records.close()
        self._mark.clear()
        self.log.close()


def peers_in(peers: Sequence[str], unix: bool = False) -> Callable[[Peer], bool]:
    """Return what says of a peer whether the list *peers* of the configuration has it.

    Of who comes by a UNIX socket that is so with *unix* as well.
    """
    listed = [ip_network(text) for text in peers if text != "unix"]
    unix = unix or "unix" in peers

    @lru_cache(maxsize=1024)
    def is_in(host: str) -> bool:
        address = Peer(host).address
        return unix and host == "unix" if address is None else any(address in network for network in listed)

    return lambda peer: is_in(peer.host)


def _rules(settings: Settings, listener: ListenerSettings) -> Rules:
    """Return who may come to *listener*, and how."""
    return Rules(
        peers_in(listener.admitted) if listener.admitted else everybody,
        peers_in(listener.proxy) if listener.proxy else nobody,
        settings.limits.proxy_timeout,
    )


def bounds(settings: Settings, listener: ListenerSettings) -> Bounds:
    """Return the times that a session of *listener* has."""
    smtp, limits = settings.smtp, settings.limits
    greets_late = listener.service in ("mta", "submission")
    return Bounds(
        handshake=limits.handshake_timeout,
        lifetime=limits.session_time,
        greeting_delay=smtp.greeting_delay if greets_late else 0.0,
        early_delay=smtp.early_delay if smtp.early_talkers == "delay" else 0.0,
        vanished_after=settings.pop3.vanished_after if listener.service == "pop3" else 0,
    )


# What a connection that is too many is told in place of a greeting, by the limit; "connections" is for all others.
_SMTP_WORDS: Mapping[str, bytes] = {
    "connections": smtp_replies.TOO_MANY_CONNECTIONS.octets,
    "connection_rate": smtp_replies.TOO_MANY_NEW_CONNECTIONS.octets,
}
_POP3_WORDS: Mapping[str, bytes] = {
    "connections": pop3_responses.TOO_MANY_CONNECTIONS.encode(),
    "connection_rate": pop3_responses.TOO_MANY_NEW_CONNECTIONS.encode(),
}


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


_log = Logger()


def smtp_session_settings(
    settings: Settings, listener: ListenerSettings, running: Callable[[], Parts]
) -> smtp_settings.Settings:
    """Return what the sessions of an SMTP *listener* have to know."""
    limits = settings.limits
    return smtp_settings.Settings(
        settings.hostname,
        smtp_settings.Limits(
            message_size=limits.message_size,
            recipients=limits.recipients,
            command_line=limits.command_line,
            text_line=limits.text_line,
            path=limits.path,
            local_part=limits.local_part,
            domain=limits.domain,
            errors=limits.errors,
            unknown_recipients=limits.unknown_recipients,
            session_messages=limits.session_messages,
            idle_timeout=limits.idle_timeout,
            data_timeout=limits.data_timeout,
        ),
        starttls=listener.tls == "starttls",
        auth=listener.authentication,
        sasl=terms(settings, listener, "lmtp" if listener.service == "lmtp" else "smtp", lambda: running().offer),
        auth_required=listener.service == "submission",
        lmtp=listener.service == "lmtp",
        xclient=bool(settings.smtp.xclient_peers),
        bare_newlines=settings.smtp.bare_newlines,
        early_talkers=settings.smtp.early_talkers,
        without=listener.switched_off,
        deliver_by_minimum=settings.smtp.deliver_by_minimum,
        priority_policy=settings.smtp.priority_policy,
        # RFC 4865 §4.2 (2): nowhere else.
        future_release=settings.submission.future_release if listener.service == "submission" else 0,
        now=time.time,
    )


def _smtp_sessions(settings: Settings, listener: ListenerSettings, running: Callable[[], Parts]) -> NewSession:
    """Return what makes the sessions of an SMTP listener."""
    implicit = listener.tls == "implicit"
    xclient_peers = peers_in(settings.smtp.xclient_peers)
    session_settings = smtp_session_settings(settings, listener, running)

    def new_session(peer: Peer) -> tuple[SessionCore, IRespondent]:
        parts = running()
        role = parts.roles[listener.service]
        proxies = session_settings.xclient and xclient_peers(peer)
        core = smtp_server.ServerSession(session_settings, encrypted=implicit, proxies=proxies)
        return core, Reception(parts.smtp, role, peer, parts.session_id())

    return new_session


def pop3_policies(settings: Settings) -> Policies:
    """Return what users of POP3 are held to."""
    pop3 = settings.pop3
    terms = {
        domain_key(name): (
            pop3.login_delay if domain.pop3_login_delay == "default" else domain.pop3_login_delay,
            pop3.expire if domain.pop3_expire == "default" else domain.pop3_expire,
        )
        for name, domain in settings.domains.items()
    }
    return Policies(
        _policy(pop3.login_delay, pop3.expire), {name: _policy(*each) for name, each in terms.items()}
    )


def _policy(login_delay: int, expire: int | str) -> pop3_settings.Policy:
    return pop3_settings.Policy(login_delay, expire if isinstance(expire, int) else None)


def _pop3_sessions(settings: Settings, listener: ListenerSettings, running: Callable[[], Parts]) -> NewSession:
    """Return what makes the sessions of a POP3 listener."""
    implicit = listener.tls == "implicit"
    session_settings = pop3_settings.Settings(
        settings.hostname,
        pop3_settings.Limits(errors=settings.limits.errors, idle_timeout=settings.limits.pop3_idle_timeout),
        stls=listener.tls == "starttls",
        plaintext_auth=listener.authentication == "always",
        sasl=terms(settings, listener, "pop", lambda: running().offer),
        policies=pop3_policies(settings).all(),
        language=settings.pop3.language,
    )

    def new_session(peer: Peer) -> tuple[SessionCore, IRespondent]:
        parts = running()
        core = pop3_server.ServerSession(session_settings, encrypted=implicit)
        return core, MailboxAccess(parts.pop3, peer, parts.session_id())

    return new_session
