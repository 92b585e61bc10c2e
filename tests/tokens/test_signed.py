"""Tokens that are signed: by which keys, by which algorithms, and what becomes of those that are not good."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Awaitable

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import ITokens
from mailsuite.tokens.keys import AGAIN_SECONDS, KEEP_SECONDS, KEYS, SET_OCTETS, IssuerKeys, NoKeys, parse_keys
from mailsuite.tokens.rules import Rules
from mailsuite.tokens.signed import SignedTokens
from tests.delivery.web import FixedWeb
from tests.tokens.issuer import CLAIMS, ISSUER, NOW, Issuer

URL = "https://id.example.org/jwks.json"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """One issuer for all tests: keys take their time."""
    return Issuer()


class Site:
    """Judges tokens by keys at *place*; a path is read from *files*."""

    def __init__(self, place: str = URL) -> None:
        self.web = FixedWeb()
        self.files: dict[str, bytes] = {}
        self.now = 0.0
        keys = IssuerKeys(place, self.web, self.read, lambda: self.now)
        self.tokens = SignedTokens(Rules(ISSUER, "mail", "", "email"), keys, lambda: NOW)

    def read(self, path: str, limit: int) -> Awaitable[bytes]:
        """Read a file."""
        assert limit == SET_OCTETS
        return succeed(self.files[path]) if path in self.files else fail(OSError("no such file"))

    def asking(self, token: str) -> "Deferred[str | None]":
        """Begin to judge *token*."""
        return Deferred.fromCoroutine(self.tokens.owner(token))

    def owner(self, token: str) -> str | None:
        """Judge *token*."""
        return SynchronousTestCase().successResultOf(self.asking(token))


@pytest.fixture
def site(issuer: Issuer) -> Site:
    """A site that can fetch the issuer's keys."""
    site = Site()
    site.web.documents[URL] = ("application/json", issuer.document())
    return site


def test_it_judges_tokens(site: Site) -> None:
    """The interface."""
    assert verifyObject(ITokens, site.tokens)


@pytest.mark.parametrize("name", ["RS256", "ES256", "EdDSA"])
def test_signed_by_the_issuer(site: Site, issuer: Issuer, name: str) -> None:
    """Each kind of key; they are fetched once."""
    assert site.owner(issuer.token(name=name)) == "alice@example.org"
    assert site.owner(issuer.token(name=name)) == "alice@example.org"
    assert site.web.asked == [(URL, SET_OCTETS)]


def test_keys_from_a_file(issuer: Issuer) -> None:
    """Read in the same way."""
    site = Site("/etc/keys.json")
    site.files["/etc/keys.json"] = issuer.document()

    assert site.owner(issuer.token()) == "alice@example.org"


def unsigned(claims: dict[str, object], header: dict[str, object]) -> str:
    """Return a token with nothing for a signature."""
    parts = [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (header, claims)]
    return ".".join([*parts, ""])


def test_not_signed_by_the_issuer(site: Site, issuer: Issuer) -> None:
    """RFC 8725 §2.1, §3.1: by another key, by none, by a public key as if it were a secret, for another algorithm."""
    other = Issuer()
    public = issuer.private["RS256"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secret = jwt.utils.base64url_encode(pem).decode()
    assert site.owner(other.token()) is None
    assert site.owner(issuer.token()[:-8]) is None
    assert site.owner(issuer.token(name="RS256", kid="ES256")) is None
    assert site.owner(unsigned(CLAIMS, {"alg": "none", "kid": "RS256"})) is None
    assert site.owner(jwt.encode(CLAIMS, secret, "HS256", headers={"kid": "RS256"})) is None
    head, _, signature = issuer.token().split(".")
    forged = urlsafe_b64encode(json.dumps({**CLAIMS, "email": "bob@example.org"}).encode()).rstrip(b"=").decode()
    assert site.owner(f"{head}.{forged}.{signature}") is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "e30.e30.", "x" * 9000])
