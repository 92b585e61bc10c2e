"""HTTP held to its limits: the size of a body, the time for a request, and an orderly end."""

import json
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from mailsuite.envelope import Peer
from mailsuite.transport.bounds import Admission
from mailsuite.transport.http import ANSWER_SECONDS, BODY_OCTETS, REQUEST_SECONDS, HTTPSession, HTTPSessions

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Said(Resource):
    """Answers how many octets the body has; what is asked for at /late is answered by hand."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.late: list[Any] = []

    def render(self, request: Any) -> bytes | int:
        """See `Resource.render`."""
        if request.path == b"/late":
            self.late.append(request)
            return NOT_DONE_YET
        return b"%d octets of %s" % (len(request.content.read()), request.getComponent(Peer).host.encode())


class Connection:
    """One connection to a server of its own."""

    def __init__(self, admission: Admission | None = None) -> None:
        self.clock = Clock()
        self.resource = Said()
        self.sessions = HTTPSessions(lambda: self.resource, self.clock, admission)
        self.session: Any = self.sessions.buildProtocol(None)
        transport: Any = StringTransport()
        transport.abortConnection = transport.loseConnection
        self.transport = transport
        self.session.makeConnection(self.transport)

    def say(self, octets: bytes) -> bytes:
        """Send *octets*, and return what is answered."""
        self.transport.clear()
        self.session.dataReceived(octets)
        return bytes(self.transport.value())

    @property
    def over(self) -> bool:
        """Whether the server has closed it."""
        return bool(self.transport.disconnecting)


def body(size: int) -> bytes:
    """Return a request with so many octets."""
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size


def test_requests_one_after_the_other() -> None:
    """On one connection, and each knows its peer."""
    connection = Connection()
    for _ in range(2):
        assert connection.say(GET).endswith(b"0 octets of unix")
    assert not connection.over


def test_the_size_of_a_body() -> None:
    """At the limit it is taken; one octet more is refused before any of it has come, once."""
    assert Connection().say(body(BODY_OCTETS) + b"x" * BODY_OCTETS).endswith(b"%d octets of unix" % BODY_OCTETS)

    connection = Connection()
    answer = connection.say(body(BODY_OCTETS + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert connection.say(b"x" * 100 + GET) == b""
    assert connection.over


def test_the_size_of_a_body_in_chunks() -> None:
    """The same where nobody has said how long it is."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n" % BODY_OCTETS + b"x" * BODY_OCTETS + b"\r\n"
    assert Connection().say(head + chunk + b"0\r\n\r\n").endswith(b"%d octets of unix" % BODY_OCTETS)

    connection = Connection()
    answer = connection.say(head + chunk + b"1\r\nx\r\n0\r\n\r\n" + GET)
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 413 ") == 1
    assert connection.over


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n" + GET, 400),
        (b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n" + GET, 400),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\nHost: x\r\n\r\n" + GET, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n" + GET, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx" + GET, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET, 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n" + GET, 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n" + GET, 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 501 + b"\r\n" + GET, 400),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 4000 + b"\r\n") * 5 + b"\r\n" + GET, 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
        (body(BODY_OCTETS + 1).replace(b"Host", b"Expect: 100-continue\r\nHost"), 413),
    ],
)
def test_what_is_no_request(octets: bytes, status: int) -> None:
    """It is told in JSON, once, and nothing of it or behind it is done."""
    connection = Connection()
    head, _, said = connection.say(octets).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    problem = json.loads(said)
    assert (problem["status"], bool(problem["detail"])) == (status, True)
    assert connection.over
    assert connection.say(GET) == b""


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\n", body(5) + b"x", GET + b"G"])
def test_a_request_that_does_not_come(begun: bytes) -> None:
    """However lively the client is, it is cut off when the time is over, and not before."""
    connection = Connection()
    connection.say(begun)
    for _ in range(2):
        connection.clock.advance(REQUEST_SECONDS / 2 - 0.1)
        connection.say(b"x" if begun.endswith(b"x") else b"")
    assert not connection.over
    connection.clock.advance(0.2)
    assert connection.over


def test_an_answer_takes_its_time() -> None:
    """That is not the client's; afterwards it has all of it for the next request."""
    connection = Connection()
    connection.say(GET.replace(b"/ ", b"/late "))
    connection.clock.advance(10 * REQUEST_SECONDS)
    assert not connection.over
    connection.resource.late.pop().finish()
    connection.clock.advance(REQUEST_SECONDS - 0.1)
    assert connection.say(GET).endswith(b"octets of unix")
    connection.clock.advance(REQUEST_SECONDS)
    assert connection.over


def test_a_client_that_does_not_read() -> None:
    """It has a time, too, for the last answer."""
    connection = Connection()
    connection.say(GET.replace(b"1.1", b"1.0"))
    aborted: list[bool] = []
    connection.transport.abortConnection = lambda: aborted.append(True)
    connection.clock.advance(ANSWER_SECONDS)
    assert aborted


def test_an_orderly_end() -> None:
    """Who has asked is answered, then it is over; who has not is cut off at once."""
    idle = Connection()
    idle.sessions.sessions.stop(idle.clock, 5.0)
    assert idle.over

    busy = Connection()
    busy.say(GET.replace(b"/ ", b"/late "))
    ended: list[object] = []
    busy.sessions.sessions.stop(busy.clock, 5.0).addCallback(ended.append)
    assert not ended
    busy.resource.late.pop().finish()
    assert busy.over
    busy.session.connectionLost()
    assert ended == [None]
    assert not busy.clock.getDelayedCalls()


class One:
    """Admits one connection."""

    def __init__(self) -> None:
        self.there = 0

    def admit(self, peer: Peer) -> str:
        """See `IConnectionLimit.admit`."""
        self.there += 1
        return "connections" if self.there > 1 else ""

    def ended(self, peer: Peer) -> None:
        """See `IConnectionLimit.ended`."""
        self.there -= 1


def test_connections_are_counted() -> None:
    """One too many is told so, and one that has ended makes room."""
    limit: Any = One()
    connection = Connection(Admission(limit, lambda peer, key: key.encode()))
    refused = connection.sessions.buildProtocol(None)
    transport = StringTransport()
    refused.makeConnection(transport)
    assert (transport.value(), transport.disconnecting) == (b"connections", True)
    limit.ended(Peer("unix"))

    connection.session.connectionLost()
    assert limit.there == 0
    assert isinstance(connection.sessions.buildProtocol(None), HTTPSession)
