"""The composition of the way in: a listener with its sessions, its limits and its TLS. `mailsuite.app` makes it."""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mailsuite.address import domain_key
from mailsuite.config import Settings
from mailsuite.config.tables.listen import Listener as ListenerSettings
from mailsuite.envelope import Peer
from mailsuite.interfaces import IBackupRecipients, ICaps, IRespondent, ISharedState
from mailsuite.logins import terms
from mailsuite.peers import peers_in
from mailsuite.policies import Denials, OwnChecks, SenderChecks, relay_rules
from mailsuite.policy.bans import BANNED, NotBanned
from mailsuite.policy.checks import Checks
from mailsuite.policy.connections import ConnectionCaps, ConnectionLimit
from mailsuite.policy.rates import Allowances, Rates
from mailsuite.policy.relay import InboundRelay, OwnOnly, SubmissionRelay
from mailsuite.pop3 import responses as pop3_responses
from mailsuite.pop3 import server as pop3_server
from mailsuite.pop3 import settings as pop3_settings
from mailsuite.service.flush import Flush
from mailsuite.service.local import LocalRole, local_login
from mailsuite.service.login import Logins
from mailsuite.service.maa import MailboxAccess
from mailsuite.service.mda import DeliveryRole
from mailsuite.service.msa import SubmissionRole
from mailsuite.service.mta import InboundRole
from mailsuite.service.pop3_policies import Policies
from mailsuite.service.reception import Reception
from mailsuite.service.role import Role
from mailsuite.smtp import replies as smtp_replies
from mailsuite.smtp import server as smtp_server
from mailsuite.smtp import settings as smtp_settings
from mailsuite.transport.bounds import Admission, Bounds
from mailsuite.transport.certificate_watch import CertificateWatch, NamedFiles
from mailsuite.transport.gate import Rules, everybody, nobody
from mailsuite.transport.last_words import last_words
from mailsuite.transport.listener import Listener, NewSession, SessionFactory
from mailsuite.transport.open_sessions import BuildsSessions
from mailsuite.transport.peer_credentials import user_of
from mailsuite.transport.tls import TLSContext
from mailsuite.wire.events import SessionCore
from mailsuite.workers.footing import Footing

if TYPE_CHECKING:
    from mailsuite.app import Parts


class Incoming:
    """Makes the listeners of a site, on *footing*. *running* gives what sessions stand on, once that has started."""

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        footing: Footing,
        certificates: CertificateWatch,
        running: "Callable[[], Parts]",
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._certificates = certificates
        self._running = running
        self._exempt = peers_in(settings.limits.exempt, unix=True)
        self._endpoint = footing.endpoint
        self._arrivals = footing.state("arrivals")

    def listener(self, name: str, settings: ListenerSettings) -> Listener:
        """Return the listener *name*; it binds nothing yet. Raises `CannotListen`."""
        asks = settings.client_certificates == "ask"
        tls = self._certificates.context(name, asks) if settings.tls != "none" else None
        implicit = settings.tls == "implicit"
        endpoints = [(text, self._endpoint(name, text)) for text in settings.endpoints]
        return Listener(
            name,
            endpoints,
            self._sessions(name, settings, tls, self._admission(name, settings)),
            self._reactor,
            tls if implicit else None,
            self._settings.limits.shutdown_grace,
            rules(self._settings, settings),
            user_of if settings.authentication == "peer" else None,
            self._settings.pop3.vanished_after if settings.service == "pop3" else 0,
        )

    def _sessions(
        self, name: str, settings: ListenerSettings, tls: TLSContext | None, admission: Admission
    ) -> BuildsSessions:
        if settings.service == "admin":
            # Only where there is one: it loads a web server.
            from mailsuite.administered import http_sessions

            return http_sessions(self._reactor, admission, lambda: self._running().admin)
        sessions = _pop3_sessions if settings.service == "pop3" else _smtp_sessions
        new_session = sessions(self._settings, name, settings, self._running)
        return SessionFactory(new_session, self._reactor, tls, bounds(self._settings, settings), admission)

    def _admission(self, name: str, settings: ListenerSettings) -> Admission:
        limits = self._settings.limits
        caps = ConnectionCaps(
            limits.connections, limits.address_connections, limits.network_connections, limits.connection_rate
        )
        words = _WORDS.get(settings.service, _SMTP_WORDS)

        def refuse(peer: Peer, limit: str) -> bytes:
            told = {"service": settings.service, "peer": peer.host, "via": peer.via or None, "limit": limit}
            self._running().log.record("limit", told)
            return words.get(limit, words["connections"])

        limit = ConnectionLimit(name, caps, self._arrivals, self._exempt)
        for_logins = settings.service in ("submission", "pop3", "admin")
        return Admission(NotBanned(limit, lambda: self._running().bans, for_logins), refuse)


def certificate_watch(settings: Settings, reactor: Any, known: Mapping[str, Sequence[bytes]]) -> CertificateWatch:
    """Return what reads the site's certificates; *known* is what another process has read of them."""
    return CertificateWatch(
        NamedFiles(settings.tls.certificate, settings.tls.key),
        settings.tls.minimum,
        reactor,
        [NamedFiles(each.certificate, each.key, tuple(each.names)) for each in settings.certificates.values()],
        settings.tls.client_ca,
        known,
    )


def has_tls(settings: Settings) -> bool:
    """Say whether any listener needs a certificate."""
    return any(listener.tls != "none" for listener in settings.listen.values())


def rules(settings: Settings, listener: ListenerSettings) -> Rules:
    """Return who may come to *listener*, and how."""
    return Rules(
        peers_in(listener.admitted) if listener.admitted else everybody,
        peers_in(listener.proxy) if listener.proxy else nobody,
        settings.limits.proxy_timeout,
    )


