"""The gate of a listener: who may connect, and proxies that speak for others, with the real reactor."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, serverFromString
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IRespondent
from mailsuite.smtp.server import ServerSession
from mailsuite.transport.gate import Rules, everybody, nobody
from mailsuite.transport.listener import Listener, SessionFactory
from mailsuite.wire.events import SessionCore
from tests.smtp.respondent import PLAIN
from tests.transport.loop import Each, Loopback, finish, reactor, until
from tests.transport.test_listener import Client
from tests.transport.wires import Late

LINE = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n"


class Gated:
    """A listener with *rules* at the endpoint *text*."""

    def __init__(self, rules: Rules, text: str = "tcp:0:interface=127.0.0.1") -> None:
        self.respondent = Late()
        self.peers: list[Peer] = []
        endpoints = [(text, serverFromString(reactor, text))]
        sessions = SessionFactory(self.new_session, reactor, None)
        self.listener = Listener("smtp", endpoints, sessions, reactor, None, 5.0, rules)
        self.listener.privilegedStartService()
        self.listener.startService()

    def new_session(self, peer: Peer) -> tuple[SessionCore, IRespondent]:
        """Make both sides of a session."""
        self.peers.append(peer)
        return ServerSession(PLAIN), self.respondent

    @property
    def port(self) -> int:
        """Where it listens."""
        (address,) = self.listener.addresses
        return int(address.port)  # type: ignore[attr-defined]

    def call(self, *pieces: bytes) -> Client:
        """Connect and say *pieces*, each by itself."""
        client = Client()
        finish(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port).connect(Each(lambda: client)))
        client.transport.setTcpNoDelay(True)
        for piece in pieces:
            client.transport.write(piece)
            reactor.iterate(0)
            reactor.iterate(0)
        return client


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No port, no connection, no timer."""
    loopback = Loopback()
    yield
    loopback.close()


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What was logged about proxies and peers."""
    found: list[str] = []

    @implementer(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        if event.get("log_namespace", "").endswith("Gate"):
            found.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(cast(ILogObserver, observe))
    yield found
    globalLogPublisher.removeObserver(cast(ILogObserver, observe))


def proxied(**keys: Any) -> Gated:
    """Return a listener that takes everybody for a proxy."""
    return Gated(Rules(proxies=everybody, **keys))


@pytest.mark.parametrize("cut", [False, True])
def test_the_client_is_whom_the_proxy_names(cut: bool) -> None:
    """Its words come behind the header, or with it, and the session knows of no proxy but by the peer's name."""
    site = proxied()
    said = LINE + b"EHLO x\r\nQUIT\r\n"
    client = site.call(*([said[index : index + 1] for index in range(len(said))] if cut else [said]))
    until(lambda: client.over and site.respondent.ended)

    assert site.peers == [Peer("192.0.2.1", 56324, "127.0.0.1")]
    assert client.heard.startswith(b"220 ")
    assert b"\r\n221 " in client.heard
    finish(site.listener.stopService())


def test_nothing_is_said_before_the_header() -> None:
    """§2: the receiver must not begin before it has the whole of it."""
    site = proxied()
    client = site.call(LINE[:-1])
    assert site.peers == []
    assert client.heard == b""
    client.transport.write(LINE[-1:])
    until(lambda: client.heard)

    assert client.heard.startswith(b"220 ")
    client.transport.loseConnection()
    until(lambda: site.respondent.ended)
    finish(site.listener.stopService())


def test_a_proxy_for_itself() -> None:
    """UNKNOWN and LOCAL: the real address."""
    site = proxied()
    client = site.call(b"PROXY UNKNOWN\r\n")
    until(lambda: client.heard)

    assert [(peer.host, peer.via) for peer in site.peers] == [("127.0.0.1", "")]
    client.transport.loseConnection()
    until(lambda: site.respondent.ended)
    finish(site.listener.stopService())


