"""Who is asked by a call-out: the hosts of the domain's way, one after the other, in bounded time."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IConnector, IRespondent, IRouter
from mailsuite.policy.callout import ASKING_SECONDS, CannotAsk
from mailsuite.policy.primary import CONNECT_SECONDS, HOSTS, Primary
from mailsuite.route import CannotConnect, Credentials, Endpoint, Route
from mailsuite.smtp.probe import ProbeSession
from mailsuite.transport.connector import Connector
from mailsuite.wire.events import START_TLS

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
        self.broken_tls = False

    async def connect(self, endpoint: Endpoint, core: Any, respondent: IRespondent) -> None:
        self.asked.append(endpoint)
        server = self.servers[endpoint.address]
        if server is None:
            await Deferred()
        if isinstance(server, Exception):
            raise server
        assert isinstance(core, ProbeSession)
        for line in server or []:
            core.receive(f"{line}\r\n".encode())
            while (event := core.next_event()) is not None:
                if event is not START_TLS:
                    respondent.respond(event)
                elif self.broken_tls:
                    # As the transport does it: the core goes on, and its respondent hears of no TLS.
                    core.tls_started()
                    respondent.lost("lost", "TLS handshake failed: unsupported protocol")
                    return
                else:
                    self.said += core.bytes_to_send()
                    core.tls_started()
                    respondent.tls_started(Encryption("TLSv1.3", "x"))
            self.said += core.bytes_to_send()
        respondent.lost("lost")


class Asking:
    """One question, and what came of it."""

    def __init__(
        self, servers: dict[str, list[str] | Exception | None], route: Route = ROUTE, sources: Sequence[str] = ()
    ) -> None:
        self.clock = Clock()
        self.servers = Servers(servers)
        self.primary = Primary(OneWay(route), self.hops, self.servers, "mail.b.example", self.clock, sources)
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


@pytest.mark.parametrize(
    ("address", "own", "source"),
    [
        ("192.0.2.1", "", "192.0.2.9"), ("2001:db8::1", "", "2001:db8::9"), ("192.0.2.1", "192.0.2.8", "192.0.2.8"),
    ],
)  # fmt: skip
def test_questions_come_from_where_mail_comes_from(address: str, own: str, source: str) -> None:
    """The address of its family in [delivery] source, where the route has none of its own."""
    asking = Asking({address: server("250 x")}, replace(ROUTE, source=own), ["192.0.2.9", "2001:db8::9"])

    assert asking.ask() is True
    assert asking.servers.asked[0].source == source


# A server that has TLS begun, and one that goes on as it is asked to.
TLS = ["220 x", "250-x\r\n250 STARTTLS", "220 go on", "250 x", "250 x", "550 5.1.1 x"]


def test_tls_that_breaks_is_left_out_where_it_is_no_must() -> None:
    """The same host is asked in the clear, as mail would go there."""
    asking = Asking({"192.0.2.1": ["220 x", "250-x\r\n250 STARTTLS", "220 go on", "550 5.1.1 x"]})
    asking.servers.broken_tls = True

    assert asking.ask() is False
    assert [endpoint.address for endpoint in asking.servers.asked] == ["192.0.2.1"] * 2
    assert asking.servers.said.count(b"STARTTLS") == 1


@pytest.mark.parametrize("tls", ["may", "encrypt"])
def test_tls_that_holds_is_used(tls: Literal["may", "encrypt"]) -> None:
    """One connection, whatever came of the question."""
    asking = Asking({"192.0.2.1": TLS}, replace(ROUTE, tls=tls))

    assert asking.ask() is False
    assert len(asking.servers.asked) == 1
    assert b"STARTTLS\r\nEHLO" in asking.servers.said


def test_tls_that_breaks_where_it_is_a_must_ends_the_question() -> None:
    """Nothing is said in the clear."""
    asking = Asking({"192.0.2.1": TLS}, replace(ROUTE, tls="encrypt"))
    asking.servers.broken_tls = True

    with pytest.raises(CannotAsk, match="TLS handshake failed"):
        asking.ask()
    assert len(asking.servers.asked) == 1
    assert b"MAIL" not in asking.servers.said


def test_who_stops_asking_asks_nobody_else() -> None:
    """A connection that is given up is no host that cannot be reached."""
    reactor = MemoryReactorClock()
    asking = Asking({"192.0.2.1": None, "192.0.2.2": None})
    primary = Primary(OneWay(ROUTE), asking.hops, Connector(reactor), "mail.b.example", reactor)
    results: list[Any] = []
    asked = Deferred.fromCoroutine(primary.ask("a.example", ALICE))
    asked.addErrback(lambda failure: results.append(failure.type))
    asked.cancel()

    assert results == [CancelledError]
    assert [client[0] for client in reactor.tcpClients] == ["192.0.2.1"]
    assert asking.closed


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
