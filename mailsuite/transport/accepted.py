"""What connections by TCP are to be like that a listening socket accepts: they have its options from the first octet.

So none costs calls of its own for them. (accept(2) does not promise it; Linux and the BSDs do so.)
"""

import socket

# Unanswered questions after which the peer counts as gone.
PROBES = 3


def for_connections(listening: socket.socket, vanished_after: int) -> None:
    """Set up *listening*, so that what it accepts sends without delay, and ends when its peer has vanished.

    A host that lost its power or its network closes no connection: it counts as gone when it has answered nothing for
    *vanished_after* seconds; 0: as the system has it. Where it is not TCP, nothing is done.
    """
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # Nagle's algorithm would hold back a reply until the one before it is acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A socket that another process has bound may have been set up otherwise: what is not wanted is taken back.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, vanished_after > 0)
    # For what was sent and is not acknowledged the kernel asks nothing, and would send it for long. (Linux has this.)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, vanished_after * 1000)
    if vanished_after:
        # Half of the time in silence, the other half in questions.
        between = max(vanished_after // 2 // PROBES, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(vanished_after - PROBES * between, 1))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, between)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