def bounds(settings: Settings, listener: ListenerSettings) -> Bounds:
    """Return the times that a session of *listener* has."""
    smtp, limits = settings.smtp, settings.limits
    # Who has the kernel's word for who it is sends no spam that waiting could tell.
    greets_late = listener.service in ("mta", "submission") and listener.authentication != "peer"
    return Bounds(
        handshake=limits.handshake_timeout,
        lifetime=limits.session_time,
        greeting_delay=smtp.greeting_delay if greets_late else 0.0,
        early_delay=smtp.early_delay if smtp.early_talkers == "delay" else 0.0,
    )


def roles(
    settings: Settings,
    logins: Logins,
    flush: Flush,
    backups: IBackupRecipients,
    state: ISharedState,
    before: Sequence[Denials | SenderChecks | OwnChecks],
    caps: ICaps,
) -> Mapping[str, Role]:
    """Return how each listener that takes mail judges it, by its name in the configuration: *before* who may relay,
    their checks."""
    limits = settings.limits
    allowances = Allowances(
        limits.message_rate, limits.recipient_rate, limits.login_messages, limits.login_recipients
    )
    rates = Rates(allowances, state, peers_in(limits.exempt, unix=True))

    # A site may have its own next hop for a word.
    words = {domain_key(each) for table in settings.routes.values() for each in table.recipients if "." not in each}

    def role(name: str, listener: ListenerSettings) -> Role:
        first = [check for each in before for check in each.checks(name)]
        if listener.service == "mta":
            relay = InboundRelay(state, backups, relay_rules(settings, name))
            return InboundRole(Checks(*first, relay), logins, flush, rates)
        if listener.service == "submission":
            policy = Checks(*first, SubmissionRelay(words))
            if listener.authentication == "peer":
                trusted = settings.submission.trusted_users
                return LocalRole(policy, logins, origin(settings), trusted, rates, caps)
            return SubmissionRole(policy, logins, settings.submission.check_from, rates, caps)
        return DeliveryRole(Checks(OwnOnly()), logins)

    return {name: role(name, each) for name, each in settings.listen.items() if each.service != "pop3"}


# What a connection that is too many is told in place of a greeting, by the limit; "connections" is for all others.
_SMTP_WORDS: Mapping[str, bytes] = {
    "connections": smtp_replies.TOO_MANY_CONNECTIONS.octets,
    "connection_rate": smtp_replies.TOO_MANY_NEW_CONNECTIONS.octets,
    BANNED: smtp_replies.BANNED.octets,
}
_POP3_WORDS: Mapping[str, bytes] = {
    "connections": pop3_responses.TOO_MANY_CONNECTIONS.encode(),
    "connection_rate": pop3_responses.TOO_MANY_NEW_CONNECTIONS.encode(),
    BANNED: pop3_responses.BANNED.encode(),
}
_HTTP_WORDS: Mapping[str, bytes] = {
    "connections": last_words(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; come again later"),
    BANNED: last_words(HTTPStatus.FORBIDDEN, "banned; mailsuite bans list tells for how long"),
}
_WORDS = {"pop3": _POP3_WORDS, "admin": _HTTP_WORDS}


def smtp_session_settings(
    settings: Settings, listener: ListenerSettings, running: "Callable[[], Parts]"
) -> smtp_settings.Settings:
    """Return what the sessions of an SMTP *listener* have to know."""
    limits = settings.limits
    local = listener.authentication == "peer"
    return smtp_settings.Settings(
        # Programs of this machine take from here what they put behind names without a domain.
        origin(settings) if local else settings.hostname,
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
            data_rate=limits.data_rate,
        ),
        starttls=listener.tls == "starttls",
        auth="off" if listener.authentication == "peer" else listener.authentication,
        sasl=terms(settings, listener, "lmtp" if listener.service == "lmtp" else "smtp", lambda: running().offer),
        auth_required=listener.service == "submission" and not local,
        lmtp=listener.service == "lmtp",
        xclient=bool(settings.smtp.xclient_peers) and not local,
        bare_newlines=settings.smtp.bare_newlines,
        early_talkers=settings.smtp.early_talkers,
        without=listener.switched_off,
        deliver_by_minimum=settings.smtp.deliver_by_minimum,
        priority_policy=settings.smtp.priority_policy,
        # RFC 4865 §4.2 (2): nowhere else.
        future_release=settings.submission.future_release if listener.service == "submission" else 0,
        now=time.time,
    )


def _smtp_sessions(
    settings: Settings, name: str, listener: ListenerSettings, running: "Callable[[], Parts]"
) -> NewSession:
    """Return what makes the sessions of an SMTP listener."""
    implicit = listener.tls == "implicit"
    local = listener.authentication == "peer"
    xclient_peers = peers_in(settings.smtp.xclient_peers)
    session_settings = smtp_session_settings(settings, listener, running)

    def new_session(peer: Peer) -> tuple[SessionCore, IRespondent]:
        parts = running()
        role = parts.roles[name]
        proxies = session_settings.xclient and xclient_peers(peer)
        core = smtp_server.ServerSession(session_settings, encrypted=implicit, proxies=proxies)
        reception = Reception(parts.smtp, role, peer, parts.session_id())
        if local:
            reception.login = local_login(peer, origin(settings))
        return core, reception

    return new_session


def origin(settings: Settings) -> str:
    """Return the domain of what users of this system send."""
    return settings.submission.origin or settings.hostname


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


def _pop3_sessions(
    settings: Settings, name: str, listener: ListenerSettings, running: "Callable[[], Parts]"
) -> NewSession:
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
