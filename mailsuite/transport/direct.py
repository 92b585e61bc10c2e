"""Sends and closes straight away where nothing is queued: half as many messages a second again (docs/performance).

`transport.write` queues the octets and waits for the reactor to find the socket writable, which it nearly always
is; so does `transport.loseConnection`. This is the one place that touches a transport's insides (`dataBuffer`,
`_tempDataBuffer` of `twisted.internet.abstract.FileDescriptor`); `tests/transport/test_direct.py` fails if Twisted
changes them.
"""

from typing import TypeGuard

from twisted.internet.interfaces import ITransport
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

# Always the same, so that what it means is worked out once (`Failure.check`); Twisted has one of its own, too.
_CLOSED = Failure(CONNECTION_DONE)


def send(transport: ITransport, data: bytes) -> bool:
    """Send *data* now as far as the socket takes it; the transport does the rest, in order.

    Return whether all of it has left. A transport of another kind (TLS, a test's) is simply written to. Errors
    are the transport's to report: what the socket refuses here is handed to it.
    """
    if is_direct(transport):
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0
        if sent == len(data):
            return True
        data = data[sent:]
    transport.write(data)
    return False


def close(transport: ITransport) -> bool:
    """Close the connection: now where nothing is queued, else (and if it is of another kind) when all has left.

    Return whether it is closed; its protocol's `connectionLost` was called then.
    """
    if is_direct(transport):
        transport.connectionLost(_CLOSED)
        return True
    transport.loseConnection()
    return False


def is_direct(transport: ITransport) -> TypeGuard[Connection]:
    """Say whether *transport* is an open TCP connection in the clear in which nothing is queued."""
    return isinstance(transport, Connection) and not (
        transport.dataBuffer
        or transport._tempDataBuffer
        or transport.TLS
        or not transport.connected
        or transport.disconnecting
    )
