"""A listener on a UNIX socket learns from the kernel who has connected, before it says a word."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, serverFromString

from mailsuite.envelope import Peer
from mailsuite.interfaces import IRespondent
from mailsuite.smtp.server import ServerSession
from mailsuite.transport.gate import Rules, nobody
from mailsuite.transport.listener import Listener, SessionFactory
from mailsuite.transport.peer_credentials import UserOf, name_of
from mailsuite.wire.events import SessionCore
from tests.smtp.respondent import PLAIN
from tests.transport.loop import Each, Loopback, finish, reactor, until
from tests.transport.test_listener import Client
from tests.transport.wires import Late


class Local:
    """A listener at *text* that names its peers by *user_of*."""

    def __init__(self, text: str, user_of: UserOf, rules: Rules | None = None) -> None:
        self.peers: list[Peer] = []
        endpoints = [(text, serverFromString(reactor, text))]
        sessions = SessionFactory(self.new_session, reactor, None)
        self.listener = Listener("local", endpoints, sessions, reactor, None, 5.0, rules or Rules(), user_of)
        self.listener.privilegedStartService()
        self.listener.startService()

    def new_session(self, peer: Peer) -> tuple[SessionCore, IRespondent]:
        """Make both sides of a session."""
        self.peers.append(peer)
        return ServerSession(PLAIN), Late()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No port, no connection, no timer."""
    loopback = Loopback()
    yield
    loopback.close()


def call(path: Path, said: bytes = b"") -> Client:
    """Connect to *path* and say something at once."""
    client = Client()
    finish(UNIXClientEndpoint(reactor, str(path)).connect(Each(lambda: client)))
    client.transport.write(said)
    return client


def stop(local: Local, client: Client) -> None:
    """End both."""
    client.transport.loseConnection()
    until(lambda: client.over)
    finish(local.listener.stopService())


def test_the_user_is_known(tmp_path: Path) -> None:
    """By name and number; what a client says too early waits for that, and is answered then."""
    asked: list[int] = []
    answer: Deferred[str] = Deferred()

    def look_up(uid: int) -> Deferred[str]:
        asked.append(uid)
        return answer

    local = Local(f"unix:{tmp_path}/local", look_up)
    client = call(tmp_path / "local", b"EHLO localhost\r\n")
    until(lambda: asked)
    assert asked == [os.geteuid()]
    assert (local.peers, client.heard) == ([], b"")

    answer.callback("alice")
    until(lambda: client.heard.count(b"250 ") == 1)
    assert local.peers == [Peer("unix", user="alice", uid=os.geteuid())]
    stop(local, client)


def test_who_is_gone_meanwhile(tmp_path: Path) -> None:
    """Nobody is served, nothing is left."""
    answer: Deferred[str] = Deferred()
    asked: list[int] = []
    local = Local(f"unix:{tmp_path}/local", lambda uid: asked.append(uid) or answer)  # type: ignore[func-returns-value]
    client = call(tmp_path / "local")
    until(lambda: asked)
    stop(local, client)
    answer.callback("alice")

    until(lambda: not local.listener.open_sessions)


@pytest.mark.parametrize("trouble", ["lookup", "gate"])
def test_who_is_turned_away(tmp_path: Path, trouble: str) -> None:
    """Where nobody can say who it is, or the listener does not let that peer in: cut off without a word."""
    broken: UserOf = lambda uid: fail(OSError("no name service"))  # noqa: E731
    local = (
        Local(f"unix:{tmp_path}/local", broken)
        if trouble == "lookup"
        else Local(f"unix:{tmp_path}/local", lambda uid: succeed("alice"), Rules(admits=nobody))
    )
    client = call(tmp_path / "local")
    until(lambda: client.over)

    assert (client.heard, local.peers) == (b"", [])
    finish(local.listener.stopService())


def test_tcp_has_no_user() -> None:
    """Nobody is taken for the user that the kernel names where it knows none."""
    local = Local("tcp:0:interface=127.0.0.1", lambda uid: succeed("alice"))
    (address,) = local.listener.addresses
    client = Client()
    port = address.port  # type: ignore[attr-defined]
    finish(TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(Each(lambda: client)))
    until(lambda: client.over)

    assert local.peers == []
    finish(local.listener.stopService())


def test_names_of_users() -> None:
    """The system's, else the number."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    free = next(uid for uid in range(70_000, 80_000) if uid not in taken)

    assert name_of(0) == pwd.getpwuid(0).pw_name
    assert name_of(free) == str(free)
