"""What connections have from the socket that has accepted them: no delay, and an end where the peer vanishes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailsuite.transport.accepted import PROBES, for_connections


@contextmanager
def accepted(*settings: int) -> Iterator[socket.socket]:
    """Return a connection that a socket has accepted which was set up so, one time after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for vanished_after in settings:
            for_connections(listening, vanished_after)
        with socket.create_connection(listening.getsockname()):
            connection, _ = listening.accept()
            with connection:
                yield connection


def test_no_delay() -> None:
    """Nagle's algorithm would hold back replies."""
    with accepted(0) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.parametrize("seconds", [4, 6, 7, 110, 3600])
def test_the_time_is_the_one_asked_for(seconds: int) -> None:
    """Silence and questions together last as long, and so does waiting for what was sent."""
    with accepted(seconds) as sock:
        idle, between, probes = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert (probes, idle + probes * between) == (PROBES, seconds)
        assert between >= 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == seconds * 1000


@pytest.mark.parametrize("settings", [(0,), (110, 0)])
def test_as_the_system_has_it(settings: tuple[int, ...]) -> None:
    """Also where the process before us, whose socket it is, wanted something else."""
    with accepted(*settings) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0


def test_what_is_no_tcp() -> None:
    """A UNIX socket is left alone."""
    with socket.socket(socket.AF_UNIX) as sock:
        for_connections(sock, 110)

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
