"""Sending straight to a real socket and closing it, the reactor being the test; and what of Twisted it rests on."""

import inspect
import socket
from collections.abc import Iterator

import pytest
from twisted.internet import abstract, tcp
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport

from mailsuite.transport.direct import close, send
from tests.transport.wires import Nobody, Pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection."""
    made = Pair(lambda reactor: Nobody())
    yield made
    made.close()


def test_it_leaves_at_once(pair: Pair) -> None:
    """The octets are at the client before the reactor has had a turn, and the transport has nothing to do."""
    assert send(pair.connection, b"250 OK\r\n") is True
    assert pair.receive() == b"250 OK\r\n"
    assert pair.reactor.getWriters() == []


def test_what_is_queued_goes_first(pair: Pair) -> None:
    """Octets never overtake those that were written before."""
    pair.connection.write(b"first ")
    assert send(pair.connection, b"second") is False
    assert pair.receive() == b""
    while pair.turn():
        pass

    assert pair.receive() == b"first second"


def test_what_the_socket_does_not_take_is_queued(pair: Pair) -> None:
    """Part of it leaves at once, the rest in its turn; all of it arrives, in order."""
    data = bytes(range(256)) * 8_000
    assert send(pair.connection, data) is False
    got = b""
    while len(got) < len(data):
        pair.turn()
        got += pair.receive() or b""

    assert got == data


def test_a_full_socket(pair: Pair) -> None:
    """Where nothing at all can leave, all is queued."""
    while True:
        try:
            pair.connection.socket.send(b"x" * 65_536)
        except BlockingIOError:
            break
    assert send(pair.connection, b"later") is False
    got = b""
    while not got.endswith(b"later"):
        pair.turn()
        got += pair.receive() or b""


def test_a_broken_socket_is_reported_by_the_transport(pair: Pair) -> None:
    """An error raises nothing here: the transport meets it itself and ends the connection."""
    pair.connection.socket.shutdown(socket.SHUT_WR)
    assert send(pair.connection, b"x") is False
    while pair.connection.connected:
        assert pair.connection.doWrite() is not None
        break
    else:
        pytest.fail("the transport did not notice")


@pytest.mark.parametrize("state", ["TLS", "disconnecting", "disconnected"])
def test_not_directly(pair: Pair, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside TLS, and while the connection is being closed, everything is the transport's."""
    written: list[bytes] = []
    monkeypatch.setattr(pair.connection, "write", written.append)
    if state == "disconnected":
        pair.connection.connected = False
    else:
        monkeypatch.setattr(pair.connection, state, True)
    assert send(pair.connection, b"x") is False

    assert written == [b"x"]
    assert pair.receive() == b""


def test_other_transports_are_written_to() -> None:
    """A transport that is no TCP connection is used as its interface says."""
    transport = StringTransport()

    assert send(transport, b"250 OK\r\n") is False
    assert transport.value() == b"250 OK\r\n"


class TestClose:
    """In the same turn of the reactor, or by the transport."""

    def test_at_once(self, pair: Pair) -> None:
        """Where nothing is queued, the protocol has been told on return."""
        lost: list[object] = []
        pair.protocol.connectionLost = lost.append  # type: ignore[method-assign, assignment]
        send(pair.connection, b"221 Goodbye\r\n")

        assert close(pair.connection) is True
        assert len(lost) == 1
        assert pair.client.recv(100) == b"221 Goodbye\r\n"
        assert pair.client.recv(100) == b""
        assert pair.reactor.getReaders() == []

    def test_behind_what_is_queued(self, pair: Pair) -> None:
        """All of it arrives first."""
        pair.connection.write(b"x" * 1000)

        assert close(pair.connection) is False
        while pair.turn():
            pass
        assert pair.receive() == b"x" * 1000
        assert pair.receive() is None

    def test_other_transports_are_asked(self) -> None:
        """A transport that is no TCP connection is closed as its interface says."""
        transport = StringTransport()

        assert close(transport) is False
        assert transport.disconnecting


class TestTwisted:
    """These fail if Twisted renames or changes what `direct` touches."""

    def test_the_fields_are_there(self, pair: Pair) -> None:
        """Of the types that are counted on, and empty at first."""
        connection = pair.connection

        assert connection.dataBuffer == b""
        assert connection._tempDataBuffer == []
        assert connection.TLS is False
        assert connection.connected
        assert not connection.disconnecting
        assert isinstance(connection.socket, socket.socket)

    def test_written_octets_are_in_them(self, pair: Pair) -> None:
        """What `write` has queued can be seen there, before and after a partial send."""
        pair.connection.write(b"x" * 10_000_000)
        assert pair.connection._tempDataBuffer
        pair.connection.doWrite()

        assert pair.connection.dataBuffer or pair.connection._tempDataBuffer

    def test_accepted_connections_are_such(self) -> None:
        """Both ends of TCP are `Connection`s, and the fields are those of the source we know."""
        assert issubclass(tcp.Server, Connection)
        assert issubclass(tcp.Client, Connection)
        source = inspect.getsource(abstract.FileDescriptor)
        assert "_tempDataBuffer" in source
        assert "dataBuffer" in source
