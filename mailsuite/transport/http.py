"""HTTP as a listener serves it: `twisted.web`, held to a size and to times before a request is judged.

`twisted.web` bounds the header by itself (`HTTPChannel.maxHeaders`, `totalHeadersSize`). Its own limit of time begins
anew with each octet that comes, and a body may have any size.
"""

# Twisted's parser of Content-Type loads it at its first use, when root may have been dropped for a user that cannot
# read where Python lies.
import email.policy  # noqa: F401
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from mailsuite.envelope import Peer
from mailsuite.transport.addresses import peer_of
from mailsuite.transport.bounds import Admission
from mailsuite.transport.last_words import last_words
from mailsuite.transport.listener import Refused
from mailsuite.transport.open_sessions import OpenSessions

BODY_OCTETS = 65_536
# From the beginning of a connection, or from the answer before, until a request is there with its body.
REQUEST_SECONDS = 30.0
# So long an answer may take to be read by the client.
ANSWER_SECONDS = 30.0

TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BoundedRequest(Request):
    """A request whose body is `BODY_OCTETS` at most; its `Peer` is a component of it."""

    def __init__(self, channel: Any, *queued: Any) -> None:
        super().__init__(channel, *queued)
        # Its channel is gone with the client.
        self.setComponent(Peer, channel.peer)

    def gotLength(self, length: int | None) -> None:
        """See `Request.gotLength`."""
        if length is not None and length > BODY_OCTETS:
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """See `Request.handleContentChunk`."""
        assert self.content is not None
        if self.content.tell() + len(data) > BODY_OCTETS:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        """Answer before all of it has come, and read no more."""
        cast(HTTPSession, self.channel).refuse(TOO_LARGE, f"a body has at most {BODY_OCTETS} octets")


class HTTPSession(HTTPChannel):
    """One connection: requests one after the other, each answered before the next is read."""

    requestFactory: Any = BoundedRequest
    # Ours is below.
    timeOut = None
    transport: Any
    site: Any

    def __init__(self, peer: Peer, clock: IReactorTime, over: Callable[["HTTPSession"], None]) -> None:
        super().__init__()
        self.peer = peer
        self._clock = clock
        self._over = over
        self._timer: IDelayedCall | None = None
        self._refused = False
        self._closing = False

    def connectionMade(self) -> None:
        """Wait for a request."""
        super().connectionMade()
        self._wait(REQUEST_SECONDS)

    def dataReceived(self, data: bytes) -> None:
        """See `HTTPChannel.dataReceived`."""
        if not self._refused:
            super().dataReceived(data)

    def allContentReceived(self) -> None:
        """The request is there: how long its answer takes is for others to bound."""
        if not self._refused:
            self._wait(None)
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        """The answer is given; another request may come, unless we are to stop."""
        if self._closing:
            self.persistent = False
        super().requestDone(request)
        if not self._handlingRequest or not self.persistent:
            self._wait(REQUEST_SECONDS if self.persistent else ANSWER_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._wait(None)
        super().connectionLost(reason)
        self._over(self)

    def shut_down(self) -> None:
        """End as soon as the request in hand is answered."""
        self._closing = True
        if not self._handlingRequest:
            self.transport.loseConnection()

    def abort(self) -> None:
        """End now."""
        self.transport.abortConnection()

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Say what is wrong with a request of which not all is there, once, and close."""
        if self._refused:
            return
        self._refused = True
        self.transport.write(last_words(status, detail))
        self._wait(ANSWER_SECONDS)
        self.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        """See `LineReceiver.lineLengthExceeded`."""
        self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "a line of a request's head is too long")

    # Twisted has no public place for what it says of a request that it cannot read: a status line, and nothing else.

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(HTTPStatus.BAD_REQUEST, "this is no request by HTTP/1.1, or its head is too large")

    def _send100Continue(self) -> None:
        # Not to who was told just now that his body is too large.
        if not self._refused:
            super()._send100Continue()

    def _wait(self, seconds: float | None) -> None:
        """Cut the connection off after *seconds*, in the place of what was set before."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None if seconds is None else self._clock.callLater(seconds, self.abort)


class HTTPSessions(ServerFactory):
    """Builds an `HTTPSession` for each connection that is admitted, and knows those that are open.

    *resource* is there once the service has started. Nothing is logged here.
    """

    noisy = False

    def __init__(
        self, resource: Callable[[], IResource], clock: IReactorTime, admission: Admission | None = None
    ) -> None:
        self.sessions = OpenSessions()
        self._web = _Web(resource, clock)
        self._clock = clock
        self._admission = admission

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """See `IProtocolFactory.buildProtocol`."""
        peer = peer_of(addr)
        admission = self._admission
        if admission is not None:
            limit = admission.limit.admit(peer)
            if limit:
                return Refused(admission.refuse(peer, limit))

        def over(session: HTTPSession) -> None:
            if admission is not None:
                admission.limit.ended(peer)
            self.sessions.ended(session)

        session = HTTPSession(peer, self._clock, over)
        session.site = session.factory = self._web
        self.sessions.add(session)
        return session


class _Web(Site):
    """Where requests find their resource. It has no access log, and shows nobody a traceback."""

    displayTracebacks = False

    def __init__(self, resource: Callable[[], IResource], clock: IReactorTime) -> None:
        super().__init__(Resource(), reactor=clock)
        self._answering = resource

    def getResourceFor(self, request: Any) -> IResource:
        """All of it is one resource's."""
        return self._answering()

    def log(self, request: Any) -> None:
        """See the class."""
