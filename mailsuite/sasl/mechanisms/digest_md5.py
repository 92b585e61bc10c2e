"""DIGEST-MD5 (RFC 2831), server side; historic (RFC 6331). Nothing is kept for it unless the operator asks for that.

Authentication alone (``qop=auth``): TLS protects what follows better than its own layers. No reauthentication.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from mailsuite.meaning import Login, Secret
from mailsuite.sasl.claims import Challenge, LoginClaim, Proof, Refusal, SecretWanted, Step
from mailsuite.sasl.digest_keys import md5, parse_digest_keys
from mailsuite.sasl.mechanism import Context, Mechanism

# RFC 2831 §2.1.2: the response is shorter than this.
RESPONSE_OCTETS = 4096

# §7.1: a list as HTTP has them, of tokens and quoted strings.
_DIRECTIVE = re.compile(
    rb'[ \t\r\n,]*([a-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t\r\n]*(?:,|$)', re.DOTALL
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NEEDED = frozenset({b"username", b"nonce", b"cnonce", b"nc", b"digest-uri", b"response"})


class DigestMd5(Mechanism):
    """The server asks, and proves itself afterwards."""

    name: ClassVar[str] = "DIGEST-MD5"
    strength: ClassVar[int] = 26
    needs: ClassVar[str] = "digest-md5"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._said: Mapping[bytes, bytes] = {}
        self._name = self._authorize = ""
        self._answer = b""
        self._login: Login | None = None

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`. An initial response would be a reauthentication (§2.2), which we do not keep."""
        if response is not None:
            return Refusal.UNASKED
        realm, nonce = self.context.hostname, self.context.nonce
        return Challenge(
            f'realm="{realm}",nonce="{nonce}",qop="auth",charset=utf-8,algorithm=md5-sess'.encode("ascii", "replace")
        )

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`."""
        if self._login is not None:
            # RFC 4954 §4, RFC 5034 §4: what goes with success is a challenge, and its answer is empty.
            return Refusal.MALFORMED if response else LoginClaim(self._login)
        said = _directives(response)
        if said is None or not set(said) >= _NEEDED:
            return Refusal.MALFORMED
        charset = "utf-8" if said.get(b"charset") == b"utf-8" else "iso-8859-1"
        try:
            self._name = said[b"username"].decode(charset)
            self._authorize = said.get(b"authzid", b"").decode("utf-8")
        except UnicodeDecodeError:
            return Refusal.MALFORMED
        # §2.1.2: the nonce is ours and its count begins; of the URI the service counts, hosts have many names.
        fits = said[b"nonce"] == self.context.nonce.encode("ascii") and said[b"nc"] == b"00000001"
        fits = fits and said.get(b"qop", b"auth") == b"auth"
        if not fits or not said[b"digest-uri"].startswith(self.context.service.encode("ascii") + b"/"):
            return Refusal.MALFORMED
        self._said = said
        return SecretWanted(self._name, self.needs)

    def answered(self, answer: Any) -> Step:
        """See `Mechanism.answered`: the keys, then the login."""
        if isinstance(answer, Secret):
            return self._prove(answer)
        if not isinstance(answer, Login):
            return Refusal.DENIED
        self._login = answer
        return Challenge(b"rspauth=" + self._answer)

    def _prove(self, secret: Secret) -> Step:
        said = self._said
        keys = parse_digest_keys(secret.stored)
        if keys is None:
            return Refusal.DENIED
        parts = [keys.hashed, said[b"nonce"], said[b"cnonce"]]
        if self._authorize:
            parts.append(said[b"authzid"])
        session = md5(b":".join(parts)).hex().encode("ascii")
        wanted = self._digest(session, b"AUTHENTICATE:")
        self._answer = self._digest(session, b":")
        right = hmac.compare_digest(wanted, said[b"response"]) and said.get(b"realm", b"") == keys.realm.encode()
        return Proof(self._name, secret.owner, right, self._authorize, self.needs, secret.stored)

    def _digest(self, session: bytes, method: bytes) -> bytes:
        """§2.1.2.1, and with another *method* §2.1.3."""
        said = self._said
        uri = md5(method + said[b"digest-uri"]).hex().encode("ascii")
        digest = md5(b":".join((session, said[b"nonce"], said[b"nc"], said[b"cnonce"], b"auth", uri)))
        return digest.hex().encode("ascii")


def _directives(text: bytes) -> Mapping[bytes, bytes] | None:
    """Return what a digest-response says (§7.1); ``None`` where it is none, or says a thing twice."""
    said: dict[bytes, bytes] = {}
    if len(text) >= RESPONSE_OCTETS:
        return None
    start = 0
    while start < len(text):
        found = _DIRECTIVE.match(text, start)
        if found is None or found[1] in said:
            return None
        said[found[1]] = found[3] if found[2] is None else _ESCAPED.sub(rb"\1", found[2])
        start = found.end()
    return said


PART = DigestMd5
