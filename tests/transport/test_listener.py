"""A listener on loopback: its ports, its sessions, its orderly end."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, serverFromString
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

from mailsuite.envelope import Peer
from mailsuite.interfaces import IRespondent
from mailsuite.smtp import events
from mailsuite.smtp.server import ServerSession
from mailsuite.transport.listener import Listener, SessionFactory
from mailsuite.transport.ports import CannotListen
from mailsuite.wire.events import SessionCore
from tests.smtp.respondent import PLAIN
from tests.transport.loop import Each, Loopback, finish, reactor, until
from tests.transport.wires import Late


class Client(Protocol):
    """Keeps what it hears."""

    transport: Any
    heard = b""
    over = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True


class Site:
    """A listener, and who answers there."""

    def __init__(self, grace: float, *holds: type) -> None:
        self.respondent = Late(*holds)
        self.peers: list[Peer] = []
        self.listener = self.listen("tcp:0:interface=127.0.0.1", grace)

    def listen(self, text: str, grace: float = 5.0) -> Listener:
        """Return a listener that has bound its port."""
        endpoints = [(text, serverFromString(reactor, text))]
        sessions = SessionFactory(self.new_session, reactor, None)
        listener = Listener("smtp", endpoints, sessions, reactor, None, grace, vanished_after=110)
        listener.privilegedStartService()
        listener.startService()
        return listener

    def new_session(self, peer: Peer) -> tuple[SessionCore, IRespondent]:
        """Make both sides of a session."""
        self.peers.append(peer)
        return ServerSession(PLAIN), self.respondent

    @property
    def port(self) -> int:
        """Where it listens."""
        (address,) = self.listener.addresses
        return int(address.port)  # type: ignore[attr-defined]

    def call(self, data: bytes) -> Client:
        """Open a session and say *data*; it goes on then until the server ends it."""
        client = Client()
        finish(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port).connect(Each(lambda: client)))
        until(lambda: self.listener.open_sessions == 1)
        client.transport.write(data)
        return client


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No port, no connection, no timer."""
    loopback = Loopback()
    yield
    loopback.close()


def test_a_session() -> None:
    """From the port to the respondent, and the peer is known."""
    site = Site(5.0)
    client = site.call(b"EHLO x\r\nQUIT\r\n")
    until(lambda: client.over and site.respondent.ended)

    assert [peer.host for peer in site.peers] == ["127.0.0.1"]
    assert site.respondent.ended == ["closed"]
    assert site.listener.open_sessions == 0
    finish(site.listener.stopService())
    assert site.listener.addresses == []


def test_connections_are_set_up() -> None:
    """By the socket that accepts them: nothing delays what is sent, a peer that vanishes is noticed in its time."""
    site = Site(5.0)
    client = site.call(b"")
    (connection,) = (each for each in reactor.getReaders() if isinstance(each, Server))
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE)]

    assert [connection.getHandle().getsockopt(*option) for option in options] == [1, 1]
    finish(site.listener.stopService())
    until(lambda: client.over)


def test_stopping_says_421() -> None:
    """RFC 5321 §3.8; then the port is free."""
    site = Site(5.0, events.MailFrom)
    port = site.port
    client = site.call(b"EHLO x\r\nMAIL FROM:<a@a.example>\r\n")
    until(lambda: site.respondent.held)
    stopped = site.listener.stopService()
    assert not stopped.called
    site.respondent.let_go()
    finish(stopped)

    assert site.respondent.ended == ["closed"]
    until(lambda: client.over)
    assert b"\r\n421 " in client.heard
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


def test_stopping_waits_no_longer_than_the_grace() -> None:
    """Who goes on is cut off."""
    site = Site(0.1, events.MailFrom)
    client = site.call(b"EHLO x\r\nMAIL FROM:<a@a.example>\r\n")
    until(lambda: site.respondent.held)
    finish(site.listener.stopService())

    assert site.respondent.ended == ["lost"]
    assert site.respondent.causes == ["the connection was cut off here"]
    until(lambda: client.over)


def test_a_port_that_is_taken() -> None:
    """The text says which, and why."""
    site = Site(5.0)
    text = f"tcp:{site.port}:interface=127.0.0.1"

    with pytest.raises(CannotListen, match=rf"\[listen\.smtp\] cannot listen on '{text}': .*in use"):
        site.listen(text)
    finish(site.listener.stopService())
