"""Sends straight to the socket where nothing is queued: half as many messages a second again (docs/performance).

`transport.write` queues the octets and waits for the reactor to find the socket writable, which it nearly always
is. This is the one place that touches a transport's insides (`dataBuffer`, `_tempDataBuffer` of
`twisted.internet.abstract.FileDescriptor`); `tests/transport/test_direct.py` fails if Twisted changes them.
"""

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection


def send(transport: ITransport, data: bytes) -> bool:
    """Send *data* now as far as the socket takes it; the transport does the rest, in order.

    Return whether all of it has left. A transport of another kind (TLS, a test's) is simply written to. Errors
    are the transport's to report: what the socket refuses here is handed to it.
    """
    if isinstance(transport, Connection) and not _queued(transport):
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0
        if sent == len(data):
            return True
        data = data[sent:]
    transport.write(data)
    return False


def _queued(transport: Connection) -> bool:
    return bool(
        transport.dataBuffer
        or transport._tempDataBuffer
        or transport.TLS
        or not transport.connected
        or transport.disconnecting
    )
