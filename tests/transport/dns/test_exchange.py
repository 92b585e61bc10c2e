"""One question to one server, over real sockets; the test is the reactor, and time stands."""

import socket
from collections.abc import Iterator
from typing import cast

import dns.edns
import dns.message
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from mailsuite.dns import DnsTrouble
from mailsuite.transport.dns.datagram import STRAYS
from mailsuite.transport.dns.exchange import DnsReactor, Exchange
from mailsuite.transport.dns.servers import Server
from mailsuite.transport.dns.wire import RECORDS, Message
from tests.transport.dns.questions import hosts, question
from tests.transport.dns.world import Ear, Loop, NameServer, Script, reply, says, silent

HERE = question()
MX_LINE = "example.org. 60 IN MX 10 mx.example."
EVIL = "example.org. 60 IN MX 10 evil.example."


class Site:
    """Name servers, and who asks them. Ids are 1, 2, 3."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.ids = 0
        self.exchange = Exchange(self.loop, 3.0, self.below)
        self.servers: list[NameServer] = []

    def below(self, bound: int) -> int:
        assert bound == 65_536
        self.ids += 1
        return self.ids

    def server(self, script: Script, address: str = "127.0.0.1", tcp_too: bool = True) -> NameServer:
        server = NameServer(self.loop, script, address, tcp_too)
        self.servers.append(server)
        return server

    def ask(self, server: NameServer) -> Message:
        """Return what *server* answers."""
        return self.loop.result(self.exchange.ask(Server(*server.place), HERE))

    def start(self, server: NameServer) -> "Deferred[Message]":
        """Ask, and do not wait."""
        asking = self.loop.start(self.exchange.ask(Server(*server.place), HERE))
        self.loop.settle()
        return asking

    def trouble(self, server: NameServer) -> str:
        """Return why there is no answer."""
        with pytest.raises(DnsTrouble) as raised:
            self.ask(server)
        return str(raised.value).replace(f":{server.port}", "")

    def own_sockets(self) -> int:
        """Return how many sockets of ours are open."""
        return len([each for each in self.loop.getReaders() if not isinstance(each, Ear)])

    def close(self) -> None:
        for server in self.servers:
            server.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """A site; in the end nothing of ours may be left open, no time-out and no socket."""
    made = Site()
    yield made
    assert made.loop.getDelayedCalls() == []
    assert made.own_sockets() == 0
    made.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_answer(site: Site, address: str) -> None:
    """A datagram there, one back; the question says what we understand."""
    server = site.server(says(MX_LINE), address)

    assert len(site.ask(server).answer) == 1
    ((way, query),) = server.queries
    assert way == "udp"
    assert (query.id, query.edns, query.payload) == (1, 0, 1232)


def test_each_from_its_own_port(site: Site) -> None:
    """Whoever wants to forge an answer has to guess port and id."""
    server = site.server(says(MX_LINE))
    for _ in range(8):
        site.ask(server)

    assert len({port for _, port in server.peers}) > 4
    assert [query.id for _, query in server.queries] == list(range(1, 9))


def test_no_answer(site: Site) -> None:
    """After three seconds it is trouble, and the socket is closed."""
    server = site.server(silent)
    asking = site.start(server)
    site.loop.advance(2.9)
    assert not asking.called
    site.loop.advance(0.1)

    with pytest.raises(DnsTrouble, match=r"^127.0.0.1:\d+ did not answer in 3 seconds$"):
        site.loop.result(asking)


def test_cancelled(site: Site) -> None:
    """Whoever does not want to know any more leaves nothing behind."""
    asking = site.start(site.server(silent))
    asking.cancel()

    with pytest.raises(CancelledError):
        site.loop.result(asking)


def test_nobody_there(site: Site) -> None:
    """That a port is closed is seen at once."""
    server = site.server(silent)
    server.close()

    assert site.trouble(server) == "127.0.0.1 cannot be reached: Connection refused"


def test_no_way(site: Site) -> None:
    """So is an address to which there is no way, and one that is none."""
    for address in ("192.0.2.999", "fe80::1%nowhere0", "255.255.255.255"):
        with pytest.raises(DnsTrouble, match=f"^{address} cannot be reached"):
            site.loop.result(site.exchange.ask(Server(address), HERE))


def test_read_for_nothing(site: Site) -> None:
    """The reactor may say that there is something to read where there is nothing (a bad checksum)."""
    asking = site.start(site.server(silent))
    (ours,) = [each for each in site.loop.getReaders() if each.logPrefix() == "DNS"]
    ours.doRead()
    assert not asking.called
    asking.cancel()
    asking.addErrback(lambda failure: failure.trap(CancelledError))


@pytest.mark.parametrize("with_code", [True, False])
def test_error_that_the_reactor_sees(site: Site, with_code: bool) -> None:
    """epoll tells of an error by ending the connection."""
    server = site.server(silent)
    if with_code:
        server.close()
    asking = site.loop.start(site.exchange.ask(Server(*server.place), HERE))
    (ours,) = [each for each in site.loop.getReaders() if each.logPrefix() == "DNS"]
    site.loop.removeReader(ours)
    ours.connectionLost(Failure(ConnectionLost()))
    ours.connectionLost(Failure(ConnectionLost()))

    with pytest.raises(DnsTrouble, match="refused" if with_code else "Connection to the other side was lost"):
        site.loop.result(asking)


class TestForgeries:
    """What comes from elsewhere, or belongs to another question, is ignored; the right answer is waited for."""

    def forged(self, query: dns.message.Message, **change: str) -> bytes:
        """Return a response with evil in it, to a query that differs from ours."""
        asked = dns.message.make_query(change.get("name", "example.org"), change.get("kind", "MX"))
        asked.id = query.id + int(change.get("id", "0"))
        return reply(asked, EVIL, flags=change.get("flags", "RD RA")).to_wire()

    @pytest.mark.parametrize("change", [{"id": "1"}, {"id": "256"}, {"name": "example.net"}, {"kind": "A"}])
    def test_wrong(self, site: Site, change: dict[str, str]) -> None:
        """Id, name and type have to be those that were asked for."""
        server = site.server(lambda query, way: [self.forged(query, **change), reply(query, MX_LINE).to_wire()])

        assert hosts(site.ask(server)) == ["mx.example"]

    def test_an_echo(self, site: Site) -> None:
        """A question is no answer, also our own."""
        server = site.server(lambda query, way: [query.to_wire(), reply(query, MX_LINE).to_wire()])

        assert len(site.ask(server).answer) == 1

    def test_empty_and_short(self, site: Site) -> None:
        """Nor are a few octets."""
        server = site.server(lambda query, way: [b"", b"\0", reply(query, MX_LINE).to_wire()])

        assert len(site.ask(server).answer) == 1

    def test_another_port(self, site: Site) -> None:
        """What another port sends, with the right id, does not arrive."""
        server = site.server(silent)
        asking = site.start(server)
        ((_, query),) = server.queries
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(reply(query, EVIL).to_wire(), server.peers[0])
        site.loop.settle()
        assert not asking.called
        server.udp.sendto(reply(query, MX_LINE).to_wire(), server.peers[0])

        assert hosts(site.loop.result(asking)) == ["mx.example"]

    def test_another_address(self, site: Site) -> None:
        """Nor what another address sends from the right port."""
        server = site.server(silent)
        asking = site.start(server)
        ((_, query),) = server.queries
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", server.port))
            other.sendto(reply(query, EVIL).to_wire(), server.peers[0])
        site.loop.settle()

        assert not asking.called
        asking.cancel()
        asking.addErrback(lambda _: None)

    @pytest.mark.parametrize("more", [0, 1])
    def test_many(self, site: Site, more: int) -> None:
        """Twenty are ignored; after that somebody is guessing, and TCP is used."""

        def script(query: dns.message.Message, way: str) -> list[bytes]:
            right = reply(query, MX_LINE).to_wire()
            return [right] if way == "tcp" else [*[self.forged(query, id="1")] * (STRAYS + more), right]

        server = site.server(script)

        assert hosts(site.ask(server)) == ["mx.example"]
        assert [way for way, _ in server.queries] == ["udp", "tcp"][: 1 + more]

    def test_nonsense(self, site: Site) -> None:
        """What has our id and cannot be read is trouble: it is not worth the wait."""
        server = site.server(lambda query, way: [query.to_wire()[:2] + b"\x81\x80" + b"\xff" * 20])

        assert site.trouble(server) == "127.0.0.1 answered nonsense for example.org MX: it holds too much"


class TestEDNS:
    """Servers that do not know it (RFC 6891 §7)."""

    @pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP"])
    def test_without(self, site: Site, rcode: str) -> None:
        """They are asked once more, without."""

        def script(query: dns.message.Message, way: str) -> list[bytes]:
            if query.edns >= 0:
                # As old servers do it: the header, and nothing else.
                return [reply(query, rcode=rcode).to_wire()[:4] + b"\0" * 8]
            return [reply(query, MX_LINE).to_wire()]

        server = site.server(script)

        assert len(site.ask(server).answer) == 1
        assert [(query.id, query.edns) for _, query in server.queries] == [(1, 0), (2, -1)]

    def test_only_once(self, site: Site) -> None:
        """Whoever does not understand that either has answered."""
        server = site.server(says(rcode="FORMERR"))

        assert site.ask(server).rcode == 1
        assert len(server.queries) == 2

    def test_in_the_same_time(self, site: Site) -> None:
        """Both together take no longer than one try may take."""
        server = site.server(lambda query, way: [reply(query, rcode="FORMERR").to_wire()] if query.edns >= 0 else [])
        asking = site.loop.start(site.exchange.ask(Server(*server.place), HERE))
        site.loop.advance(2.0)
        site.loop.settle()
        assert len(server.queries) == 2
        site.loop.advance(1.0)

        with pytest.raises(DnsTrouble, match="did not answer"):
            site.loop.result(asking)


def truncating(over_tcp: Script) -> Script:
    """Return the script of a server that cuts every answer short over UDP, in the middle of a record."""

    def script(query: dns.message.Message, way: str) -> list[bytes]:
        if way == "tcp":
            return over_tcp(query, way)
        return [reply(query, EVIL, flags="RD RA TC").to_wire()[:-3]]

    return script


class TestTCP:
    """Answers that are too long for UDP (RFC 7766 §5)."""

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_truncated(self, site: Site, address: str) -> None:
        """They are asked for again, over TCP."""
        lines = [f"example.org. 60 IN MX {number} mx{number}.example." for number in range(RECORDS - 1)]
        server = site.server(truncating(says(*lines)), address)

        assert len(site.ask(server).answer) == RECORDS - 1
        assert [way for way, _ in server.queries] == ["udp", "tcp"]

    def test_the_longest(self, site: Site) -> None:
        """A message of 65,535 octets is taken."""

        def script(query: dns.message.Message, way: str) -> list[bytes]:
            return [reply(query, MX_LINE).to_wire(max_size=65_535).ljust(65_535, b"\0")]

        assert len(site.ask(site.server(truncating(script))).answer) == 1

    def test_no_tcp(self, site: Site) -> None:
        """A server that has only UDP cannot answer."""
        server = site.server(truncating(silent), tcp_too=False)

        assert site.trouble(server).startswith("127.0.0.1 cannot be reached over TCP: Connection was refused")

    def test_silent(self, site: Site) -> None:
        """One that does not answer over TCP is waited for in the same three seconds."""
        server = site.server(truncating(silent))
        asking = site.start(server)
        assert [way for way, _ in server.queries] == ["udp", "tcp"]
        site.loop.advance(3.0)

        with pytest.raises(DnsTrouble, match="did not answer in 3 seconds"):
            site.loop.result(asking)
        site.loop.settle()

    def test_while_connecting(self, site: Site) -> None:
        """So is one whose connection does not come about."""
        server = site.server(truncating(silent))
        asking = site.loop.start(site.exchange.ask(Server(*server.place), HERE))
        # The server's turn, then ours, in which the connection is only begun.
        while not site.loop.getWriters():
            site.loop.turn(1.0)
        site.loop.advance(3.0)

        with pytest.raises(DnsTrouble, match="did not answer in 3 seconds"):
            site.loop.result(asking)
        site.loop.settle()

    @pytest.mark.parametrize(
        ("script", "why"),
        [
            (says(rcode="NOERROR", flags="RD RA TC"), "cut its answer short for example.org MX, also over TCP"),
            (lambda query, way: [b""], "answered something else over TCP"),
            (lambda query, way: [query.to_wire()], "answered something else over TCP"),
            (lambda query, way: [query.to_wire()[:2] + b"\x81\x80" + b"\xff" * 20], "answered nonsense"),
        ],
    )
    def test_bad_answers(self, site: Site, script: Script, why: str) -> None:
        """What is no answer to the question is trouble."""
        server = site.server(truncating(script))

        assert why in site.trouble(server)

    def test_closed(self, site: Site) -> None:
        """So is a connection that ends without one."""
        server = site.server(truncating(silent))

        def hang_up(query: dns.message.Message, way: str) -> list[bytes]:
            if way == "tcp":
                server.ears[-1].socket.shutdown(socket.SHUT_RDWR)
                return []
            return truncating(silent)(query, way)

        server.script = hang_up

        assert site.trouble(server) == "127.0.0.1 closed the connection without an answer"

    def test_two_answers(self, site: Site) -> None:
        """Only the first is read."""
        right = truncating(lambda query, way: [reply(query, MX_LINE).to_wire(), reply(query, EVIL).to_wire()])

        assert hosts(site.ask(site.server(right))) == ["mx.example"]

    def test_in_pieces(self, site: Site) -> None:
        """An answer may come octet by octet."""
        server = site.server(truncating(silent))
        asking = site.start(server)
        wire = reply(server.queries[-1][1], MX_LINE).to_wire()
        for octet in len(wire).to_bytes(2, "big") + wire:
            assert not asking.called
            server.ears[-1].socket.send(bytes((octet,)))
            site.loop.settle()

        assert len(site.loop.result(asking).answer) == 1


def test_with_epoll() -> None:
    """On the reactor that is used: a closed port is seen at once, over UDP."""
    reactor = EPollReactor()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    failures: list[str] = []
    exchange = Exchange(cast(DnsReactor, reactor), 60.0, lambda bound: 7)
    asking = Deferred.fromCoroutine(exchange.ask(Server("127.0.0.1", port), HERE))
    asking.addErrback(lambda failure: failures.append(str(failure.value)))
    for _ in range(50):
        if failures:
            break
        reactor.iterate(0.1)

    assert failures == [f"127.0.0.1:{port} cannot be reached: Connection refused"]
    assert reactor.getDelayedCalls() == []
