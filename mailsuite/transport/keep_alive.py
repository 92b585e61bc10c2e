"""Notices peers that have vanished: a host that lost its power or its network closes no connection."""

import socket
from typing import Any

# Unanswered questions after which the peer counts as gone.
PROBES = 3


def keep_alive(transport: Any, seconds: int) -> None:
    """Let the kernel end *transport* when its peer's host has answered nothing for *seconds*.

    Where it is not TCP, nothing is done.
    """
    sock = getattr(transport, "socket", None)
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # Half of the time in silence, the other half in questions.
    between = max(seconds // 2 // PROBES, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(seconds - PROBES * between, 1))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, between)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    # The same for what was sent and is not acknowledged: the kernel asks nothing then, and would send it for long.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)
