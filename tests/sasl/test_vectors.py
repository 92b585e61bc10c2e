"""The worked examples of the RFCs, server side: all that are for a mechanism of ours, or what it stands on."""

import hmac

import pytest

from mailsuite.sasl.claims import LoginClaim, PasswordClaim, Proof, TokenShown
from mailsuite.sasl.cram_keys import cram_keys, parse_cram_keys
from mailsuite.sasl.scram_keys import parse_scram_keys
from mailsuite.sasl.terms import MECHANISMS
from tests.sasl.store import SECRETS, TOKEN, VECTORS, login, terms
from tests.sasl.talk import Talk, asked, encoded


@pytest.mark.parametrize("name", ["hmac-md5-rfc2104-2", "hmac-md5-rfc2104-3", "hmac-md5-rfc2104-4"])
def test_hmac_md5_from_keys_that_are_kept_half_done(name: str) -> None:
    """RFC 2104 §4: the states of the hash are enough, also after they were stored."""
    vector = VECTORS[name]
    key, data = bytes.fromhex(vector["key_hex"]), bytes.fromhex(vector["data_hex"])
    assert hmac.new(key, data, "md5").hexdigest() == vector["digest"]

    kept = parse_cram_keys(str(cram_keys(key)))

    assert kept is not None
    assert kept.digest(data).decode() == vector["digest"]


@pytest.mark.parametrize("name", ["plain-rfc4616-1", "plain-rfc4616-2", "plain-rfc4954"])
def test_plain(name: str) -> None:
    """RFC 4616 §4, RFC 4954 §4: whoever acts for another is told apart."""
    vector = VECTORS[name]

    step = Talk("PLAIN", terms("smtp")).begin(encoded(vector["message_base64"]))

    assert step == PasswordClaim(vector["authcid"], vector["password"], vector["authzid"])


def test_cram_md5() -> None:
    """RFC 2195 §2: the digest of the example's challenge."""
    vector = VECTORS["cram-md5-rfc2195"]
    local, _, host = vector["challenge"].strip("<>").partition("@")
    talk = Talk("CRAM-MD5", terms("smtp", local, hostname=host))

    assert asked(talk.begin()) == vector["challenge"].encode() == encoded(vector["challenge_base64"])
    assert talk.say(encoded(vector["response_base64"])) == LoginClaim(login("tim"))
    assert talk.questions[-1] == Proof("tim", login("tim"), True)


@pytest.mark.parametrize("name", ["scram-sha-1-rfc5802", "scram-sha-256-rfc7677"])
def test_scram(name: str) -> None:
    """RFC 5802 §5, RFC 7677 §3: each message, and the keys that are kept."""
    vector = VECTORS[name]
    mechanism = vector["mechanism"]
    talk = Talk(mechanism, terms("smtp", vector["server_nonce"]))

    assert asked(talk.begin(vector["client_first"].encode())) == vector["server_first"].encode()
    assert asked(talk.say(vector["client_final"].encode())) == vector["server_final"].encode()
    assert talk.say(b"") == LoginClaim(login("user"))
    kept = SECRETS["user", mechanism.lower()]
    assert kept == (
        f"{mechanism}${vector['iterations']}:{vector['salt_base64']}"
        f"${vector['stored_key_base64']}:{vector['server_key_base64']}"
    )
    keys = parse_scram_keys(kept)
    assert keys is not None and keys.fit("pencil") and not keys.fit("pen")


@pytest.mark.parametrize("name", ["digest-md5-rfc2831-imap", "digest-md5-rfc2831-acap"])
def test_digest_md5(name: str) -> None:
    """RFC 2831 §4: the response of the example, and what proves the server."""
    vector = VECTORS[name]
    service = vector["digest_uri"].partition("/")[0]
    talk = Talk("DIGEST-MD5", terms(service, vector["nonce"], hostname=vector["realm"]))

    assert asked(talk.begin()) == (
        f'realm="{vector["realm"]}",nonce="{vector["nonce"]}",qop="auth",charset=utf-8,algorithm=md5-sess'.encode()
    )
    response = (
        f'charset=utf-8,username="{vector["username"]}",realm="{vector["realm"]}",nonce="{vector["nonce"]}",'
        f'nc={vector["nc"]},cnonce="{vector["cnonce"]}",digest-uri="{vector["digest_uri"]}",'
        f'response={vector["response"]},qop={vector["qop"]}'
    )
    assert asked(talk.say(response.encode())) == f"rspauth={vector['rspauth']}".encode()
    assert talk.say(b"") == LoginClaim(login("chris"))


def test_oauthbearer() -> None:
    """RFC 7628 §4.1."""
    vector = VECTORS["oauthbearer-rfc7628-imap"]
    talk = Talk("OAUTHBEARER", terms("imap"))

    assert talk.begin(encoded(vector["message_base64"])) == LoginClaim(login(vector["username"]))
    assert talk.questions == [TokenShown(vector["token"], vector["username"])]
    assert vector["token"] == TOKEN


def test_nobody_is_anonymous() -> None:
    """RFC 4505 is not for mail servers."""
    assert "ANONYMOUS" not in MECHANISMS


def test_every_vector_has_its_test() -> None:
    """None is forgotten; APOP, which is POP3's own, is no mechanism of SASL."""
    tried = {"hmac-md5-rfc2104-2", "hmac-md5-rfc2104-3", "hmac-md5-rfc2104-4", "plain-rfc4616-1", "plain-rfc4616-2"}
    tried |= {"plain-rfc4954", "cram-md5-rfc2195", "scram-sha-1-rfc5802", "scram-sha-256-rfc7677"}
    tried |= {"digest-md5-rfc2831-imap", "digest-md5-rfc2831-acap", "oauthbearer-rfc7628-imap", "anonymous-rfc4505"}

    assert set(VECTORS) - tried == {"apop-rfc1939"}
