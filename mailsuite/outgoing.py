"""The composition of the way out: queue, runner, routes, DNS, TLS, delivery, reports. `mailsuite.app` makes it."""

import os
import random
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from mailsuite.address import domain_key
from mailsuite.config import Settings
from mailsuite.config.meaning import name_server
from mailsuite.config.routes import port_of, tls_of
from mailsuite.config.tables.delivery import RouteTable
from mailsuite.delivery.attempt import Network
from mailsuite.delivery.connections import Connections
from mailsuite.delivery.forwarding import Forwarding
from mailsuite.delivery.local import LocalDelivery
from mailsuite.delivery.mta_sts import LOOK_SECONDS, MTASTS
from mailsuite.delivery.mta_sts_cache import PolicyCache
from mailsuite.delivery.mx import Hop, Lookup, Nowhere, next_hops
from mailsuite.delivery.pool import Pool
from mailsuite.delivery.reachable import ip, is_public
from mailsuite.delivery.remote import RemoteDelivery
from mailsuite.delivery.routes import RouteRule, Routes
from mailsuite.delivery.sending import Sending
from mailsuite.delivery.target import Target
from mailsuite.delivery.tls_policy import TLSPolicy
from mailsuite.directory.lookup import Directory
from mailsuite.envelope import Peer
from mailsuite.interfaces import IMailLog, IMailStore, IResolver
from mailsuite.policy.backup import BackupDomain, BackupRecipients
from mailsuite.policy.backup_list import parse_key
from mailsuite.policy.backup_pull import ListPull, ListSource
from mailsuite.policy.backup_store import ListStore
from mailsuite.policy.callout import Callouts, Lifetimes
from mailsuite.policy.primary import Primary
from mailsuite.queue.runner import Limits, Runner
from mailsuite.queue.schedule import Backoff
from mailsuite.queue.store import SqliteQueue
from mailsuite.route import CannotConnect, Credentials, Route
from mailsuite.service.dispatch import Dispatch
from mailsuite.service.own_mail import OwnMail
from mailsuite.service.reports import Reports
from mailsuite.srs import Rewriting
from mailsuite.transport.connector import Connector
from mailsuite.transport.dns.resolver import Resolver
from mailsuite.transport.web import WebClient

T = TypeVar("T")
# Whether this system listens on an address and port, as other servers would reach it.
Listens = Callable[[str, int], bool]


