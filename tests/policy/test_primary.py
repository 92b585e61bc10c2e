"""Who is asked by a call-out: the hosts of the domain's way, one after the other, in bounded time."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IConnector, IRespondent, IRouter
from mailsuite.policy.callout import ASKING_SECONDS, CannotAsk
from mailsuite.policy.primary import CONNECT_SECONDS, HOSTS, Primary
from mailsuite.route import CannotConnect, Credentials, Endpoint, Route
from mailsuite.smtp.probe import ProbeSession

ALICE = Address("alice", "a.example")
ROUTE = Route("a.example", "a.example", backup=True)


@dataclass(frozen=True)
class Hop:
    """One place to ask."""

    host: str
    address: str


@implementer(IRouter)
class OneWay:
    """Everything goes the same way."""

    def __init__(self, route: Route) -> None:
        self.way = route

    def route(self, recipient: Address, reverse_path: Address | None) -> Route:
        return self.way


@implementer(IConnector)
class Servers:
    """Servers by their addresses: each is the lines that it says, a trouble, or nothing (it never connects)."""

    def __init__(self, servers: dict[str, list[str] | Exception | None]) -> None:
        self.servers = servers
        self.asked: list[Endpoint] = []
        self.said = b""

    async def connect(self, endpoint: Endpoint, core: Any, respondent: IRespondent) -> None:
        self.asked.append(endpoint)
        server = self.servers[endpoint.address]
        if server is None:
            await Deferred()
        if isinstance(server, Exception):
            raise server
        assert isinstance(core, ProbeSession)
        respondent.tls_started(Encryption("TLSv1.3", "x"))
        for line in server or []:
            core.receive(f"{line}\r\n".encode())
            while (event := core.next_event()) is not None:
                respondent.respond(event)
            self.said += core.bytes_to_send()
        respondent.lost("lost")


class Asking:
    """One question, and what came of it."""

    def __init__(self, servers: dict[str, list[str] | Exception | None], route: Route = ROUTE) -> None:
        self.clock = Clock()
        self.servers = Servers(servers)
        self.primary = Primary(OneWay(route), self.hops, self.servers, "mail.b.example", self.clock)
        self.closed = False

    async def hops(self, route: Route) -> AsyncGenerator[Hop, None]:
        """Give the servers in their order."""
        try:
            for address in self.servers.servers:
                yield Hop(f"mx-{address}", address)
        finally:
            self.closed = True

    def ask(self) -> bool | None:
        """Ask, and have the answer at once."""
        results: list[Any] = []
        Deferred.fromCoroutine(self.primary.ask("a.example", ALICE)).addBoth(results.append)
        assert results, "no answer"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        answer: bool | None = results[0]
        return answer


def server(*last: str) -> list[str]:
    """Return what a server says that answers to RCPT with *last*."""
    return ["220 x", "250 x", "250 x", *last]


@pytest.mark.parametrize(("reply", "known"), [("250 x", True), ("550 5.1.1 x", False), ("450 x", None)])
def test_the_first_that_speaks_is_believed(reply: str, known: bool | None) -> None:
    """With the null reverse-path, on the way that mail would go."""
    asking = Asking({"192.0.2.1": server(reply), "192.0.2.2": server("250 x")})

    assert asking.ask() is known
    assert asking.servers.asked == [Endpoint("192.0.2.1", 25, "mx-192.0.2.1", seconds=CONNECT_SECONDS)]
    assert b"EHLO mail.b.example\r\nMAIL FROM:<>\r\nRCPT TO:<alice@a.example>\r\n" in asking.servers.said
    assert asking.closed


@pytest.mark.parametrize("first", [CannotConnect("refused"), [], ["554 x"], ["220 x", "250 x", "550 no null sender"]])
def test_the_next_host_is_asked_where_one_says_nothing(first: list[str] | Exception) -> None:
    """It cannot be reached, or ends before the address."""
    asking = Asking({"192.0.2.1": first, "192.0.2.2": server("550 5.1.1 x")})

    assert asking.ask() is False


def test_so_many_hosts_are_asked() -> None:
    """The last one within the limit may still answer, the one past it is not asked."""
    silent: dict[str, list[str] | Exception | None] = {
        f"192.0.2.{number}": CannotConnect("refused") for number in range(HOSTS - 1)
    }

    assert Asking({**silent, "192.0.2.9": server("250 x")}).ask() is True
    asking = Asking({**silent, "192.0.2.8": CannotConnect("refused"), "192.0.2.9": server("250 x")})
    with pytest.raises(CannotAsk, match=r"mx-192\.0\.2\.8: refused"):
        asking.ask()


def test_nobody_to_ask_is_said() -> None:
    """No host, or a lookup that says why there is none."""
    with pytest.raises(CannotAsk, match="no host of it can be reached"):
        Asking({}).ask()

    async def none(route: Route) -> AsyncGenerator[Hop, None]:
        """Have nothing to give."""
        if route.host:
            yield Hop("", "")
        raise CannotConnect("no MX")

    asking = Asking({})
    asking.primary = Primary(OneWay(ROUTE), none, asking.servers, "mail.b.example", asking.clock)
    with pytest.raises(CannotAsk, match="no MX"):
        asking.ask()


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, lmtp=True), replace(ROUTE, implicit=True), replace(ROUTE, tls="verify"),
        replace(ROUTE, tls="dane"), replace(ROUTE, tls="mta-sts"),
        replace(ROUTE, host="smtp.isp.example", credentials=Credentials("we", "p")),
    ],
)  # fmt: skip
def test_ways_on_which_an_answer_could_not_be_believed_are_not_asked(route: Route) -> None:
    """Certificates are not looked at here, a mail store speaks LMTP, a smarthost is not the primary."""
    asking = Asking({"192.0.2.1": server("250 x")}, route)

    with pytest.raises(CannotAsk, match="not a way on which we can ask"):
        asking.ask()
    assert asking.servers.asked == []


def test_the_way_is_that_of_mail() -> None:
    """Port, source and level of TLS are the route's."""
    asking = Asking({"192.0.2.1": [*server()[:2]]}, replace(ROUTE, port=2525, source="192.0.2.9", tls="encrypt"))

    with pytest.raises(CannotAsk, match="the server offers no TLS"):
        asking.ask()
    assert (asking.servers.asked[0].port, asking.servers.asked[0].source) == (2525, "192.0.2.9")


def test_time_that_is_over_is_not_used_for_one_more_host() -> None:
    """A host that hangs takes the others' time."""
    asking = Asking({"192.0.2.1": None, "192.0.2.2": server("250 x")})
    results: list[Any] = []
    asked = Deferred.fromCoroutine(asking.primary.ask("a.example", ALICE))
    asked.addErrback(lambda failure: results.append(failure.type))
    asking.clock.advance(ASKING_SECONDS)
    asked.cancel()

    assert len(results) == 1
    assert len(asking.servers.asked) == 1
