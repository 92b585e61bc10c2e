"""TLS as a client, in memory: what is kept of a connection and for how long, whom we trust, what is told as a name."""

import gc
import weakref
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailsuite.certificates import Pair
from mailsuite.transport.client_tls import REREAD_SECONDS, ClientTLS, IssuersError, PeerTLS, server_name
from mailsuite.transport.peer_trust import CHAIN_DEPTH
from tests.transport.authority import Authority, shown

HOST = "mx.example.org"


def client(folder: Path, root: Authority) -> tuple[ClientTLS, Clock]:
    """Return what trusts *root*, and its clock."""
    clock = Clock()
    return ClientTLS(root.file(folder), cast(IReactorTime, clock)), clock


def shake(peer: PeerTLS, pair: Pair) -> SSL.Connection:
    """Return the client's end of a connection to a server that shows *pair*, its handshake done."""
    ours: Any = peer.clientConnectionForTLS(cast(Any, None))
    theirs: Any = shown(pair).serverConnectionForTLS(cast(Any, None))
    ours.set_connect_state()
    theirs.set_accept_state()
    for one, other in [(ours, theirs), (theirs, ours)] * 3:
        try:
            one.do_handshake()
        except SSL.WantReadError:
            pass
        try:
            other.bio_write(one.bio_read(100_000))
        except SSL.WantReadError:
            pass
    return cast(SSL.Connection, ours)


def trust(tls: ClientTLS, pair: Pair) -> str:
    """Return what *tls* finds wrong with the chain of *pair*."""
    peer = tls.to(HOST)
    return peer.encryption(shake(peer, pair)).trust


def test_interfaces(tmp_path: Path) -> None:
    """What Twisted asks of those who begin TLS."""
    assert verifyObject(IOpenSSLClientConnectionCreator, client(tmp_path, Authority())[0].to(HOST))


def test_nothing_keeps_a_connection(tmp_path: Path) -> None:
    """It goes with its last user: without the garbage collector, and though the context stays."""
    root = Authority()
    tls, _ = client(tmp_path, root)
    gc.disable()
    try:
        peer = tls.to(HOST)
        connection = shake(peer, root.issue(HOST, days=(-9, -1)))
        assert peer.encryption(connection).trust == "expired"
        gone = weakref.ref(connection), weakref.ref(peer)
        del connection, peer

        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


def test_the_system_s_own_issuers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file of ours, where OpenSSL looks."""
    root = Authority()
    monkeypatch.setenv("SSL_CERT_FILE", root.file(tmp_path))
    tls = ClientTLS("", cast(IReactorTime, Clock()))

    assert trust(tls, root.issue(HOST)) == ""
    assert trust(tls, Authority("Stranger").issue(HOST)) == "issuer not known"


def test_issuers_are_read_again(tmp_path: Path) -> None:
    """Once a day, so that a process that runs for months learns of new ones."""
    first, second = Authority("First"), Authority("Second")
    tls, clock = client(tmp_path, first)
    second.file(tmp_path)
    clock.advance(REREAD_SECONDS - 1)
    assert trust(tls, second.issue(HOST)) == "issuer not known"
    clock.advance(1)

    assert trust(tls, second.issue(HOST)) == ""
    assert trust(tls, first.issue(HOST)) == "issuer not known"


def test_issuers_that_cannot_be_read_again(tmp_path: Path) -> None:
    """Those from before stay, and it is not tried again at every connection."""
    root = Authority()
    tls, clock = client(tmp_path, root)
    (tmp_path / "issuers.pem").unlink()
    clock.advance(REREAD_SECONDS)
    assert trust(tls, root.issue(HOST)) == ""
    root.file(tmp_path)
    Authority("Stranger").file(tmp_path)

    assert trust(tls, root.issue(HOST)) == ""


def test_a_file_of_garbage(tmp_path: Path) -> None:
    """What is no PEM is complained of by name."""
    (tmp_path / "bad.pem").write_bytes(Authority().certificate.public_bytes(Encoding.DER))

    with pytest.raises(IssuersError, match=r"bad\.pem has no usable certificates"):
        ClientTLS(str(tmp_path / "bad.pem"), cast(IReactorTime, Clock()))


@pytest.mark.parametrize(("between", "words"), [(CHAIN_DEPTH, ""), (CHAIN_DEPTH + 1, "chain too long")])
def test_the_longest_chain(tmp_path: Path, between: int, words: str) -> None:
    """So many certificates between the peer's and the root, and one more."""
    root = Authority()
    tls, _ = client(tmp_path, root)
    chain = [root]
    for number in range(between):
        chain.insert(0, Authority(f"Between {number}", chain[0]))

    assert trust(tls, chain[0].issue(HOST, above=chain[:-1])) == words


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mx.example.org", b"mx.example.org"),
        ("MX.EXAMPLE.ORG.", b"mx.example.org"),
        ("mx_1.example.org", b"mx_1.example.org"),
        ("bücher.example", b"xn--bcher-kva.example"),
        ("localhost", b"localhost"),
        ("192.0.2.1", b""),
        ("[192.0.2.1]", b""),
        ("2001:db8::1", b""),
        ("/run/lmtp", b""),
        ("-x.example", b""),
        ("a..b", b""),
        (".", b""),
        ("", b""),
        ("x" * 63 + ".example", b"x" * 63 + b".example"),
        ("x" * 64 + ".example", b""),
        ("x.org\r\nx", b""),
        ("x.org\n", b""),
    ],
)
def test_server_names(name: str, told: bytes) -> None:
    """Host names as A-labels, nothing else (RFC 6066 §3)."""
    assert server_name(name) == told


def test_the_longest_server_name() -> None:
    """A name of 253 octets, and one more (RFC 1035 §2.3.4)."""
    longest = ".".join(["x" * 62] * 4) + ".a"

    assert server_name(longest) == longest.encode()
    assert len(longest) == 253
    assert server_name(longest + "b") == b""


@given(st.text(max_size=300))
def test_any_name_is_told_or_not(name: str) -> None:
    """Nothing is raised, and what is told is a host name."""
    told = server_name(name)

    assert len(told) <= 253
    assert not told or (told.isascii() and b" " not in told and b"\n" not in told)
