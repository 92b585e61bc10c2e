"""Delivery to other hosts, with far ends in memory."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.attempt import Network
from mailsuite.delivery.connections import Connections
from mailsuite.delivery.forwarding import Forwarding
from mailsuite.delivery.mx import Lookup
from mailsuite.delivery.pool import Pool
from mailsuite.delivery.remote import RemoteDelivery
from mailsuite.delivery.sending import Sending
from mailsuite.delivery.tls_policy import Demand
from mailsuite.dns import MX
from mailsuite.outcome import Outcome
from mailsuite.queued import Job
from mailsuite.route import Route
from mailsuite.srs import Rewriting
from tests.doubles_delivery import Contents, Far, FixedDemands, FixedRouter, MemoryConnector
from tests.doubles_dns import FixedResolver

# b.example has three exchangers; the first has two addresses.
MX1, MX1_TOO, MX2, MX3 = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
ROUTE = Route("b.example", "b.example", private=True)


def at_once(function: Callable[[bytes], bytes], content: bytes, /) -> Awaitable[bytes]:
    """Do in place what belongs in a thread."""
    return succeed(function(content))


class World:
    """One sending system. *far* are the servers by their addresses; *sending* are fields of `Sending`.

    Senders elsewhere than in example.org are rewritten by *rewriting*, if there is one.
    """

    def __init__(
        self, far: Mapping[str, Far], route: Route = ROUTE, demand: Demand | None = None, idle: float = 2.0,
        messages: int = 100, rewriting: Rewriting | None = None, **sending: Any,
    ) -> None:
        self.connector = MemoryConnector(far)
        self.resolver = FixedResolver(
            {"b.example": [MX(10, "mx1.b.example"), MX(20, "mx2.b.example"), MX(30, "mx3.b.example")]},
            {"mx1.b.example": [MX1, MX1_TOO], "mx2.b.example": [MX2], "mx3.b.example": [MX3]},
        )
        self.router = FixedRouter(route)
        self.demands = FixedDemands(demand)
        settings = replace(Sending("out.example.org"), **sending)
        self.passwords = {"/secret": "secret"}
        connections = Connections(
            self.connector, self.demands, settings, lambda: "a-nonce", lambda path: self.passwords[path]
        )
        self.pool = Pool(self.connector.clock, idle, messages)
        lookup = Lookup(self.resolver, lambda host, port: False, lambda records: None)
        self.delivery = RemoteDelivery(
            self.router,
            Network(connections, lookup, self.pool, settings, lambda: self.now),
            Forwarding(rewriting, lambda domain: succeed(domain == "example.org"), lambda: self.now),
            at_once,
        )
        self.contents = Contents()
        self.now = 1_000_000.0

    def begin(self, job: Job) -> "Deferred[list[Outcome]]":
        """Begin to deliver *job*, as far as it goes without waiting for time."""

        async def outcomes() -> list[Outcome]:
            return list(await self.delivery.deliver(job, self.contents))

        pending = Deferred.fromCoroutine(outcomes())
        self.connector.run()
        return pending

    def deliver(self, job: Job) -> list[Outcome]:
        """Deliver *job*; it must not have to wait for time."""
        return SynchronousTestCase().successResultOf(self.begin(job))

    def deliver_one(self, job: Job) -> Outcome:
        """Deliver *job*, which has one recipient."""
        (outcome,) = self.deliver(job)
        return outcome

    @property
    def tried(self) -> list[str]:
        """The addresses that were connected to, in order."""
        return self.connector.addresses()
