"""Small documents over HTTPS: MTA-STS policies (RFC 8461 §3.3), lists that primaries publish, words on tokens."""

from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import SplitResult, quote_plus, urlencode, urlsplit

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from mailsuite.dns import DnsTrouble, NoSuchDomain
from mailsuite.interfaces import IResolver, IWebClient
from mailsuite.route import CannotConnect
from mailsuite.transport.causes import cause
from mailsuite.transport.client_tls import ClientTLS, server_name
from mailsuite.transport.tls import CIPHERS
from mailsuite.transport.trusted_endpoint import TrustedEndpoint

# RFC 8461 §3.3 suggests a minute for all of it: names, connection, document.
SECONDS = 60.0
# So many octets may come beside the document itself: header fields, and how it is cut into chunks.
OVERHEAD_OCTETS = 65_536
T = TypeVar("T")


@implementer(IWebClient)
class WebClient:
    """Fetches by HTTPS; the names of hosts are asked of *resolver*. *ca_file* is `ClientTLS`'s.

    *allowed* says which of their addresses may be connected to; without it all may.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: IResolver,
        ca_file: str = "",
        allowed: Callable[[str], bool] = lambda address: True,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._tls = ClientTLS(ca_file, reactor, CIPHERS)
        self._allowed = allowed

    async def get(self, url: str, limit: int) -> tuple[str, bytes]:
        """See `IWebClient.get`. The status must be 200, and all of it done in `SECONDS`."""
        return await self._done(url, self._ask(b"GET", url, limit, {}, None))

    async def post(
        self, url: str, form: Mapping[str, str], limit: int, login: tuple[str, str] | None = None
    ) -> tuple[str, bytes]:
        """See `IWebClient.post`; what holds for `get` holds here."""
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if login is not None:
            # RFC 6749 §2.3.1: each of them encoded as in a form, then both as RFC 7617 has it.
            named = ":".join(quote_plus(each, safe="") for each in login)
            fields["Authorization"] = f"Basic {b64encode(named.encode()).decode()}"
        return await self._done(url, self._ask(b"POST", url, limit, fields, _Form(urlencode(form).encode())))

    async def _done(self, url: str, asking: Coroutine[Any, Any, tuple[str, bytes]]) -> tuple[str, bytes]:
        try:
            return await self._bounded(Deferred.fromCoroutine(asking))
        except (Exception, CancelledError) as error:
            raise CannotConnect(f"cannot fetch {url}: {_words(error)}") from error

    def _bounded(self, work: Deferred[T]) -> Deferred[T]:
        """Return what *work* gives, after `SECONDS` at most: some part of it might go on when it is cancelled."""
        bounded: Deferred[T] = Deferred(lambda _: work.cancel())

        def done(result: Any) -> None:
            if not bounded.called:
                bounded.callback(result)

        work.addBoth(done)
        return bounded.addTimeout(SECONDS, self._reactor, _out_of_time)

    async def _ask(
        self, method: bytes, url: str, limit: int, fields: Mapping[str, str], form: "_Form | None"
    ) -> tuple[str, bytes]:
        parts = split(url)
        host = server_name(parts.hostname or "").decode("ascii")
        if not host:
            raise CannotConnect("it names no host")
        try:
            found = await self._resolver.addresses(host)
        except (NoSuchDomain, DnsTrouble) as error:
            raise CannotConnect(str(error)) from error
        addresses = [address for address in found.records if self._allowed(address)]
        if found.records and not addresses:
            raise CannotConnect(f"{host} has only addresses that are not public: {', '.join(found.records[:4])}")
        endpoint = TrustedEndpoint(
            self._reactor, self._tls, host, addresses, parts.port or 443, limit + OVERHEAD_OCTETS
        )
        try:
            agent = Agent.usingEndpointFactory(self._reactor, _Fixed(endpoint))
            headers = Headers({"User-Agent": ["mailsuite"], **{name: [value] for name, value in fields.items()}})
            response = await agent.request(method, url.encode("ascii"), headers, form)
            return await _read(response, limit)
        finally:
            endpoint.close()


def split(url: str) -> SplitResult:
    """Return the parts of *url*. Raises `CannotConnect` where it is none that can be fetched."""
    try:
        parts = urlsplit(url)
        # A bad port shows itself only when it is asked for.
        good = parts.scheme == "https" and url.isascii() and parts.username is None and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise CannotConnect("it is no URL of HTTPS")
    return parts


async def _read(response: IResponse, limit: int) -> tuple[str, bytes]:
    # RFC 8461 §3.3: only 200 counts, and redirects MUST NOT be followed.
    if response.code != 200:
        raise CannotConnect(f"the answer was {response.code}")
    # The length that was announced, if one was.
    if isinstance(response.length, int) and response.length > limit:
        raise CannotConnect(f"the document has more than {limit} octets")
    body = _Body(limit)
    response.deliverBody(body)
    content = await body.read
    (named, *_) = response.headers.getRawHeaders("content-type") or [""]
    return named.partition(";")[0].strip().lower(), content


@implementer(IAgentEndpointFactory)
class _Fixed:
    """Leads one request to where its name was found to be."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See `IAgentEndpointFactory.endpointForURI`."""
        return self._endpoint


@implementer(IBodyProducer)
class _Form:
    """The octets of a form, all at once."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See `IBodyProducer.startProducing`."""
        consumer.write(self._octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """See `IBodyProducer.pauseProducing`: everything was said."""

    def resumeProducing(self) -> None:
        """See `IBodyProducer.resumeProducing`."""

    def stopProducing(self) -> None:
        """See `IBodyProducer.stopProducing`."""


class _Body(Protocol):
    """Gathers a document of at most *limit* octets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._octets = bytearray()
        self.read: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Take what there is, up to the limit."""
        if self.read.called:
            return
        self._octets += data
        if len(self._octets) > self._limit:
            self._octets.clear()
            self.read.errback(CannotConnect(f"the document has more than {self._limit} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The document is here, or it never will be. One without a known end may be cut short: it does not count."""
        if self.read.called:
            return
        if reason.check(ResponseDone):
            self.read.callback(bytes(self._octets))
        else:
            self.read.errback(reason)


def _out_of_time(result: object, seconds: float) -> NoReturn:
    raise CannotConnect(f"it took more than {seconds:g} seconds")


def _words(error: BaseException) -> str:
    """Say why, for people. Twisted wraps one failure in others: the first that says anything is where it began."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        return next(filter(None, (_words(reason.value) for reason in reasons)), "the connection was closed")
    return cause(error)
