"""Connections that we make, to servers on loopback: how they come to be, what TLS tells of them, how they end."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoRouteError,
    TimeoutError,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Client
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.address import Address
from mailsuite.certificates import Pair
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IConnector, IRespondent
from mailsuite.route import CannotConnect, Endpoint, NoWay
from mailsuite.smtp import client_events
from mailsuite.smtp.client import ClientSession
from mailsuite.smtp.client_events import Transaction
from mailsuite.smtp.server import ServerSession
from mailsuite.transport.causes import cause
from mailsuite.transport.client_tls import IssuersError
from mailsuite.transport.connector import UNIX_PATH_OCTETS, Connector
from mailsuite.transport.session import SessionProtocol
from mailsuite.transport.tls import TLSContext
from tests.smtp.respondent import PLAIN, STARTTLS
from tests.transport.authority import Authority, der, shown
from tests.transport.clients import Caller, ClientCore, Server
from tests.transport.loop import Loopback, finish, reactor, until
from tests.transport.wires import Late

HOST = "mx.example.org"


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    """Servers."""
    made = Loopback()
    yield made
    made.close()


@pytest.fixture(scope="module")
def root() -> Authority:
    """The issuer whom the connector trusts."""
    return Authority()


@pytest.fixture
def connector(root: Authority, tmp_path: Path) -> Connector:
    """A connector."""
    return Connector(reactor, root.file(tmp_path))


class Call:
    """One session of *connector* with *endpoint*, made when this is."""

    def __init__(self, connector: Connector, endpoint: Endpoint, starttls: bool = False, caller: Caller | None = None):
        self.core = ClientCore(starttls)
        self.caller = caller or Caller(b"QUIT")
        finish(connector.connect(endpoint, self.core, self.caller))

    def end(self) -> Caller:
        """Wait for the end; return the respondent."""
        until(lambda: self.caller.ended)
        return self.caller


def at(port: int, **more: Any) -> Endpoint:
    """Return where *port* is."""
    return Endpoint("127.0.0.1", port, HOST, **more)


@contextmanager
def full() -> Iterator[int]:
    """Give a port whose listener accepts nobody, and has no room for one more to wait."""
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        yield listener.getsockname()[1]


def refusal(connector: Connector, endpoint: Endpoint) -> str:
    """Return why there is no connection; the respondent hears nothing."""
    caller = Caller()
    with pytest.raises(CannotConnect) as caught:
        finish(connector.connect(endpoint, ClientCore(), caller))
    assert caller.ended == []
    assert connector.open_sessions == 0
    return str(caught.value)


def test_interfaces(connector: Connector) -> None:
    """What it says it is, and the double too."""
    assert verifyObject(IConnector, connector)
    assert verifyObject(IRespondent, Caller())


@implementer(IStreamClientEndpoint)
class Fails:
    """An endpoint to which no connection comes to be."""

    def __init__(self, error: ConnectError) -> None:
        self._error = error

    def connect(self, protocolFactory: object) -> "Deferred[Any]":
        return fail(self._error)


class TestSockets:
    """Without TLS."""

    def test_a_session(self, loopback: Loopback, connector: Connector) -> None:
        """From the greeting to the end, with the core and the respondent that were given."""
        caller = Caller(b"MAIL", b"QUIT")
        call = Call(connector, at(loopback.listen(Server)), caller=caller)
        assert connector.open_sessions == 1
        call.end()

        assert caller.heard == [b"220 welcome", b"250 you said MAIL", b"221 bye"]
        assert caller.ended == [("closed", "")]
        assert connector.open_sessions == 0

    def test_no_delay(self, loopback: Loopback, connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nagle's algorithm would hold back the end of a message."""
        asked: list[bool] = []
        usual = Client.setTcpNoDelay

        def ask(client: Client, on: bool) -> None:
            asked.append(on)
            usual(client, on)

        monkeypatch.setattr(Client, "setTcpNoDelay", ask)
        Call(connector, at(loopback.listen(Server))).end()

        assert asked == [True]

    def test_refused(self, connector: Connector) -> None:
        """Nobody listens there."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

        text = refusal(connector, at(port))
        assert text == f"cannot connect to mx.example.org (127.0.0.1 port {port}): connection refused"

    def test_timed_out(self, connector: Connector) -> None:
        """A listener that accepts nobody, its queue full."""
        with full() as port:
            text = refusal(connector, at(port, seconds=0.2))
        assert text.endswith(": timed out after 0.2 seconds")

    def test_given_up(self, connector: Connector) -> None:
        """Who has asked for a connection may think better of it, and is then not told of a host that cannot be had."""
        with full() as port:
            attempt = Deferred.fromCoroutine(connector.connect(at(port), ClientCore(), Caller()))
            reactor.iterate(0)
            attempt.cancel()

            with pytest.raises(CancelledError):
                finish(attempt)

    @pytest.mark.parametrize(
        ("address", "source"), [("127.0.0.1", ""), ("127.0.0.1", "127.0.0.9"), ("::1", ""), ("::1", "::1")]
    )
    def test_addresses(self, loopback: Loopback, connector: Connector, address: str, source: str) -> None:
        """Both families, from the address that is wanted."""
        peers: list[str] = []

        class Asking(Server):
            def connectionMade(self) -> None:
                peers.append(self.transport.getPeer().host)
                super().connectionMade()

        port = loopback.listen(Asking, interface=address)
        caller = Call(connector, Endpoint(address, port, HOST, source)).end()

        assert peers == [source or address]
        assert caller.ended == [("closed", "")]

    @pytest.mark.parametrize(
        ("address", "source", "words"),
        [
            ("127.0.0.1", "192.0.2.1", "192.0.2.1 cannot be used here: cannot assign requested address"),
            ("127.0.0.1", "::1", "::1 is no IPv4 address"),
            ("::1", "127.0.0.1", "127.0.0.1 is no IPv6 address"),
            ("mx.example.org", "", "'mx.example.org' is no IP address"),
            ("127.0.0.1", "localhost", "'localhost' is no IP address"),
        ],
    )
    def test_addresses_of_no_use(self, connector: Connector, address: str, source: str, words: str) -> None:
        """No connection is made from elsewhere instead, and no name is looked up."""
        assert refusal(connector, Endpoint(address, 25, HOST, source)).endswith(words)

    @pytest.mark.parametrize(
        ("error", "ours"),
        [
            (NoRouteError(errno.ENETUNREACH), True),
            (ConnectError(errno.EADDRNOTAVAIL), True),
            (ConnectError(errno.EAFNOSUPPORT), True),
            (ConnectBindError(errno.EADDRNOTAVAIL), True),
            (ConnectionRefusedError(errno.ECONNREFUSED), False),
            (ConnectError(errno.EHOSTUNREACH), False),
            (TimeoutError(), False),
        ],
        ids=lambda value: f"{type(value).__name__}-{value.osError}" if isinstance(value, ConnectError) else str(value),
    )
    def test_no_way_there(
        self, connector: Connector, monkeypatch: pytest.MonkeyPatch, error: ConnectError, ours: bool
    ) -> None:
        """What is missing here (IPv6, say) is told from what the other end does."""
        monkeypatch.setattr("mailsuite.transport.connector.stream_endpoint", lambda reactor, endpoint: Fails(error))

        with pytest.raises(CannotConnect) as caught:
            finish(connector.connect(at(25), ClientCore(), Caller()))
        assert isinstance(caught.value, NoWay) is ours

    def test_no_way_from_there(self, connector: Connector) -> None:
        """An address to send from that this machine does not have is its own trouble."""
        with pytest.raises(NoWay):
            finish(connector.connect(at(25, source="192.0.2.1"), ClientCore(), Caller()))

    def test_unix_sockets(self, loopback: Loopback, connector: Connector, tmp_path: Path) -> None:
        """LMTP is spoken there."""
        path = str(tmp_path / "lmtp")
        loopback.listen_unix(path, Server)

        assert Call(connector, Endpoint(path, 0, path)).end().heard == [b"220 welcome", b"221 bye"]

    def test_unix_sockets_of_no_use(self, connector: Connector, tmp_path: Path) -> None:
        """Not there."""
        path = str(tmp_path / "gone")

        assert refusal(connector, Endpoint(path, 0, path)) == f"cannot connect to {path}: no such file or directory"

    def test_a_busy_unix_socket(self, connector: Connector, tmp_path: Path) -> None:
        """Where the queue of a listener is full, the system does not wait."""
        path = str(tmp_path / "lmtp")
        with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as first:
            full.bind(path)
            full.listen(0)
            first.connect(path)

            assert refusal(connector, Endpoint(path, 0, path)).endswith("it takes no connection")

    def test_the_longest_path_of_a_unix_socket(self, connector: Connector) -> None:
        """What the system allows is tried, one octet more is not."""
        paths = ["/" + "x" * (UNIX_PATH_OCTETS - 1), "/" + "x" * UNIX_PATH_OCTETS]
        at_limit, past = (refusal(connector, Endpoint(path, 0, "")) for path in paths)

        assert at_limit.endswith("no such file or directory")
        assert past.endswith("the path is too long for a socket")


@implementer(IRespondent)
class Sender:
    """Sends one message through the real client core."""

    def __init__(self, message: Transaction) -> None:
        self.work = [message]
        self.told: list[Any] = []
        self.encryption: Encryption | None = None
        self.ended: list[tuple[str, str]] = []
        self._stands: Deferred[bool] = Deferred()

    def respond(self, event: Any) -> Any:
        if isinstance(event, client_events.Secured):
            return self._stands
        if isinstance(event, client_events.Ready):
            return self.work.pop() if self.work else None
        return self.told.append(event)

    def lost(self, reason: str, cause: str = "") -> None:
        self.ended.append((reason, cause))

    def tls_started(self, encryption: Encryption) -> None:
        self.encryption = encryption
        self._stands.callback(True)


class TestMail:
    """The real cores at both ends."""

    @pytest.mark.parametrize("way", ["clear", "starttls", "implicit"])
    def test_a_message(self, loopback: Loopback, connector: Connector, root: Authority, way: str) -> None:
        """What one end sends is what the other has, in TLS and without."""
        tls = shown(root.issue(HOST))
        settings = STARTTLS if way == "starttls" else PLAIN
        taker = Late()

        def serve() -> Protocol:
            core = ServerSession(settings, encrypted=way == "implicit")
            return SessionProtocol(core, taker, reactor, tls, lambda session: None)

        port = loopback.listen(implicit(serve, tls) if way == "implicit" else serve)
        content = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000
        recipients = (client_events.TransactionRecipient(Address("b", "b.example")),)
        sender = Sender(client_events.Transaction(Address("a", "a.example"), recipients, content=content))
        core = ClientSession(client_events.ClientSettings("client.example"), encrypted=way == "implicit")
        finish(connector.connect(at(port, implicit=way == "implicit"), core, sender))
        until(lambda: sender.ended)

        (ended,) = sender.told
        assert [answer.code for answer in ended.answers] == [250]
        assert sender.ended == [("closed", "")]
        assert (sender.encryption is None) == (way == "clear")
        assert taker.inner.messages == [("a@a.example", ["b@b.example"], content)]
        until(lambda: taker.ended)


class TestEnds:
    """Why a connection was lost, and how all are ended."""

    @pytest.mark.parametrize(
        ("manner", "words"), [("close", ""), ("reset", "the connection was broken off")]
    )
    def test_causes(self, loopback: Loopback, connector: Connector, manner: str, words: str) -> None:
        """A clean close has none."""
        port = loopback.listen(lambda: Server(None, {b"MAIL": manner}))

        assert Call(connector, at(port), caller=Caller(b"MAIL")).end().ended == [("lost", words)]

    @pytest.mark.parametrize(
        ("trouble", "words"),
        [
            (ConnectionDone(), ""),
            (ConnectionLost(), "the connection was broken off"),
            (ConnectionAborted(), "the connection was cut off here"),
            (ConnectError(errno.EHOSTUNREACH, "?"), "no route to host"),
            (OSError(errno.ENETUNREACH, "?"), "network is unreachable"),
            (SSL.Error([("SSL routines", "", "no shared cipher"), ("x", "", "y")]), "TLS: no shared cipher; y"),
            (SSL.SysCallError(-1, "Unexpected EOF"), "TLS: Unexpected EOF"),
            (SSL.ZeroReturnError(), "TLS: closed by the peer"),
            (CancelledError(), "given up"),
            (ValueError("odd"), "odd"),
            (ValueError(), "ValueError"),
        ],
        ids=repr,
    )
    def test_words(self, trouble: Exception, words: str) -> None:
        """Each kind of trouble in words for people."""
        assert cause(trouble) == words

    def test_stopping_idle_sessions(self, loopback: Loopback, connector: Connector) -> None:
        """They end at once, and no new one begins."""
        call = Call(connector, at(loopback.listen(lambda: Server(None, {b"": b"wait"}))))
        finish(connector.stop(5.0))

        assert call.caller.ended == [("closed", "")]
        assert refusal(connector, at(25)).endswith(": we are stopping")

    def test_stopping_cuts_off_what_goes_on(self, loopback: Loopback, connector: Connector) -> None:
        """A question that nobody answers holds a session for the time of grace alone."""
        caller = Caller()
        caller.pending = Deferred()
        call = Call(connector, at(loopback.listen(Server)), caller=caller)
        until(lambda: caller.heard)
        finish(connector.stop(0.1))

        assert call.caller.ended == [("lost", "the connection was cut off here")]

    def test_stopping_waits_for_an_answer(self, loopback: Loopback, connector: Connector) -> None:
        """Within the time of grace."""
        caller = Caller()
        caller.pending = Deferred()
        Call(connector, at(loopback.listen(Server)), caller=caller)
        until(lambda: caller.heard)
        stopped = connector.stop(5.0)
        assert not stopped.called
        caller.pending.callback(b"QUIT")
        finish(stopped)

        assert caller.ended == [("closed", "")]

    def test_stopping_gives_up_attempts(self, connector: Connector) -> None:
        """Those that wait for a peer fail."""
        with full() as port:
            attempt = Deferred.fromCoroutine(connector.connect(at(port), ClientCore(), Caller()))
            reactor.iterate(0)
            finish(connector.stop(5.0))

            with pytest.raises(CannotConnect, match="we are stopping"):
                finish(attempt)


class Rude(Server):
    """Says that TLS may begin, and then has *manner* for it."""

    def __init__(self, manner: bytes | str) -> None:
        super().__init__(None, {b"hello": manner})

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(b"STARTTLS"):
            self.transport.write(b"220 go on\r\n")
        else:
            self._answer(b"hello", b"")


def implicit(build: Callable[[], Protocol], tls: TLSContext) -> Callable[[], Protocol]:
    """Return what makes the protocols of *build* inside TLS."""

    def make() -> Any:
        return TLSMemoryBIOFactory(tls, False, Factory.forProtocol(build), reactor).buildProtocol(None)

    return make


class TestTLS:
    """What comes of it, with real handshakes."""

    @pytest.fixture(params=["starttls", "implicit"])
    def call(self, request: pytest.FixtureRequest, loopback: Loopback, connector: Connector) -> Any:
        """Return what makes one session in TLS with a server that shows a pair."""
        starttls = request.param == "starttls"

        def make(pair: Pair, name: str = HOST) -> Caller:
            tls = shown(pair)
            port = loopback.listen((lambda: Server(tls)) if starttls else implicit(Server, tls))
            endpoint = Endpoint("127.0.0.1", port, name, implicit=not starttls)
            return Call(connector, endpoint, starttls).end()

        return make

    def test_a_trusted_chain(self, call: Any, root: Authority) -> None:
        """Version, cipher, and the certificates as the peer has sent them."""
        between = Authority("Between", root)
        pair = between.issue(HOST, above=[between])
        caller = call(pair)

        assert caller.encryption.version == "TLSv1.3"
        assert caller.encryption.cipher.startswith("TLS_")
        assert caller.encryption.chain == der(pair)
        assert len(caller.encryption.chain) == 2
        assert caller.encryption.trust == ""
        assert caller.ended == [("closed", "")]
        assert caller.heard[-1] == b"221 bye"

    def test_the_issuers_of_all_the_world(
        self, root: Authority, loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An endpoint may be judged by the system's though we have a file of our own; else that alone counts."""
        system = Authority("System")
        monkeypatch.setenv("SSL_CERT_FILE", system.file(tmp_path))
        own = tmp_path / "own"
        own.mkdir()
        connector = Connector(reactor, root.file(own))
        trust = {}
        for name, issuer in (("own", root), ("system", system)):
            tls = shown(issuer.issue(HOST))
            port = loopback.listen(partial(Server, tls))
            for worldwide in (False, True):
                caller = Call(connector, at(port, worldwide=worldwide), starttls=True).end()
                assert caller.encryption is not None
                trust[name, worldwide] = caller.encryption.trust

        assert trust == {
            ("own", False): "", ("own", True): "issuer not known", ("system", False): "issuer not known",
            ("system", True): "",
        }

    def test_names_are_not_looked_at(self, call: Any, root: Authority) -> None:
        """Whoever judges has the certificate."""
        pair = root.issue("other.example.net")
        caller = call(pair)

        assert caller.encryption.trust == ""
        assert caller.encryption.chain == der(pair)

    @pytest.mark.parametrize(
        ("made", "words"),
        [
            (lambda root: root.issue(HOST, days=(-9, -1)), "expired"),
            (lambda root: root.issue(HOST, days=(1, 9)), "not valid yet"),
            (lambda root: root.issue(HOST, client=True), "not for servers"),
            (lambda root: Authority().issue(HOST), "wrong signature"),
            (lambda root: Authority("Stranger").issue(HOST), "issuer not known"),
            (lambda root: Authority("Between", root).issue(HOST), "issuer not known"),
            (lambda root: _below(Authority("Stranger")), "issuer not trusted"),
            (lambda root: _below(Authority("Old", root, days=(-9, -1))), "expired (an issuer's certificate)"),
            (lambda root: _self_signed(), "self-signed"),
        ],
        ids=["expired", "early", "purpose", "forged", "stranger", "gap", "strange root", "old issuer", "self-signed"],
    )
    def test_no_certificate_ends_a_session(
        self, call: Any, root: Authority, made: Callable[[Authority], Pair], words: str
    ) -> None:
        """It goes on, and the reason is told (RFC 7435 §3)."""
        pair = made(root)
        caller = call(pair)

        assert caller.encryption.trust == words
        assert caller.encryption.chain == der(pair)
        assert caller.heard[-1] == b"221 bye"
        assert caller.ended == [("closed", "")]

    def test_sessions_are_kept_apart(self, loopback: Loopback, connector: Connector, root: Authority) -> None:
        """One context, two connections at a time, each with its own evidence."""
        pairs = root.issue(HOST), Authority("Stranger").issue(HOST)
        ports = [loopback.listen(partial(Server, shown(pair))) for pair in pairs]
        calls = [Call(connector, at(port), starttls=True) for port in ports]
        good, bad = (call.end().encryption for call in calls)

        assert good is not None and bad is not None
        assert (good.trust, bad.trust) == ("", "issuer not known")
        assert (good.chain, bad.chain) == (der(pairs[0]), der(pairs[1]))

    @pytest.mark.parametrize(
        ("name", "seen"),
        [
            ("mx.example.org", b"mx.example.org"),
            ("MX.Example.org.", b"mx.example.org"),
            ("mx.bücher.example", b"mx.xn--bcher-kva.example"),
            ("127.0.0.1", None),
            ("", None),
        ],
    )
    def test_the_name_that_is_told(
        self, loopback: Loopback, connector: Connector, root: Authority, name: str, seen: bytes | None
    ) -> None:
        """SNI has host names as A-labels, and no addresses (RFC 6066 §3, RFC 7672 §8.1)."""
        told: list[bytes | None] = []
        tls = shown(root.issue(HOST))
        tls._context.set_tlsext_servername_callback(lambda connection: told.append(connection.get_servername()))
        port = loopback.listen(lambda: Server(tls))
        Call(connector, Endpoint("127.0.0.1", port, name), starttls=True).end()

        assert told == [seen]

    def test_tls_over_a_unix_socket(
        self, loopback: Loopback, connector: Connector, root: Authority, tmp_path: Path
    ) -> None:
        """It makes no difference."""
        tls = shown(root.issue(HOST))
        path = str(tmp_path / "lmtp")
        loopback.listen_unix(path, lambda: Server(tls))
        caller = Call(connector, Endpoint(path, 0, HOST), starttls=True).end()

        assert caller.encryption is not None and caller.encryption.trust == ""

    @pytest.mark.parametrize(
        ("manner", "words"),
        [
            (b"500 what is this?\r\n", "wrong version number"),
            (b"\x15\x03\x03\x00\x02\x02\x28", "alert handshake failure"),
        ],
        ids=["garbage", "alert"],
    )
    def test_a_handshake_that_fails(self, loopback: Loopback, connector: Connector, manner: bytes, words: str) -> None:
        """The cause is in OpenSSL's words; the respondent hears of no encryption."""
        caller = Call(connector, at(loopback.listen(partial(Rude, manner))), starttls=True).end()

        ((reason, told),) = caller.ended
        assert reason == "lost"
        assert told.startswith("TLS handshake failed: ")
        assert words in told
        assert caller.encryption is None

    @pytest.mark.parametrize("manner", ["close", "reset"])
    def test_a_peer_that_leaves_within_the_handshake(
        self, loopback: Loopback, connector: Connector, manner: str
    ) -> None:
        """That too is a failed handshake, not a clean close."""
        caller = Call(connector, at(loopback.listen(partial(Rude, manner))), starttls=True).end()

        ((reason, told),) = caller.ended
        assert (reason, told) == ("lost", "TLS handshake failed: the connection was broken off")

    def test_implicit_tls_with_a_peer_that_has_none(self, loopback: Loopback, connector: Connector) -> None:
        """A greeting in the clear is no handshake, and never reaches the core."""
        caller = Call(connector, at(loopback.listen(Server), implicit=True)).end()

        ((reason, told),) = caller.ended
        assert reason == "lost"
        assert told.startswith("TLS handshake failed: ")
        assert caller.heard == []

    def test_old_versions_are_not_spoken(self, loopback: Loopback, connector: Connector, root: Authority) -> None:
        """RFC 8996: a server of TLS 1.1 gets no session."""
        tls = shown(root.issue(HOST))
        context: Any = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        pair = root.issue(HOST)
        context.use_certificate(pair.chain[0])
        context.use_privatekey(pair.key)
        tls.show(context)
        caller = Call(connector, at(loopback.listen(lambda: Server(tls))), starttls=True).end()

        ((reason, told),) = caller.ended
        assert reason == "lost"
        assert "protocol version" in told

    def test_a_file_without_issuers(self, tmp_path: Path) -> None:
        """It is complained of at the start."""
        (tmp_path / "empty").write_text("")

        for name in ("empty", "gone"):
            with pytest.raises(IssuersError, match=f"{name} has no usable certificates"):
                Connector(reactor, str(tmp_path / name))


def _below(authority: Authority) -> Pair:
    above = [authority] if authority.parent is not None else [Authority("Between", authority), authority]
    return above[0].issue(HOST, above=above)


def _self_signed() -> Pair:
    alone = Authority(HOST)
    return Pair((alone.certificate,), alone.key)
