"""The mechanisms that ask for what is stored, server side: what goes wrong, and what must not be seen."""

import hashlib
import hmac
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.encryption import Encryption
from mailsuite.sasl.claims import CertificateClaim, Challenge, LoginClaim, Proof, Refusal, SecretWanted, TokenShown
from mailsuite.sasl.client.scram_sha_1 import ScramSha1 as ClientSha1
from mailsuite.sasl.client.scram_sha_256 import ScramSha256 as ClientSha256
from mailsuite.sasl.cram_keys import cram_keys, parse_cram_keys
from mailsuite.sasl.digest_keys import digest_keys, parse_digest_keys
from mailsuite.sasl.initiator import Secret as ClientSecret
from mailsuite.sasl.mechanisms.digest_md5 import RESPONSE_OCTETS
from mailsuite.sasl.scram import Scram
from mailsuite.sasl.scram_keys import MOST_ITERATIONS, parse_scram_keys, scram_keys
from mailsuite.sasl.scram_server import NONCE_OCTETS
from mailsuite.sasl.terms import MECHANISMS
from tests.sasl.store import BOUND, CERTIFIED, NONCE, SECRETS, TOKEN, VECTORS, login, terms
from tests.sasl.talk import Talk, asked

FIRST = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
ENCRYPTION = Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", binding=BOUND.get)


def scram(mechanism: str = "SCRAM-SHA-1", encryption: Encryption | None = None, *allowed: str) -> Talk:
    """Return an exchange by SCRAM."""
    return Talk(mechanism, terms("smtp", NONCE, *allowed), encryption)


def final(first: bytes, challenge: bytes, binding: bytes | None = None, password: str = "pencil") -> bytes:
    """Return a client-final-message as RFC 5802 §3 has it, worked out by itself."""
    header, _, bare = first.partition(b"n=user")
    bare = b"n=user" + bare
    keys = scram_keys("SCRAM-SHA-1", password, SECRETS_SALT, 4096)
    client_key = hmac.digest(
        hashlib.pbkdf2_hmac("sha1", password.encode(), SECRETS_SALT, 4096), b"Client Key", "sha1"
    )
    nonce = challenge.split(b",")[0]
    said = b"c=" + b64encode(header + (binding or b"")) + b"," + nonce
    signature = hmac.digest(keys.stored_key, bare + b"," + challenge + b"," + said, "sha1")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return said + b",p=" + b64encode(proof)


_found = parse_scram_keys(SECRETS["user", "scram-sha-1"])
assert _found is not None
SECRETS_SALT = _found.salt


@pytest.mark.parametrize(
    ("mechanism", "client"), [("SCRAM-SHA-1", ClientSha1), ("SCRAM-SHA-256", ClientSha256)], ids=["1", "256"]
)
@pytest.mark.parametrize("initial", [True, False])
def test_scram_with_our_own_client(mechanism: str, client: type[Scram], initial: bool) -> None:
    """Both sides prove themselves, with an initial response or asked by an empty challenge."""
    talk, other = scram(mechanism), client(ClientSecret("user", "pencil", "fyko+d2lbbFgONRv9qkxdawL"))
    first = other.begin()
    assert first is not None
    if initial:
        challenge = asked(talk.begin(first))
    else:
        assert talk.begin() == Challenge(b"")
        challenge = asked(talk.say(first))
    said = other.respond(challenge)
    assert said is not None

    assert other.respond(asked(talk.say(said))) == b""
    assert other.proved
    assert talk.say(b"") == LoginClaim(login("user"))


