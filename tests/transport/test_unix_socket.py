"""UNIX sockets that a server before us has left behind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint, serverFromString
from twisted.internet.protocol import Protocol

from mailsuite.transport.unix_socket import FreshSocket, remove_if_dead
from tests.transport.loop import Each, Loopback, finish, reactor, until


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No port, no connection, no timer."""
    loopback = Loopback()
    yield
    loopback.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is to be."""
    return tmp_path / "lmtp"


def abandoned(path: Path) -> None:
    """Leave a socket at *path* that nobody serves, with the lock of a process that lives and is not ours."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    os.symlink("1", f"{path}.lock")


@pytest.mark.parametrize("options", ["", ":lockfile=0", ":mode=600"])
def test_what_is_dead_gives_way(path: Path, options: str) -> None:
    """Also where its lock names a process that has come since."""
    abandoned(path)
    endpoint = serverFromString(reactor, f"unix:{path}{options}")
    port = finish(FreshSocket(str(path), endpoint).listen(Each(Protocol)))
    client = finish(UNIXClientEndpoint(reactor, str(path)).connect(Each(Protocol)))

    assert path.stat().st_mode & 0o777 == (0o600 if "mode" in options else 0o666)
    client.transport.loseConnection()
    until(lambda: not client.transport.connected)
    finish(maybeDeferred(port.stopListening))
    assert not path.exists()


def test_what_lives_stays(path: Path) -> None:
    """Its server would otherwise listen where nobody can come."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        remove_if_dead(str(path))
        assert path.exists()
        with socket.socket(socket.AF_UNIX) as caller, socket.socket(socket.AF_UNIX) as another:
            # Its backlog is full now: it is busy, not dead.
            caller.connect(str(path))
            another.setblocking(False)
            remove_if_dead(str(path))
        assert path.exists()


def test_what_is_no_socket_stays(path: Path) -> None:
    """A slip of the pen in the configuration costs no file."""
    remove_if_dead(str(path))
    path.write_text("precious")
    remove_if_dead(str(path))

    assert path.read_text() == "precious"
