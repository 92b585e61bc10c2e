"""Small documents over HTTPS, from servers on loopback that do as the test wants."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.certificates import Pair
from mailsuite.dns import DnsTrouble, Found
from mailsuite.interfaces import IResolver, IWebClient
from mailsuite.route import CannotConnect
from mailsuite.transport import trusted_endpoint, web
from mailsuite.transport.web import OVERHEAD_OCTETS, WebClient
from tests.doubles_dns import FixedResolver
from tests.transport.authority import Authority, shown
from tests.transport.loop import Each, Loopback, finish, reactor, until

HOST = "mta-sts.example.org"
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 86400\n"


def answer(body: bytes = POLICY, status: bytes = b"200 OK", *fields: bytes) -> bytes:
    """Return an answer of HTTP/1.1 as it goes over the wire."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, b"", body]
    return b"\r\n".join(lines)


GOOD = answer(POLICY, b"200 OK", b"Content-Type: Text/Plain; charset=utf-8")


class WebServer(Protocol):
    """Says *says* when a whole request is here, and closes where *closes*."""

    transport: Any

    def __init__(self, says: bytes, closes: bool, requests: list[bytes]) -> None:
        self._says = says
        self._closes = closes
        self._requests = requests
        self._got = b""

    def dataReceived(self, data: bytes) -> None:
        self._got += data
        head, blank, body = self._got.partition(b"\r\n\r\n")
        if blank and b"Content-Length: %d" % len(body) in (head if body else b"Content-Length: 0"):
            self._requests.append(self._got)
            self.transport.write(self._says)
            if self._closes:
                self.transport.loseConnection()


class Web:
    """A client, the issuer that it trusts, and servers."""

    def __init__(self, folder: Path, loopback: Loopback) -> None:
        self.root = Authority()
        self.resolver = FixedResolver(addresses={HOST: ["127.0.0.1"]})
        self.client = WebClient(reactor, self.resolver, self.root.file(folder))
        self.requests: list[bytes] = []
        self._loopback = loopback

    def serve(self, says: bytes, pair: Pair | None = None, closes: bool = False) -> int:
        """Serve *says* to whoever asks; return the port."""
        tls = shown(pair or self.root.issue(HOST))

        def build() -> Any:
            inner = partial(WebServer, says, closes, self.requests)
            return TLSMemoryBIOFactory(tls, False, Each(inner), reactor).buildProtocol(None)

        return self._loopback.listen(build)

    def get(self, port: int, limit: int = 1000, host: str = HOST) -> tuple[str, bytes]:
        """Fetch the policy."""
        return finish(self.client.get(f"https://{host}:{port}/.well-known/mta-sts.txt", limit))

    def refusal(self, port: int, limit: int = 1000, host: str = HOST) -> str:
        """Fetch in vain; return why, without the URL."""
        with pytest.raises(CannotConnect) as caught:
            self.get(port, limit, host)
        text = str(caught.value)
        before = f"cannot fetch https://{host}:{port}/.well-known/mta-sts.txt: "
        assert text.startswith(before)
        return text.removeprefix(before)


@pytest.fixture
def web_(tmp_path: Path) -> Iterator[Web]:
    """A client and its servers; nothing is left of them at the end."""
    loopback = Loopback()
    yield Web(tmp_path, loopback)
    loopback.close()


def test_interfaces(web_: Web) -> None:
    """What it says it is."""
    assert verifyObject(IWebClient, web_.client)