@pytest.mark.parametrize("name", ["user", "nobody"])
def test_scram_tells_nobody_who_there_is(name: str) -> None:
    """A wrong password and an unknown name get the same challenge and the same no; each is asked about as a proof."""
    talk = scram()
    other = ClientSha1(ClientSecret(name, "wrong", "fyko+d2lbbFgONRv9qkxdawL"))
    first = other.begin()
    assert first is not None

    challenge = asked(talk.begin(first))
    assert challenge.startswith(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=")
    said = other.respond(challenge)
    assert said is not None
    assert talk.say(said) is Refusal.DENIED

    wanted, proof = talk.questions
    assert wanted == SecretWanted(name, "scram-sha-1")
    assert isinstance(proof, Proof) and not proof.right


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"x,,n=user,r=abc",
        b"n,n=user,r=abc",
        b"n,,m=x,n=user,r=abc",
        b"n,,n=,r=abc",
        b"n,,n=user",
        b"n,,n=user,r=",
        b"n,,n=user,r=a\x01b",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=us\xffer,r=abc",
        b"n,,n=us\x00er,r=abc",
        b"n,a=,n=user,r=abc",
        b"n,user,n=user,r=abc",
        b"p=tls-exporter,,n=user,r=abc",
        b"n,,n=user,r=" + b"x" * (NONCE_OCTETS + 1),
    ],
)
def test_scram_first_messages_that_are_none(message: bytes) -> None:
    """RFC 5802 §5.1, §7: what does not have the form is refused before anybody is looked up."""
    talk = scram()

    assert talk.begin(message) is Refusal.MALFORMED
    assert talk.questions == []


def test_scram_takes_a_nonce_up_to_its_limit_and_extensions() -> None:
    """RFC 5802 §5.1: extensions that nobody knows are passed over."""
    assert isinstance(scram().begin(b"n,,n=user,r=" + b"x" * NONCE_OCTETS + b",z=what,y=ever"), Challenge)


def test_scram_names_are_decoded() -> None:
    """RFC 5802 §5.1: =2C and =3D, and SASLprep (RFC 4013 §3: the first is the second)."""
    talk = scram()

    talk.begin("n,,n=a=2Cb=3Dc\u00ad\u2168,r=abc".encode())

    assert talk.questions == [SecretWanted("a,b=cIX", "scram-sha-1")]


def test_scram_authorization() -> None:
    """Whom the client wants to act for is passed on with its proof (RFC 5802 §5.1, a)."""
    talk = scram()
    first = b"n,a=bob," + FIRST[3:]

    assert talk.say(final(first, asked(talk.begin(first)))) is Refusal.DENIED
    assert talk.questions[-1] == Proof("user", login("user"), True, "bob")


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda said: b"",
        lambda said: said[:-3],
        lambda said: said + b",x=y",
        lambda said: said.replace(b"Vs7j", b"Vs7k"),
        lambda said: said.replace(b"c=biws", b"c=!"),
        lambda said: said.replace(b"c=biws,", b""),
        lambda said: said.replace(b",p=", b",p=A"),
    ],
)
def test_scram_final_messages_that_are_none(spoiled: object) -> None:
    """RFC 5802 §5.1: the nonce is repeated, the proof comes last, base64 is base64."""
    talk = scram()
    said = final(FIRST, asked(talk.begin(FIRST)))
    assert callable(spoiled)

    assert talk.say(spoiled(said)) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda said: said.replace(b"c=biws", b"c=eSws"),
        lambda said: said[: said.index(b",p=")] + b",p=" + b64encode(b"x" * 20),
        lambda said: said[: said.index(b",p=")] + b",p=" + b64encode(b"x"),
        lambda said: said[: said.index(b",p=")] + b",p=" + b64encode(b"x" * 4000),
        lambda said: said[:-4],
        lambda said: said.replace(b",p=", b",z=more,p="),
    ],
)
def test_scram_wrong_proofs(spoiled: object) -> None:
    """What was not proved is asked about as a wrong proof, so that it is counted."""
    talk = scram()
    said = final(FIRST, asked(talk.begin(FIRST)))
    assert callable(spoiled)

    assert talk.say(spoiled(said)) is Refusal.DENIED
    assert talk.questions[-1] == Proof("user", login("user"), False)


def test_scram_the_last_answer_is_empty() -> None:
    """RFC 4954 §4: behind the server's proof comes an empty line, and only then is the client logged in."""
    for answer, outcome in ((b"x", Refusal.MALFORMED), (b"", LoginClaim(login("user")))):
        talk = scram()
        assert asked(talk.say(final(FIRST, asked(talk.begin(FIRST))))).startswith(b"v=")
        assert talk.say(answer) == outcome
    talk = scram()
    talk.say(final(FIRST, asked(talk.begin(FIRST))))
    assert talk.cancel() is Refusal.CANCELLED