class Outgoing:
    """Everything between the queue and other servers. To be started and stopped, after the last fork.

    One process of a site leads: it works off the queue, in which the others only put what they take.

    *listens* says where this system itself takes mail, *granted* which priority a peer gets, *rewriting* from whom
    forwarded mail goes on. Raises `IssuersError` where [delivery] ca_file is of no use.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        directory: Directory,
        store: IMailStore,
        log: IMailLog,
        next_id: Callable[[], str],
        listens: Listens,
        granted: Callable[[Peer, bool, int], int],
        rewriting: Rewriting | None,
    ) -> None:
        queue = settings.queue
        delivery = settings.delivery
        self._grace = settings.limits.shutdown_grace
        self._reactor = reactor
        self.resolver = resolver(settings, reactor)
        self._connector = Connector(reactor, delivery.ca_file)
        self._policies = PolicyCache(os.path.join(settings.state_dir, "mta-sts.json"), reactor, deferToThread)
        policies = policy_web(settings, reactor, self.resolver)
        self._mta_sts = MTASTS(self.resolver, policies, self._policies, time.time)
        self._refreshing = LoopingCall(lambda: Deferred.fromCoroutine(self._mta_sts.refresh()))
        self._refreshing.clock = reactor
        self.router = Routes(route_rules(settings), default_route(settings), directory.is_backup)
        self._lookup = Lookup(
            self.resolver, ourselves(settings, listens), random.SystemRandom().shuffle, delivery.prefer
        )
        sending = _sending(settings)
        tls = TLSPolicy(self.resolver, self._mta_sts, time.time)
        connections = Connections(self._connector, tls, sending, lambda: secrets.token_urlsafe(24))
        pool = Pool(reactor, delivery.connection_idle, delivery.connection_messages)
        self._remote = RemoteDelivery(
            self.router,
            Network(connections, self._lookup, pool, sending, time.time),
            Forwarding(rewriting, directory.is_local, time.time),
        )
        self.queue = SqliteQueue(
            queue.path, reactor, time.time, queue.delay_warning, queue.inline_size, queue.lease,
            longest_wait=queue.retry_cap,
        )  # fmt: skip
        self.own_mail = OwnMail(directory, store, next_id)
        reports = Reports(
            settings.hostname, self.own_mail.submit, log, time.time, lambda: secrets.token_hex(16), queue.report_size
        )
        self.runner = Runner(
            self.queue,
            Target(LocalDelivery(store, directory.current), self._remote),
            reports,
            self.router,
            log,
            Backoff(queue.retry_first, queue.retry_factor, queue.retry_cap),
            queue.probe_interval,
            Limits(queue.deliveries, queue.destination_deliveries, queue.window),
            reactor,
            time.time,
            random.random,
        )
        self.dispatch = Dispatch(self.queue, self.runner, self.router, reports, time.time, queue.lifetime, granted)
        lists = ListStore(settings.state_dir)
        primary = Primary(
            self.router, self._primary_hosts, self._connector, settings.hostname, reactor, delivery.source
        )
        self.backups = BackupRecipients(
            lists, backup_domains(settings), Callouts(primary.ask, reactor), reactor, _off_reactor, time.time
        )
        web = WebClient(reactor, self.resolver, delivery.ca_file)
        self._pull = ListPull(_list_sources(settings), lists, web, reactor, time.time, _off_reactor)

    def start(self) -> None:
        """Open the queue: mail can be put into it. Raises `QueueError`."""
        self.queue.start()
        self.backups.start()

    def lead(self) -> None:
        """Work off the queue, and fetch what is kept for all processes."""
        self._policies.load(time.time())
        self._refreshing.start(LOOK_SECONDS, now=False)
        self._pull.start()
        self.runner.start()

    async def step_down(self) -> None:
        """Begin nothing more of that, so that another process may lead; deliveries that are under way go on."""
        self.runner.stop()
        self._pull.stop()
        if self._refreshing.running:
            self._refreshing.stop()
        await self._policies.stop()

    async def stop(self) -> None:
        """Let deliveries that are under way end, for a while; then close everything. We lead no more."""
        self.backups.stop()
        stopped = self.runner.stop()
        self._remote.stop()
        patience: Deferred[None] = Deferred()
        waiting = self._reactor.callLater(self._grace, patience.callback, None)
        await DeferredList([stopped, patience], fireOnOneCallback=True)
        if waiting.active():
            waiting.cancel()
        # What is cut off now is tried again after the next start.
        await self._connector.stop(1.0)
        self.resolver.stop()
        await stopped
        await self._policies.stop()
        self.queue.stop()

    async def _primary_hosts(self, route: Route) -> AsyncGenerator[Hop, None]:
        try:
            async for hop in next_hops(route, self._lookup):
                if isinstance(hop, Hop):
                    yield hop
        except Nowhere as nowhere:
            raise CannotConnect(nowhere.outcome.reason) from nowhere


def route_rules(settings: Settings) -> list[RouteRule]:
    """Return the routes table as the delivery knows it."""
    return [
        RouteRule(name, _route(settings, table), tuple(table.recipients), tuple(table.senders))
        for name, table in settings.routes.items()
    ]


def default_route(settings: Settings) -> Route:
    """Return the way of what no rule of the routes table is for."""
    return Route(
        "", "", port=settings.queue.remote_port, tls=settings.delivery.tls, private=settings.delivery.allow_private
    )


def _route(settings: Settings, table: RouteTable) -> Route:
    return Route(
        "",
        "",
        host=table.host,
        port=port_of(table, settings),
        tls=tls_of(table, settings),
        implicit=table.tls == "implicit",
        lmtp=table.protocol == "lmtp",
        credentials=Credentials(table.user, table.password_file, tuple(table.mechanisms)) if table.user else None,
        source=table.source,
        # A host that the administrator names is meant.
        private=bool(table.host) or settings.delivery.allow_private,
    )


def resolver(settings: Settings, reactor: Any) -> Resolver:
    """Return what asks DNS for the site."""
    return Resolver(
        reactor,
        [name_server(text) for text in settings.dns.servers],
        timeout=settings.dns.timeout,
        tries=settings.dns.tries,
        cache_size=settings.dns.cache,
        trust_ad=settings.dns.trust_ad,
    )


def policy_web(settings: Settings, reactor: Any, resolver: IResolver) -> WebClient:
    """Return what fetches MTA-STS policies, from wherever the DNS of strangers says."""
    # RFC 8461 §3.3: by the issuers that all the world trusts. [delivery] ca_file is for hosts that are our own choice.
    if settings.delivery.allow_private:
        return WebClient(reactor, resolver)
    return WebClient(reactor, resolver, allowed=is_public)


def _sending(settings: Settings) -> Sending:
    queue, delivery = settings.queue, settings.delivery
    return Sending(
        settings.hostname,
        delivery.hosts,
        sources=tuple(delivery.source),
        connect_timeout=queue.connect_timeout,
        greeting_timeout=queue.greeting_timeout,
        command_timeout=queue.command_timeout,
        data_timeout=queue.data_timeout,
        end_timeout=queue.end_timeout,
        transaction_timeout=queue.transaction_timeout,
    )


def _off_reactor(work: Callable[[], T]) -> "Deferred[T]":
    return deferToThread(work)


def ourselves(settings: Settings, listens: Listens) -> Callable[[str, int], bool]:
    """Return what says of a host name or an IP address, and a port, whether others reach this system by it."""
    known = (settings.hostname, *settings.delivery.ourselves)
    addresses = {ip(each) for each in known}
    names = {domain_key(each) for each in known}

    def are(host: str, port: int) -> bool:
        address = ip(host)
        if address is None:
            return domain_key(host) in names
        # Whatever the administrator has named is ours at any port: it is passed on to us by somebody else.
        return address in addresses or listens(str(address), port)

    return are


def leads_here(bound: str, address: str) -> bool:
    """Say whether the IP address *address* leads to what listens at *bound*, however both are written.

    An address that comes and goes (of a pair of machines that share it, say) is ours while it is here.
    """
    listening, wanted = ip(bound), ip(address)
    if listening is None or wanted is None:
        return False
    return listening == wanted or (listening.is_unspecified and is_address_of_ours(str(wanted)))


def is_address_of_ours(address: str) -> bool:
    """Say whether *address* is an IP address of this machine's: whatever is sent there comes from there, too."""
    found = ip(address)
    if found is None:
        # A name is none. To use it would be to look it up, and the reactor would wait for that.
        return False
    if found.is_loopback or found.is_unspecified:
        return True
    try:
        with socket.socket(socket.AF_INET if found.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            # Nothing is sent by this. That it can be bound would say less: net.ipv4.ip_nonlocal_bind lets all be.
            probe.connect((str(found), 25))
            return ip(probe.getsockname()[0]) == found
    except OSError:
        # There is no way there, or nothing of that family here at all.
        return False


def backup_domains(settings: Settings) -> dict[str, BackupDomain]:
    """Return how recipients of domains are known that need other than the defaults."""
    return {
        domain_key(name): BackupDomain(
            parse_key(table.key) if table.key else None,
            table.callout,
            Lifetimes(table.positive_ttl, table.negative_ttl),
        )
        for name, table in settings.backups.items()
    }


def _list_sources(settings: Settings) -> list[ListSource]:
    return [
        ListSource(domain_key(name), table.list, parse_key(table.key), table.refresh)
        for name, table in settings.backups.items()
        if table.list
    ]
