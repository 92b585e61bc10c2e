"""The client's side of each mechanism, by the worked examples of the RFCs and beyond them (RFC 4422)."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.sasl import scram
from mailsuite.sasl.choice import MECHANISMS, choose
from mailsuite.sasl.claims import PasswordClaim
from mailsuite.sasl.client.cram_md5 import CramMd5
from mailsuite.sasl.client.login import Login
from mailsuite.sasl.client.plain import Plain
from mailsuite.sasl.client.scram_sha_1 import ScramSha1
from mailsuite.sasl.client.scram_sha_256 import ScramSha256
from mailsuite.sasl.exchange import LINE_OCTETS, Exchange
from mailsuite.sasl.initiator import Initiator, Secret, Unfit, decoded, encoded
from mailsuite.sasl.mechanism import Context
from mailsuite.sasl.mechanisms.plain import Plain as ServerPlain
from mailsuite.sasl.saslprep import saslprep

TIM = Secret("tim", "tanstaaftanstaaf")
# name of the RFC: class, client nonce, server-first, client-final, server-final (user "user", password "pencil")
SCRAM_VECTORS = {
    "RFC 5802 §5": (
        ScramSha1,
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "RFC 7677 §3": (
        ScramSha256,
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}
SCRAM = pytest.mark.parametrize(
    ("mechanism", "nonce", "first", "final", "proof"), SCRAM_VECTORS.values(), ids=SCRAM_VECTORS.keys()
)


def test_the_set_and_its_order() -> None:
    """Nothing comes in by accident, and what proves the server is tried first."""
    assert list(MECHANISMS) == ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]


def test_plain_example() -> None:
    """RFC 4616 §4; everything is said at once, and our own server side agrees."""
    mechanism = Plain(TIM)
    message = mechanism.begin()

    assert message is not None and encoded(message) == b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm"
    server = Exchange(ServerPlain(Context("smtp", "mail.example.org")))
    assert server.begin(encoded(message)) == PasswordClaim("tim", "tanstaaftanstaaf")
    assert mechanism.respond(b"") is None


@pytest.mark.parametrize("secret", [Secret("", "x"), Secret("x", ""), Secret("a\0b", "x"), Secret("x", "a\0b")])
def test_plain_cannot_carry_everything(secret: Secret) -> None:
    """RFC 4616 §2."""
    with pytest.raises(Unfit):
        Plain(secret)


@pytest.mark.parametrize("asked", [(b"Username:", b"Password:"), (b"User Name\0", b"Password\0"), (b"", b"")])
def test_login(asked: tuple[bytes, bytes]) -> None:
    """Name, then password, however they are asked for, and nothing more."""
    mechanism = Login(TIM)
    assert mechanism.begin() is None

    assert [mechanism.respond(challenge) for challenge in asked] == [b"tim", b"tanstaaftanstaaf"]
    assert mechanism.respond(b"Token:") is None


def test_cram_md5_example() -> None:
    """RFC 2195 §2."""
    mechanism = CramMd5(TIM)
    assert mechanism.begin() is None

    response = mechanism.respond(b"<1896.697170952@postoffice.reston.mci.net>")
    assert response == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert mechanism.respond(b"<again@x>") is None
    assert CramMd5(TIM).respond(b"") is None


@SCRAM
def test_scram_examples(mechanism: type[scram.Scram], nonce: str, first: bytes, final: bytes, proof: bytes) -> None:
    """Both sides prove that they know the password; nothing is to be believed before."""
    exchange = mechanism(Secret("user", "pencil", nonce))

    assert exchange.begin() == b"n,,n=user,r=" + nonce.encode()
    assert exchange.respond(first) == final
    before = exchange.proved
    assert exchange.respond(proof) == b""
    assert [before, exchange.proved] == [False, True]
    assert exchange.respond(b"") is None


@SCRAM
def test_scram_wrong_proofs(
    mechanism: type[scram.Scram], nonce: str, first: bytes, final: bytes, proof: bytes
) -> None:
    """Every single octet of the proof counts, and an error is no proof."""
    for wrong in (
        b"",
        b"v=",
        b"v=!",
        b"v=" + proof[3:],
        b"e=invalid-proof",
        proof[:-4],
        b"v=" + b"A" * 4,
        b" " + proof,
    ):
        exchange = mechanism(Secret("user", "pencil", nonce))
        exchange.respond(first)
        assert exchange.respond(wrong) is None
        assert not exchange.proved
    exchange = mechanism(Secret("user", "pencil", nonce))
    assert exchange.respond(proof) is None, "the proof has to follow the first message"
    assert exchange.respond(proof) is None


NONCE = "fyko+d2lbbFgONRv9qkxdawL"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"e=unknown-user",
        b"r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096",  # nothing of the server's own
        b"r=fyko+d2lbbFgONRv9qkxdawX3rfc,s=QSXCR+Q6sek8bf92,i=4096",  # not our nonce
        b"r=3rfc,s=QSXCR+Q6sek8bf92,i=4096",
        b"m=x,r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=4096",  # §5.1: m must fail
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=,i=4096",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSX,i=4096",  # not base64
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=0",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=-1",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=04096",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=99999999999",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=4096x",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,i=4096,s=QSXCR+Q6sek8bf92",
        b"r=fyko+d2lbbFgONRv9qkxdawL\xff,s=QSXCR+Q6sek8bf92,i=4096",
    ],
)
def test_scram_first_messages_that_are_none(first: bytes) -> None:
    """RFC 5802 §5.1, §7: what has not the form, or not our nonce, ends the exchange."""
    assert ScramSha1(Secret("user", "pencil", NONCE)).respond(first) is None


@pytest.mark.parametrize(
    ("iterations", "taken"),
    [
        (scram.FEWEST_ITERATIONS - 1, False),
        (scram.FEWEST_ITERATIONS, True),
        (scram.MOST_ITERATIONS, True),
        (scram.MOST_ITERATIONS + 1, False),
    ],
)
def test_scram_iterations(iterations: int, taken: bool) -> None:
    """Too few give the password away, too many would hold up everybody (RFC 5802 §9)."""
    first = f"r={NONCE}x,s=QSXCR+Q6sek8bf92,i={iterations}".encode()

    assert (ScramSha1(Secret("user", "pencil", NONCE)).respond(first) is not None) is taken


def test_scram_lengths() -> None:
    """Salt and challenge of the limit are taken; one octet more is not."""
    for size, taken in ((scram.SALT_OCTETS, True), (scram.SALT_OCTETS + 1, False)):
        salt = base64.b64encode(b"s" * size)
        first = b"r=%sx,s=%s,i=4096" % (NONCE.encode(), salt)
        assert (ScramSha1(Secret("user", "pencil", NONCE)).respond(first) is not None) is taken
    head = b"r=%sx,s=QSXCR+Q6sek8bf92,i=4096,x=" % NONCE.encode()
    for size, taken in ((scram.CHALLENGE_OCTETS, True), (scram.CHALLENGE_OCTETS + 1, False)):
        first = head + b"y" * (size - len(head))
        assert (ScramSha1(Secret("user", "pencil", NONCE)).respond(first) is not None) is taken


@pytest.mark.parametrize("nonce", ["", "short", "with,comma", "with space", "ümlaut-nonce", "x" * 257])
def test_scram_needs_a_nonce(nonce: str) -> None:
    """Printable ASCII without a comma, and enough of it."""
    with pytest.raises(Unfit):
        ScramSha256(Secret("user", "pencil", nonce))


@pytest.mark.parametrize(
    ("name", "password"), [("", "x"), ("x", ""), ("\u00ad", "x"), ("x", "a\x07"), ("x", "\u0221")]
)
def test_scram_cannot_carry_everything(name: str, password: str) -> None:
    """What SASLprep prohibits, or leaves nothing of, and in a password what Unicode 3.2 does not have."""
    with pytest.raises(Unfit):
        ScramSha256(Secret(name, password, NONCE))


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10), st.sampled_from([ScramSha1, ScramSha256]))
def test_scram_against_a_server(name: str, password: str, mechanism: type[scram.Scram]) -> None:
    """A server written from RFC 5802 §3 alone agrees, for any name and password that SASLprep lets through."""
    try:
        exchange = mechanism(Secret(name, password, NONCE))
    except Unfit:
        return
    digest = mechanism.hash_name
    begun = exchange.begin()
    assert begun is not None and begun.startswith(b"n,,n=")
    bare = begun[3:]
    assert bare.count(b",") == 1
    first = f"r={NONCE}server,s=QSXCR+Q6sek8bf92,i=4096".encode()
    final = exchange.respond(first)
    assert final is not None
    without, _, proof = final.rpartition(b",p=")

    salted = hashlib.pbkdf2_hmac(digest, saslprep(password).encode(), base64.b64decode("QSXCR+Q6sek8bf92"), 4096)
    stored = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
    spoken = bare + b"," + first + b"," + without
    signature = hmac.digest(stored, spoken, digest)
    client_key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    assert hashlib.new(digest, client_key).digest() == stored

    verifier = hmac.digest(hmac.digest(salted, b"Server Key", digest), spoken, digest)
    assert exchange.respond(b"v=" + base64.b64encode(verifier)) == b""
    assert exchange.proved


@pytest.mark.parametrize(("name", "sent"), [("a,b=c", b"n=a=2Cb=3Dc,"), ("=2C", b"n==3D2C,")])
def test_scram_names_with_commas(name: str, sent: bytes) -> None:
    """RFC 5802 §5.1: a comma or an equals sign of the name is none of the message."""
    assert (ScramSha256(Secret(name, "x", NONCE)).begin() or b"").startswith(b"n,," + sent)


@given(st.sampled_from(list(MECHANISMS)), st.lists(st.binary(max_size=40), max_size=4))
def test_no_challenge_raises(name: str, challenges: list[bytes]) -> None:
    """Whatever a server sends, there is a response or none, and it has proved nothing by it."""
    exchange: Initiator = MECHANISMS[name](Secret("user", "pencil", NONCE))
    exchange.begin()
    for challenge in challenges:
        exchange.respond(challenge)

    assert exchange.proved is not name.startswith("SCRAM")
    exchange.respond(b"x")
    exchange.respond(b"x")
    assert exchange.respond(b"x") is None


@pytest.mark.parametrize(
    ("offered", "allowed", "nonce", "chosen"),
    [
        ("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", "", NONCE, "SCRAM-SHA-256"),
        ("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1", "", NONCE, "SCRAM-SHA-1"),
        ("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1", "", "", "CRAM-MD5"),
        ("LOGIN PLAIN", "", NONCE, "PLAIN"),
        ("LOGIN", "", NONCE, "LOGIN"),
        ("GSSAPI", "", NONCE, None),
        ("", "", NONCE, None),
        ("LOGIN PLAIN SCRAM-SHA-256", "login plain", NONCE, "LOGIN"),
        ("LOGIN PLAIN SCRAM-SHA-256", "GSSAPI PLAIN", NONCE, "PLAIN"),
        ("LOGIN PLAIN", "SCRAM-SHA-256", NONCE, None),
    ],
)
def test_choice(offered: str, allowed: str, nonce: str, chosen: str | None) -> None:
    """The best of what is offered, allowed and possible; an order that was given counts."""
    mechanism = choose(offered.split(), allowed.split(), Secret("user", "pencil", nonce))

    assert (None if mechanism is None else mechanism.name) == chosen


@given(st.binary(max_size=60))
def test_lines(octets: bytes) -> None:
    """Base64 there and back."""
    assert decoded(encoded(octets)) == octets


@pytest.mark.parametrize(
    "line", [b"=", b"=AAA", b"AAA=BBB", b"AAA", b"A A=", b"AA==\r", b"\xff\xff\xff\xff", b"AA==AA=="]
)
def test_lesson_15_what_is_not_base64(line: bytes) -> None:
    """RFC 4954 §4: the client is as strict as a server."""
    assert decoded(line) is None


def test_the_longest_challenge() -> None:
    """A challenge of the limit is read; four octets more are not."""
    assert decoded(b"A" * LINE_OCTETS) is not None
    assert decoded(b"A" * (LINE_OCTETS + 4)) is None


def test_secrets_do_not_show() -> None:
    """No password gets into a log by way of a repr, or of an error."""
    assert "sesame" not in repr(Secret("alice", "open sesame", "rand0m"))
    with pytest.raises(Unfit) as raised:
        Plain(Secret("a\0b", "open sesame"))
    assert "sesame" not in str(raised.value)