def test_no_token_at_all(site: Site, token: str) -> None:
    """Nobody is asked for keys because of it."""
    assert site.owner(token) is None
    assert site.web.asked == []


def test_a_token_has_to_end(site: Site, issuer: Issuer) -> None:
    """Nobody could take it back. And the other rules hold."""
    endless = {name: value for name, value in CLAIMS.items() if name != "exp"}
    assert site.owner(issuer.token(endless)) is None
    assert site.owner(issuer.token({**CLAIMS, "aud": "other"})) is None
    assert site.owner(issuer.token({**CLAIMS, "exp": NOW - 3600})) is None
    assert site.owner(issuer.token({**CLAIMS, "sub": 1})) == "alice@example.org"


def test_new_keys_are_fetched_when_they_are_used(site: Site, issuer: Issuer) -> None:
    """Not more often than once a minute, however many tokens name keys that nobody knows."""
    site.web.documents[URL] = ("application/json", issuer.document("ES256"))
    assert site.owner(issuer.token()) is None
    site.web.documents[URL] = ("application/json", issuer.document())
    site.now = AGAIN_SECONDS - 1
    assert site.owner(issuer.token()) is None
    assert len(site.web.asked) == 1
    site.now = AGAIN_SECONDS
    assert site.owner(issuer.token()) == "alice@example.org"
    assert len(site.web.asked) == 2


def test_old_keys_leave(site: Site, issuer: Issuer) -> None:
    """A key that was taken back is good for an hour; while newer ones cannot be had, it stays."""
    assert site.owner(issuer.token()) == "alice@example.org"
    site.web.documents.clear()
    site.now += KEEP_SECONDS
    assert site.owner(issuer.token()) == "alice@example.org"
    site.web.documents[URL] = ("application/json", issuer.document("ES256"))
    site.now += KEEP_SECONDS - 1
    assert site.owner(issuer.token()) == "alice@example.org"
    site.now += 1
    assert site.owner(issuer.token()) is None


def test_without_keys_nothing_is_known(issuer: Issuer) -> None:
    """That is no word against the token."""
    site = Site()

    SynchronousTestCase().failureResultOf(site.asking(issuer.token()), NoKeys)
    SynchronousTestCase().failureResultOf(site.asking(issuer.token()), NoKeys)
    assert len(site.web.asked) == 1


def test_all_who_wait_for_keys_get_them(site: Site, issuer: Issuer) -> None:
    """They are fetched once, and a slow issuer stops nobody else."""
    site.web.pending = Deferred()
    waiting = [site.asking(issuer.token()) for _ in range(3)]
    assert len(site.web.asked) == 1
    site.web.pending.callback(None)

    assert [SynchronousTestCase().successResultOf(each) for each in waiting] == ["alice@example.org"] * 3


def test_sets_of_keys(issuer: Issuer) -> None:
    """RFC 7517 §5: keys that nobody can use are passed over; secret ones and those for encryption are."""
    good, other = issuer.keys("RS256", "ES256")
    odd = [{}, 1, {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, {"kty": "RSA"}, {**other, "use": "enc"}]

    assert set(parse_keys(json.dumps({"keys": [*odd, good]}).encode())) == {"RS256"}
    assert parse_keys(b'{"keys": []}') == {}
    assert len(parse_keys(json.dumps({"keys": [good] * KEYS}).encode())) == 1
    for bad in (b"", b"[]", b"{}", b'{"keys": 1}', json.dumps({"keys": [good] * (KEYS + 1)}).encode()):
        with pytest.raises(ValueError):
            parse_keys(bad)


def test_one_key_without_a_name(issuer: Issuer) -> None:
    """A set of one needs none, and a token need not name it."""
    site = Site()
    (key,) = issuer.keys("ES256")
    del key["kid"]
    site.web.documents[URL] = ("application/json", json.dumps({"keys": [key]}).encode())

    assert site.owner(jwt.encode(CLAIMS, issuer.private["ES256"], "ES256")) == "alice@example.org"