@pytest.mark.parametrize("kind", BOUND)
def test_plus_binds_the_channel(kind: str) -> None:
    """RFC 5802 §6, RFC 5929 §4, RFC 9266: with the channel's own binding one is let in, with another's not."""
    first = b"p=%s,,%s" % (kind.encode(), FIRST[3:])
    for binding, right in ((BOUND[kind], True), (b"of another channel", False), (b"", False)):
        talk = scram("SCRAM-SHA-1-PLUS", ENCRYPTION)
        step = talk.say(final(first, asked(talk.begin(first)), binding))
        assert talk.questions[-1] == Proof("user", login("user"), right)
        assert isinstance(step, Challenge) == right


@pytest.mark.parametrize("first", [FIRST, b"y" + FIRST[1:], b"p=tls-unique,," + FIRST[3:], b"p=frob,," + FIRST[3:]])
def test_plus_needs_a_binding_that_there_is(first: bytes) -> None:
    """RFC 5802 §6: -PLUS without one, or with one that this connection does not have, fails."""
    assert scram("SCRAM-SHA-1-PLUS", ENCRYPTION).begin(first) is Refusal.MALFORMED


def test_plus_where_it_was_not_chosen() -> None:
    """RFC 5802 §6: only -PLUS takes a binding."""
    assert scram("SCRAM-SHA-1", ENCRYPTION).begin(b"p=tls-exporter,," + FIRST[3:]) is Refusal.MALFORMED


def test_a_downgrade_is_noticed() -> None:
    """RFC 5802 §6: who says that we do not offer -PLUS, where we do, was lied to on the way."""
    assert scram("SCRAM-SHA-1", ENCRYPTION).begin(b"y" + FIRST[1:]) is Refusal.DENIED
    assert isinstance(scram("SCRAM-SHA-1", ENCRYPTION).begin(FIRST), Challenge)
    # Without TLS, or where the listener does not have it, the client is right.
    assert isinstance(scram("SCRAM-SHA-1").begin(b"y" + FIRST[1:]), Challenge)
    assert isinstance(scram("SCRAM-SHA-1", ENCRYPTION, "SCRAM-SHA-1").begin(b"y" + FIRST[1:]), Challenge)


def test_what_is_offered_where() -> None:
    """-PLUS under TLS that has something to bind, EXTERNAL to known certificates; the best comes first."""
    everywhere = (
        "SCRAM-SHA-256", "SCRAM-SHA-1", "OAUTHBEARER", "XOAUTH2", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN",
    )  # fmt: skip
    bare = Encryption("TLSv1.2", "x")

    assert terms("smtp").usable(None) == terms("smtp").usable(bare) == everywhere
    assert terms("smtp").usable(ENCRYPTION) == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", *everywhere)
    assert terms("smtp").usable(CERTIFIED) == ("EXTERNAL", *everywhere)
    assert terms("smtp", NONCE, "PLAIN", "FROB").usable(ENCRYPTION) == ("PLAIN",)
    assert terms("smtp").begin("EXTERNAL", bare) is None
    assert terms("smtp").begin("FROB", bare) is None
    assert not terms("smtp").knows("FROB")