@pytest.mark.parametrize("said", [b"EHLO x\r\n", b"\x16\x03\x01", LINE.replace(b"TCP4", b"TCP5")])
def test_a_proxy_without_its_header(said: bytes, told: list[str]) -> None:
    """It is cut off, told nothing, and logged."""
    site = proxied()
    client = site.call(said)
    until(lambda: client.over)

    assert client.heard == b""
    assert site.peers == []
    assert told[0].startswith("[listen.smtp] 127.0.0.1, which is listed as a proxy, sent ")
    finish(site.listener.stopService())


def test_a_header_that_does_not_come(told: list[str]) -> None:
    """Its time is bounded."""
    site = proxied(seconds=0.05)
    client = site.call(LINE[:9])
    until(lambda: client.over)

    assert told == ["[listen.smtp] 127.0.0.1, which is listed as a proxy, sent no PROXY header in time"]
    finish(site.listener.stopService())


@pytest.mark.parametrize(("said", "lines"), [(b"", 0), (b"PROX", 1)])
def test_a_proxy_that_goes_away(said: bytes, lines: int, told: list[str]) -> None:
    """Who only looks whether we are there is no line of the log worth."""
    site = proxied()
    client = site.call(said)
    until(lambda: site.listener.waiting)
    client.transport.loseConnection()
    until(lambda: not site.listener.waiting)

    assert len(told) == lines
    finish(site.listener.stopService())


def test_stopping_does_not_wait_for_headers() -> None:
    """They are cut off."""
    site = proxied()
    client = site.call(b"PROXY ")
    until(lambda: site.listener.waiting)
    finish(site.listener.stopService())

    until(lambda: client.over)
    assert client.heard == b""


def test_who_is_no_proxy_is_served_as_itself() -> None:
    """Its PROXY line is a command that there is not."""
    site = Gated(Rules(proxies=nobody, admits=lambda peer: True))
    client = site.call(LINE + b"QUIT\r\n")
    until(lambda: client.over and site.respondent.ended)

    assert [(peer.host, peer.via) for peer in site.peers] == [("127.0.0.1", "")]
    assert [line[:3] for line in client.heard.splitlines()] == [b"220", b"500", b"221"]
    finish(site.listener.stopService())


def only(host: str) -> Callable[[Peer], bool]:
    """Return a rule that holds for *host* alone."""
    return lambda peer: peer.host == host


def test_who_may_not_connect(told: list[str]) -> None:
    """It is cut off at once."""
    site = Gated(Rules(only("192.0.2.1")))
    client = site.call()
    until(lambda: client.over)

    assert client.heard == b""
    assert told == ["[listen.smtp] 127.0.0.1 is not among those that may connect"]
    finish(site.listener.stopService())


@pytest.mark.parametrize(("admitted", "heard"), [("192.0.2.1", b"220"), ("127.0.0.1", b"")])
def test_who_may_connect_by_a_proxy(admitted: str, heard: bytes) -> None:
    """The client is judged, not the proxy."""
    site = Gated(Rules(only(admitted), everybody))
    client = site.call(LINE + b"QUIT\r\n")
    until(lambda: client.over)

    assert client.heard[:3] == heard
    assert client.heard.count(b"\r\n221 ") == bool(heard)
    finish(site.listener.stopService())


def test_a_unix_socket(tmp_path: Path) -> None:
    """Who comes by one is called so, and may be a proxy."""
    path = str(tmp_path / "socket")
    site = Gated(Rules(only("192.0.2.1"), only("unix")), f"unix:{path}:lockfile=0")
    client = Client()
    finish(UNIXClientEndpoint(reactor, path).connect(Each(lambda: client)))
    client.transport.write(LINE + b"QUIT\r\n")
    until(lambda: client.over)

    assert site.peers == [Peer("192.0.2.1", 56324, "unix")]
    assert b"\r\n221 " in client.heard
    finish(site.listener.stopService())
