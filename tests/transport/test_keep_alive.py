"""Peers that vanish: what the kernel is asked to do about them."""

import socket
from types import SimpleNamespace

import pytest

from mailsuite.transport.keep_alive import PROBES, keep_alive


@pytest.mark.parametrize("seconds", [4, 6, 7, 110, 3600])
def test_the_time_is_the_one_asked_for(seconds: int) -> None:
    """Silence and questions together last as long, and so does waiting for what was sent."""
    with socket.socket() as sock:
        keep_alive(SimpleNamespace(socket=sock), seconds)
        idle, between, probes = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert (probes, idle + probes * between) == (PROBES, seconds)
        assert between >= 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == seconds * 1000


def test_what_is_no_tcp() -> None:
    """A UNIX socket, or a transport that has none, is left alone."""
    with socket.socket(socket.AF_UNIX) as sock:
        keep_alive(SimpleNamespace(socket=sock), 110)

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    keep_alive(SimpleNamespace(), 110)