def test_the_discovered_set_is_pinned() -> None:
    """Nothing arrives by accident."""
    assert set(MECHANISMS) == {
        *("EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"),
        *("OAUTHBEARER", "XOAUTH2", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"),
    }


@pytest.mark.parametrize("name", ["CRAM-MD5", "DIGEST-MD5"])
def test_the_server_speaks_first(name: str) -> None:
    """RFC 4954 §4: then an initial response is an error."""
    assert Talk(name, terms("smtp")).begin(b"tim") is Refusal.UNASKED


@pytest.mark.parametrize("response", [b"", b"tim", b"tim ", b" " + b"0" * 32, b"tim 012", b"t\xff " + b"0" * 32])
def test_cram_md5_malformed(response: bytes) -> None:
    """RFC 2195 §2: a name, a space, and 32 digits."""
    talk = Talk("CRAM-MD5", terms("smtp"))
    talk.begin()

    assert talk.say(response) is Refusal.MALFORMED


@pytest.mark.parametrize("name", ["tim", "nobody"])
def test_cram_md5_wrong(name: str) -> None:
    """A wrong digest and an unknown name get the same no."""
    talk = Talk("CRAM-MD5", terms("smtp"))
    talk.begin()

    assert talk.say(f"{name} {'0' * 32}".encode()) is Refusal.DENIED
    proof = talk.questions[-1]
    assert isinstance(proof, Proof) and not proof.right


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_cram_keys_are_hmac_md5(password: bytes, text: bytes) -> None:
    """From the states that are kept comes what Python's own HMAC gives."""
    kept = parse_cram_keys(str(cram_keys(password)))

    assert kept is not None
    assert kept.digest(text) == hmac.new(password, text, "md5").hexdigest().encode()


def digest(said: dict[str, str], secret: str = "secret") -> bytes:
    """Return a digest-response (RFC 2831 §2.1.2.1) of what is *said*, worked out by itself."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    whole = {"username": "chris", "realm": "elwood.innosoft.com", "nonce": NONCE, "nc": "00000001", "cnonce": "x"}
    whole.update({"digest-uri": "smtp/mail.example.org", "qop": "auth", "charset": "utf-8", **said})
    inner = hashlib.md5(f"{whole['username']}:{whole['realm']}:{secret}".encode()).digest()
    rest = f":{whole['nonce']}:{whole['cnonce']}" + (f":{whole['authzid']}" if "authzid" in whole else "")
    first = hashlib.md5(inner + rest.encode()).hexdigest()
    second = md5(f"AUTHENTICATE:{whole['digest-uri']}")
    whole["response"] = md5(f"{first}:{whole['nonce']}:{whole['nc']}:{whole['cnonce']}:auth:{second}")
    bare = ("nc", "qop", "response", "charset")
    return ", ".join(f"{k}={v}" if k in bare else f'{k}="{v}"' for k, v in whole.items() if v != "-").encode()


def digest_talk() -> Talk:
    """Return an exchange by DIGEST-MD5 in which the server has spoken."""
    talk = Talk("DIGEST-MD5", terms("smtp", hostname="elwood.innosoft.com"))
    talk.begin()
    return talk


def test_digest_md5_with_quotes_and_authorization() -> None:
    """RFC 2831 §7.1: quoted pairs, and whom the client wants to act for."""
    talk = digest_talk()
    assert isinstance(talk.say(digest({"authzid": "chris"}).replace(b'"chris"', b'"chr\\is"')), Challenge)
    talk = digest_talk()
    assert talk.say(digest({"authzid": "bob"})) is Refusal.DENIED
    assert talk.questions[-1] == Proof("chris", login("chris"), True, "bob")


@pytest.mark.parametrize("said", [{"realm": "elsewhere"}, {"username": "nobody"}])
def test_digest_md5_wrong(said: dict[str, str]) -> None:
    """A realm or a name that is none of ours: counted as a wrong password."""
    talk = digest_talk()
    assert talk.say(digest(said)) is Refusal.DENIED
    proof = talk.questions[-1]
    assert isinstance(proof, Proof) and not proof.right


def test_digest_md5_wrong_password() -> None:
    """And a wrong password."""
    talk = digest_talk()
    assert talk.say(digest({}, "wrong")) is Refusal.DENIED
    assert talk.questions[-1] == Proof("chris", login("chris"), False)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"frob",
        b'username="chris"',
        digest({"nonce": "another"}),
        digest({"nc": "00000002"}),
        digest({"qop": "auth-int"}),
        digest({"digest-uri": "imap/mail.example.org"}),
        digest({"cnonce": "-"}),
        digest({}) + b',nc=00000001',
        digest({}).replace(b'"chris"', b'"chris'),
        digest({}).replace(b'"chris"', b'"chr\xffis"'),
        digest({}) + b',x="' + b"x" * RESPONSE_OCTETS + b'"',
    ],
)
def test_digest_md5_malformed(response: bytes) -> None:
    """RFC 2831 §2.1.2: what is missing, said twice, of another exchange, or too long."""
    talk = digest_talk()

    assert talk.say(response) is Refusal.MALFORMED
    assert talk.questions == []


def test_digest_md5_length() -> None:
    """RFC 2831 §2.1.2: fewer than 4096 octets are taken, with directives that nobody knows."""
    said = digest({}) + b",x="
    assert isinstance(digest_talk().say(said + b"x" * (RESPONSE_OCTETS - 1 - len(said))), Challenge)
    assert digest_talk().say(said + b"x" * (RESPONSE_OCTETS - len(said))) is Refusal.MALFORMED


def test_digest_keys_are_hashed_as_the_rfc_says() -> None:
    """RFC 2831 §2.1.2.1: in ISO 8859-1 where that can be, else in UTF-8."""
    for password, octets in (("süß", "süß".encode("latin-1")), ("пароль", "пароль".encode())):
        keys = digest_keys("chris", "r", password)
        assert keys.hashed == hashlib.md5(b"chris:r:" + octets).digest()
        assert parse_digest_keys(str(keys)) == keys


@pytest.mark.parametrize("response", [b"", b"tim", "tïm".encode()])
@pytest.mark.parametrize("initial", [True, False])
def test_external(response: bytes, initial: bool) -> None:
    """RFC 4422 appendix A: whose certificate it is, and whom it wants to act for, or nobody."""
    talk = Talk("EXTERNAL", terms("smtp"), CERTIFIED)
    if not initial:
        assert talk.begin() == Challenge(b"")

    step = talk.begin(response) if initial else talk.say(response)

    assert step == CertificateClaim("tim", response.decode())


@pytest.mark.parametrize("response", [b"\xff", b"t\0m"])
def test_external_malformed(response: bytes) -> None:
    """An identity is text in UTF-8 without NUL."""
    assert Talk("EXTERNAL", terms("smtp"), CERTIFIED).begin(response) is Refusal.MALFORMED


BEARER = f"n,a=user@example.com,\x01host=x\x01port=25\x01auth=Bearer {TOKEN}\x01\x01"
XOAUTH2 = f"user=user@example.com\x01auth=Bearer {TOKEN}\x01\x01"


@pytest.mark.parametrize(
    ("mechanism", "message", "name"),
    [
        ("OAUTHBEARER", BEARER, "user@example.com"),
        ("OAUTHBEARER", f"y,,\x01auth=bearer  {TOKEN}\x01\x01", ""),
        ("OAUTHBEARER", BEARER.replace("user@", "u=2Cs=3Der@"), "u,s=er@example.com"),
        ("XOAUTH2", XOAUTH2, "user@example.com"),
    ],
)
def test_a_token_is_shown(mechanism: str, message: str, name: str) -> None:
    """RFC 7628 §3.1: the token, and whom the client says it is of; as an initial response or asked for."""
    talk = Talk(mechanism, terms("smtp"))
    assert talk.begin() == Challenge(b"")

    assert talk.say(message.encode()) == LoginClaim(login("user@example.com"))
    assert talk.questions == [TokenShown(TOKEN, name)]


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        ("OAUTHBEARER", ""),
        ("OAUTHBEARER", "n,,\x01\x01"),
        ("OAUTHBEARER", BEARER[:-1]),
        ("OAUTHBEARER", BEARER.replace("n,", "p=tls-exporter,", 1)),
        ("OAUTHBEARER", BEARER.replace("Bearer", "Basic")),
        ("OAUTHBEARER", BEARER.replace("auth=", "auht=")),
        ("OAUTHBEARER", BEARER.replace("port=", "host=")),
        ("OAUTHBEARER", BEARER.replace("port=", "port")),
        ("OAUTHBEARER", BEARER.replace(TOKEN, "a b")),
        ("OAUTHBEARER", BEARER.replace(TOKEN, "a\xffb")),
        ("XOAUTH2", ""),
        ("XOAUTH2", XOAUTH2[:-1]),
        ("XOAUTH2", XOAUTH2.replace("user=", "")),
        ("XOAUTH2", XOAUTH2.replace("auth=", "")),
    ],
)
def test_what_shows_no_token(mechanism: str, message: str) -> None:
    """RFC 7628 §3.1: what does not have the form is refused; nothing is asked of anybody."""
    talk = Talk(mechanism, terms("smtp"))

    assert talk.begin(message.encode()) is Refusal.MALFORMED
    assert talk.questions == []


@pytest.mark.parametrize(
    ("mechanism", "message", "told"),
    [
        ("OAUTHBEARER", BEARER, b'{"status": "invalid_token", "scope": "mail"}'),
        ("XOAUTH2", XOAUTH2, b'{"status": "401", "schemes": "bearer", "scope": "mail"}'),
    ],
)
@pytest.mark.parametrize("after", [b"\x01", b""])
def test_a_token_that_is_not_good(mechanism: str, message: str, told: bytes, after: bytes) -> None:
    """RFC 7628 §3.2.3: the client is told why, answers something, and then it has failed."""
    talk = Talk(mechanism, terms("smtp"))

    assert asked(talk.begin(message.replace(TOKEN, "another").encode())) == told
    assert talk.say(after) is Refusal.DENIED


def test_a_token_that_is_not_good_and_a_client_that_cancels() -> None:
    """An asterisk ends it, too."""
    talk = Talk("OAUTHBEARER", terms("smtp"))
    talk.begin(BEARER.replace(TOKEN, "another").encode())

    assert talk.cancel() is Refusal.CANCELLED


NAMES = sorted(set(MECHANISMS) - {"EXTERNAL"})


@given(st.sampled_from(NAMES), st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_whatever_comes_nothing_raises(name: str, responses: list[bytes]) -> None:
    """Each step of each mechanism answers octets of any kind with a step."""
    talk = Talk(name, terms("smtp"), ENCRYPTION)
    step = talk.begin()
    for response in responses:
        if not isinstance(step, Challenge):
            break
        step = talk.say(response)
    assert not isinstance(step, LoginClaim)


def test_secrets_do_not_show() -> None:
    """No key, token or digest gets into a log by way of a repr."""
    scram_ones = parse_scram_keys(SECRETS["user", "scram-sha-256"])
    assert scram_ones is not None
    shown = repr([scram_ones, cram_keys(b"x"), digest_keys("a", "b", "c"), TokenShown(TOKEN)])

    assert TOKEN not in shown
    assert "key=" not in shown and "outer" not in shown and "hashed" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "x",
        "SCRAM-SHA-512$4096:QQ==$QQ==:QQ==",
        "SCRAM-SHA-256$4096:QQ==$QQ==:QQ==",
        SECRETS["user", "scram-sha-256"].replace("4096", "0"),
        SECRETS["user", "scram-sha-256"].replace("4096", str(MOST_ITERATIONS + 1)),
        SECRETS["user", "scram-sha-256"].replace("SHA-256", "SHA-1"),
        SECRETS["user", "scram-sha-256"].replace("$4096:", "$4096:="),
    ],
)
def test_scram_keys_that_are_none(text: str) -> None:
    """What is stored and has no sense lets nobody in."""
    assert parse_scram_keys(text) is None


def test_scram_keys_as_others_write_them() -> None:
    """Dovecot's form says the same, and is written as RFC 5803 §2 has it."""
    vector = VECTORS["scram-sha-256-rfc7677"]
    dovecot = "{{SCRAM-SHA-256}}4096,{salt_base64},{stored_key_base64},{server_key_base64}".format(**vector)

    assert str(parse_scram_keys(dovecot)) == SECRETS["user", "scram-sha-256"]


@pytest.mark.parametrize("text", ["", "{CRAM-MD5}", "{CRAM-MD5}" + "g" * 64, "{CRAM-MD5}" + "0" * 63])
def test_cram_and_digest_keys_that_are_none(text: str) -> None:
    """Likewise."""
    assert parse_cram_keys(text) is None
    assert parse_digest_keys(text.replace("CRAM", "DIGEST")) is None