class TestGood:
    """What is fetched."""

    def test_a_document(self, web_: Web) -> None:
        """Its media type, in lower case and without parameters, and its octets; the host is told our request."""
        port = web_.serve(GOOD)

        assert web_.get(port) == ("text/plain", POLICY)
        (request,) = web_.requests
        assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")
        assert b"Host: %s:%d\r\n" % (HOST.encode(), port) in request
        assert web_.resolver.asked == [("addresses", HOST)]

    def test_a_question(self, web_: Web) -> None:
        """A form goes there as a form, with a login where one is needed (RFC 6749 §2.3.1); the answer comes back."""
        port = web_.serve(GOOD)
        url = f"https://{HOST}:{port}/ask"
        form = {"token": "a b&c=d", "hint": "é"}

        assert finish(web_.client.post(url, form, 1000)) == ("text/plain", POLICY)
        assert finish(web_.client.post(url, form, 1000, ("mail", "s:% é"))) == ("text/plain", POLICY)

        plain, named = web_.requests
        assert plain.startswith(b"POST /ask HTTP/1.1\r\n")
        assert b"Content-Type: application/x-www-form-urlencoded\r\n" in plain
        assert plain.endswith(b"\r\n\r\ntoken=a+b%26c%3Dd&hint=%C3%A9")
        assert b"Authorization" not in plain
        assert b"Authorization: Basic " + b64encode(b"mail:s%3A%25+%C3%A9") + b"\r\n" in named

    def test_any_media_type(self, web_: Web) -> None:
        """Whether it is the right one is for the caller to say; there may be none."""
        assert web_.get(web_.serve(answer(POLICY, b"200 OK", b"Content-Type: text/html"))) == ("text/html", POLICY)
        assert web_.get(web_.serve(answer())) == ("", POLICY)

    def test_in_chunks(self, web_: Web) -> None:
        """Where the length is not known before."""
        says = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

        assert web_.get(web_.serve(says)) == ("", b"abcde")

    def test_a_wildcard(self, web_: Web) -> None:
        """RFC 8461 §3.3: it may be the whole left-most label."""
        assert web_.get(web_.serve(GOOD, web_.root.issue("*.example.org"))) == ("text/plain", POLICY)

    def test_the_next_address(self, web_: Web) -> None:
        """Where one does not answer, another may."""
        web_.resolver.address_records[HOST] = ["::1", "127.0.0.1"]

        assert web_.get(web_.serve(GOOD)) == ("text/plain", POLICY)

    def test_the_largest_document(self, web_: Web) -> None:
        """As many octets as are allowed, announced or not."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"

        assert web_.get(web_.serve(answer(b"0123456789")), limit=10) == ("", b"0123456789")
        assert web_.get(web_.serve(chunked), limit=10) == ("", b"0123456789")

    def test_many_at_a_time(self, web_: Web) -> None:
        """Each has its own connection."""
        ports = [web_.serve(answer(str(number).encode())) for number in range(5)]
        work = [
            Deferred.fromCoroutine(web_.client.get(f"https://{HOST}:{port}/", 10)) for port in ports
        ]

        assert [finish(each) for each in work] == [("", str(number).encode()) for number in range(5)]


class TestBad:
    """What is not."""

    @pytest.mark.parametrize("status", [b"404 Not Found", b"500 Oops", b"201 Created", b"206 Partial Content"])
    def test_another_status(self, web_: Web, status: bytes) -> None:
        """Only 200 counts."""
        assert web_.refusal(web_.serve(answer(POLICY, status))) == f"the answer was {status[:3].decode()}"

    @pytest.mark.parametrize("status", [b"301 Moved Permanently", b"302 Found", b"307 Temporary Redirect"])
    def test_a_redirect(self, web_: Web, status: bytes) -> None:
        """RFC 8461 §3.3: it MUST NOT be followed."""
        there = web_.serve(GOOD)
        port = web_.serve(answer(b"", status, b"Location: https://%s:%d/" % (HOST.encode(), there)))

        assert web_.refusal(port) == f"the answer was {status[:3].decode()}"
        assert len(web_.requests) == 1

    @pytest.mark.parametrize(
        "says",
        [
            answer(b"0123456789a"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        ],
        ids=["announced", "in chunks", "only announced"],
    )
    def test_a_document_that_is_too_large(self, web_: Web, says: bytes) -> None:
        """One octet more than allowed."""
        assert web_.refusal(web_.serve(says), limit=10) == "the document has more than 10 octets"

    @pytest.mark.parametrize(
        "says",
        [
            b"HTTP/1.1 200 OK\r\n" + b"X-Padding: y\r\n" * (OVERHEAD_OCTETS // 8),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (OVERHEAD_OCTETS // 4),
        ],
        ids=["header fields", "chunks"],
    )
    def test_too_much_around_a_document(self, web_: Web, says: bytes) -> None:
        """What is not the document is bounded, too: header fields without end fill no memory."""
        assert web_.refusal(web_.serve(says), limit=20_000) == f"{HOST} sends too much"

    def test_a_document_cut_short(self, web_: Web) -> None:
        """With fewer octets than announced, or none announced at all, nobody knows whether it is whole."""
        short = GOOD.replace(b"Content-Length: %d" % len(POLICY), b"Content-Length: %d" % (len(POLICY) + 1))
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + POLICY

        for says in (short, endless):
            assert web_.refusal(web_.serve(says, closes=True))

    @pytest.mark.parametrize("says", [b"220 mx.example.org ESMTP\r\n", b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", b""])
    def test_what_is_no_http(self, web_: Web, says: bytes) -> None:
        """Or nothing at all."""
        assert web_.refusal(web_.serve(says, closes=True))

    @pytest.mark.parametrize(
        ("made", "words"),
        [
            (lambda root: root.issue("other.example.org"), f"it is not for {HOST}"),
            (lambda root: root.issue("*.example.net"), f"it is not for {HOST}"),
            (lambda root: root.issue("mta-*.example.org"), f"it is not for {HOST}"),
            (lambda root: root.issue(HOST, days=(-9, -1)), "expired"),
            (lambda root: Authority("Stranger").issue(HOST), "issuer not known"),
            (lambda root: root.issue(HOST, client=True), "not for servers"),
            (lambda root: Pair((root.certificate,), root.key), "Certificate does not contain any `subjectAltName`s."),
        ],
        ids=["name", "wildcard", "part", "expired", "issuer", "purpose", "nameless"],
    )
    def test_a_bad_certificate(self, web_: Web, made: Any, words: str) -> None:
        """Nothing is asked of such a server."""
        port = web_.serve(GOOD, made(web_.root))

        assert web_.refusal(port) == f"the certificate of {HOST} (127.0.0.1 port {port}) is no good: {words}"
        assert web_.requests == []

    def test_no_tls(self, web_: Web) -> None:
        """A server in the clear, or one that hangs up."""

        class Clear(Protocol):
            transport: Any

            def dataReceived(self, data: bytes) -> None:
                self.transport.write(GOOD)

        class Gone(Protocol):
            transport: Any

            def connectionMade(self) -> None:
                self.transport.loseConnection()

        assert "wrong version number" in web_.refusal(web_._loopback.listen(Clear))
        assert "no TLS with" in web_.refusal(web_._loopback.listen(Gone))

    def test_a_slow_server(self, web_: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        """All of it has one bound: the handshake, the answer, each octet of the document."""
        monkeypatch.setattr(web, "SECONDS", 0.2)
        silent = web_._loopback.listen(Protocol)
        half = web_.serve(GOOD[:-1])
        nothing = web_.serve(b"")

        for port in (silent, nothing, half):
            assert web_.refusal(port) == "it took more than 0.2 seconds"

    def test_a_silent_address(self, web_: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who connects and shakes no hands costs the time of one address, as who does not connect does."""
        monkeypatch.setattr(trusted_endpoint, "ADDRESS_SECONDS", 0.1)
        web_.resolver.address_records[HOST] = ["127.0.0.2", "127.0.0.1"]
        port = web_.serve(GOOD)
        silent = reactor.listenTCP(port, Each(Protocol), interface="127.0.0.2")
        try:
            assert web_.get(port) == ("text/plain", POLICY)

            web_.resolver.address_records[HOST] = ["127.0.0.2"]
            assert web_.refusal(port) == f"no TLS with {HOST} (127.0.0.2 port {port}): timed out after 0.1 seconds"
        finally:
            finish(silent.stopListening())

    def test_out_of_time_while_it_connects(self, tmp_path: Path) -> None:
        """The end of all of it is no failure of one address: no other is tried."""
        memory = MemoryReactorClock()
        resolver = FixedResolver(addresses={HOST: ["192.0.2.1", "192.0.2.2"]})
        client = WebClient(memory, resolver, Authority().file(tmp_path))
        refusals = _refusals(client)

        memory.advance(web.SECONDS)

        assert refusals == [f"cannot fetch https://{HOST}/: it took more than 60 seconds"]
        assert [connection[0] for connection in memory.tcpClients] == ["192.0.2.1"]

    def test_what_goes_on_when_it_is_cancelled(self, tmp_path: Path) -> None:
        """The bound does not rest on it that every part of the work heeds it."""
        memory = MemoryReactorClock()
        refusals = _refusals(WebClient(memory, _Stubborn(), Authority().file(tmp_path)))

        memory.advance(web.SECONDS)

        assert refusals == [f"cannot fetch https://{HOST}/: it took more than 60 seconds"]

    def test_addresses_that_are_not_allowed(self, web_: Web, tmp_path: Path) -> None:
        """They are left out, and where no other is left, nothing is connected to."""
        web_.resolver.address_records[HOST] = ["127.0.0.2", "127.0.0.1"]
        port = web_.serve(GOOD)
        web_.client = WebClient(reactor, web_.resolver, web_.root.file(tmp_path), "127.0.0.1".__eq__)
        assert web_.get(port) == ("text/plain", POLICY)

        web_.client = WebClient(reactor, web_.resolver, web_.root.file(tmp_path), "127.0.0.3".__eq__)
        assert web_.refusal(port) == f"{HOST} has only addresses that are not public: 127.0.0.2, 127.0.0.1"
        assert len(web_.requests) == 1

    def test_names_that_take_for_ever(self, web_: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        """The bound includes them."""
        monkeypatch.setattr(web, "SECONDS", 0.1)
        web_.resolver.pending = Deferred()

        assert web_.refusal(443) == "it took more than 0.1 seconds"

    def test_given_up(self, web_: Web) -> None:
        """Who has asked may think better of it; the connection goes."""
        work = Deferred.fromCoroutine(web_.client.get(f"https://{HOST}:{web_.serve(b'')}/", 10))
        until(lambda: web_.requests)
        work.cancel()

        with pytest.raises(CannotConnect):
            finish(work)

    def test_trouble_with_names(self, web_: Web) -> None:
        """In the resolver's words."""
        assert web_.refusal(443, host="no.example.org") == "no.example.org does not exist in DNS"
        web_.resolver.trouble = DnsTrouble("no answer")
        assert web_.refusal(443) == "no answer"
        web_.resolver.trouble = None
        web_.resolver.address_records[HOST] = []
        assert web_.refusal(443) == f"{HOST} has no address"

    def test_refused(self, web_: Web) -> None:
        """Nobody listens there."""
        web_.resolver.address_records[HOST] = ["127.0.0.9"]
        port = web_.serve(GOOD)

        assert web_.refusal(port) == f"cannot connect to {HOST} (127.0.0.9 port {port}): connection refused"

    @pytest.mark.parametrize(
        "url",
        [
            f"http://{HOST}/",
            f"ftp://{HOST}/",
            f"https://me:secret@{HOST}/",
            f"https://{HOST}:0/",
            f"https://{HOST}:99999/",
            f"https://{HOST}:x/",
            "https://[::1/",
            "https://bücher.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https:///x",
            f"https://{HOST}/a b",
            f"https://{HOST}/a\r\nX: y",
            "",
        ],
    )
    def test_what_is_no_url(self, web_: Web, url: str) -> None:
        """Nothing is connected to."""
        with pytest.raises(CannotConnect, match="cannot fetch"):
            finish(web_.client.get(url, 10))

        assert web_.requests == []


def _refusals(client: WebClient) -> list[str]:
    """Begin to fetch a document; return the list in which the refusal will stand."""
    refusals: list[str] = []
    work = Deferred.fromCoroutine(client.get(f"https://{HOST}/", 10))
    work.addErrback(lambda failure: refusals.append(str(failure.value)))
    return refusals


class _Stubborn(FixedResolver):
    """Answers nothing, and goes on when it is told to give up."""

    async def addresses(self, host: str) -> Found[str]:
        while True:
            with suppress(CancelledError):
                await Deferred()


@implementer(IResolver)
class _Any:
    """Finds any name on loopback."""

    async def addresses(self, host: str) -> Found[str]:
        return Found(("127.0.0.1",), False, host)

    async def mx(self, domain: str) -> Any:
        raise NotImplementedError

    txt = tlsa = ptr = mx


@pytest.mark.parametrize("host", ["mta_sts.example.org", "xn--bcher-kva.example", "a.b.c.d.e.f.example"])
def test_names_of_all_kinds(web_: Web, host: str) -> None:
    """An odd name is served or refused, and no surprise."""
    web_.client._resolver = _Any()
    try:
        got = web_.get(web_.serve(GOOD, web_.root.issue(host)), host=host)
    except CannotConnect as error:
        assert "is no good" in str(error)
    else:
        assert got == ("text/plain", POLICY)
