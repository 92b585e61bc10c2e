"""Listening sockets that one process has bound and another one accepts from."""

import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.defer import fail
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol

from mailsuite.transport.ports import CannotListen, InheritedSocket, bind
from tests.transport.loop import Each, finish, reactor, until


class Greeter(Protocol):
    """Says hello."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"hello")
        self.transport.loseConnection()


def held(text: str) -> Any:
    """Return a port that is bound and from which nobody accepts, as a parent holds it."""
    port: Any = bind("smtp", text, serverFromString(reactor, text), Each(Greeter))
    port.stopReading()
    return port


def adopted(port: Any) -> Any:
    """Return what a worker has of *port*."""
    return bind("smtp", "given", InheritedSocket(reactor, os.dup(port.fileno())), Each(Greeter))


def greeted(port: Any, caller: socket.socket) -> bytes:
    """Return what *caller* hears from *port*."""
    caller.connect(port.getHost().name if caller.family == socket.AF_UNIX else ("127.0.0.1", port.getHost().port))
    caller.setblocking(False)
    heard = []

    def hear() -> bool:
        try:
            heard.append(caller.recv(100))
        except BlockingIOError:
            return False
        return True

    until(hear)
    caller.close()
    return heard[0]


def test_a_port_is_shared() -> None:
    """What was bound by one is served by others, and when one of these closes it the others go on."""
    port = held("tcp:0:interface=127.0.0.1")
    one, other = adopted(port), adopted(port)
    assert greeted(port, socket.socket()) == b"hello"
    finish(one.stopListening())

    assert greeted(port, socket.socket()) == b"hello"
    finish(other.stopListening())
    third = adopted(port)
    assert greeted(port, socket.socket()) == b"hello"
    finish(third.stopListening())
    finish(port.stopListening())


def test_a_unix_socket_is_shared(tmp_path: Path) -> None:
    """Its path and its mode are left to who has made it."""
    path = tmp_path / "lmtp"
    port = held(f"unix:{path}:mode=640")
    one, other = adopted(port), adopted(port)
    assert greeted(port, socket.socket(socket.AF_UNIX)) == b"hello"
    finish(one.stopListening())

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert greeted(port, socket.socket(socket.AF_UNIX)) == b"hello"
    finish(other.stopListening())
    assert path.exists()
    finish(port.stopListening())
    assert not path.exists()


def test_what_to_do_about_a_port_that_is_taken() -> None:
    """The reason is told with what mends it."""
    port = held("tcp:0:interface=127.0.0.1")
    text = f"tcp:{port.getHost().port}:interface=127.0.0.1"
    with pytest.raises(CannotListen, match=r"Address already in use; another program listens there: .* another port"):
        bind("smtp", text, serverFromString(reactor, text), Each(Greeter))
    finish(port.stopListening())


@pytest.mark.parametrize(("text", "mend"), [("tcp:25", "; for a port below 1024 start as root"), ("unix:/x", "$")])
def test_what_to_do_about_a_port_that_needs_rights(text: str, mend: str) -> None:
    """A socket's folder may be the matter, where it is none."""
    failed = fail(CannotListenError(None, 25, PermissionError(13, "Permission denied")))
    endpoint = SimpleNamespace(listen=lambda factory: failed)
    with pytest.raises(CannotListen, match=rf"Permission denied{mend}"):
        bind("smtp", text, cast(Any, endpoint), Each(Greeter))


def test_what_is_no_socket_is_refused(tmp_path: Path) -> None:
    """With the listener's name."""
    with open(tmp_path / "file", "wb") as file, pytest.raises(CannotListen, match=r"\[listen\.smtp\].*'given'"):
        bind("smtp", "given", InheritedSocket(reactor, file.fileno()), Each(Greeter))
