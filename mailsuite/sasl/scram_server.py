"""SCRAM (RFC 5802, RFC 7677), server side: each side proves what it knows, and the password never crosses the wire."""

import hashlib
import hmac
import re
from base64 import b64encode
from typing import Any, ClassVar

from mailsuite.meaning import Login, Secret
from mailsuite.sasl.base64_text import decoded
from mailsuite.sasl.claims import Challenge, LoginClaim, Proof, Refusal, SecretWanted, Step
from mailsuite.sasl.mechanism import Context, Mechanism
from mailsuite.sasl.saslprep import Unprepared, saslprep
from mailsuite.sasl.scram_keys import HASHES, ScramKeys, parse_scram_keys

# The channel bindings that we can have (RFC 9266, RFC 5929 §4): what is at hand first.
BINDINGS = ("tls-exporter", "tls-server-end-point")
# The longest nonce of a client that is taken; they have some twenty characters.
NONCE_OCTETS = 256

# client-first-message = gs2-cbind-flag "," [authzid] "," username "," nonce ["," extensions] (RFC 5802 §7). One that
# begins with reserved-mext must fail (§5.1, m), and does.
_FIRST = re.compile(
    rb"((?:n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,]+))?,)(n=([^,]+),r=([!-+\--~]+)(?:,.*)?)", re.DOTALL
)
# client-final-message = channel-binding "," nonce ["," extensions] "," proof
_FINAL = re.compile(rb"(c=([A-Za-z0-9+/]+={0,2}),r=([!-+\--~]+)(?:,.*)?),p=([A-Za-z0-9+/]+={0,2})", re.DOTALL)
# saslname: a comma is written =2C, an equals sign =3D, and nothing else has an equals sign (§5.1, n).
_ESCAPES = re.compile("=(?:2C|3D)|=")
_NO_SECRET = Secret(None, "")


class ScramServer(Mechanism):
    """One exchange; a subclass names the mechanism. Where that ends in ``-PLUS`` it binds the channel."""

    binds: ClassVar[bool] = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._family = self.name.removesuffix("-PLUS")
        self._name = self._authorize = ""
        self._secret = _NO_SECRET
        self._keys: ScramKeys | None = None
        # What the client's last message has to repeat.
        self._gs2 = self._binding = self._nonce = b""
        # client-first-message-bare, then with server-first-message behind it.
        self._spoken = b""
        self._signature = b""
        self._login: Login | None = None

    @classmethod
    def fits(cls, context: Context) -> bool:
        """See `Mechanism.fits`: -PLUS needs something to bind."""
        return not cls.binds or any(context.binding(kind) is not None for kind in BINDINGS)

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`: the client speaks first."""
        return Challenge(b"") if response is None else self.step(response)

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`."""
        if self._login is not None:
            # RFC 4954 §4, RFC 5034 §4: what goes with success is a challenge, and its answer is empty.
            return Refusal.MALFORMED if response else LoginClaim(self._login)
        return self._first(response) if self._keys is None else self._final(response)

    def answered(self, answer: Any) -> Step:
        """See `Mechanism.answered`: the keys, then the login."""
        if self._keys is None:
            return self._ask(answer)
        self._login = answer
        if answer is None:
            return Refusal.DENIED
        return Challenge(b"v=" + b64encode(self._signature))

    def _first(self, message: bytes) -> Step:
        found = _FIRST.fullmatch(message)
        if found is None or len(found[6]) > NONCE_OCTETS:
            return Refusal.MALFORMED
        flag = found[1][:1]
        binding = self.context.binding(found[2].decode("ascii")) if found[2] else b""
        # RFC 5802 §6: the flag goes with the mechanism; a binding that we do not have is refused; and "y" says that
        # the client saw no -PLUS where we did offer it: somebody has taken it out of the list.
        if self.binds != (flag == b"p") or binding is None:
            return Refusal.MALFORMED
        if flag == b"y" and f"{self._family}-PLUS" in self.context.offered:
            return Refusal.DENIED
        name, authorize = _name(found[5]), _name(found[3]) if found[3] else ""
        if not name or authorize is None:
            return Refusal.MALFORMED
        self._name, self._authorize = name, authorize
        self._gs2, self._binding = found[1], binding
        self._spoken = found[4]
        self._nonce = found[6] + self.context.nonce.encode("ascii")
        return SecretWanted(name, self.needs)

    def _ask(self, secret: Secret) -> Step:
        keys = parse_scram_keys(secret.stored)
        if keys is None:
            return Refusal.DENIED
        self._keys, self._secret = keys, secret
        challenge = b"r=%s,s=%s,i=%d" % (self._nonce, b64encode(keys.salt), keys.iterations)
        self._spoken += b"," + challenge
        return Challenge(challenge)

    def _final(self, message: bytes) -> Step:
        found = _FINAL.fullmatch(message)
        keys = self._keys
        if found is None or keys is None:
            return Refusal.MALFORMED
        binding, proof = decoded(found[2]), decoded(found[4])
        if binding is None or proof is None or found[3] != self._nonce:
            return Refusal.MALFORMED
        # §3: the client's key is what the proof leaves of the signature; its hash is all that we keep of it.
        spoken = self._spoken + b"," + found[1]
        hash_name = HASHES[self._family]
        signature = hmac.digest(keys.stored_key, spoken, hash_name)
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        right = hmac.compare_digest(hashlib.new(hash_name, client_key).digest(), keys.stored_key)
        # §6: the channel is the one that the client has bound, or somebody stands between.
        bound = hmac.compare_digest(binding, self._gs2 + self._binding)
        self._signature = hmac.digest(keys.server_key, spoken, hash_name)
        right = right and bound and len(proof) == len(signature)
        secret = self._secret
        return Proof(self._name, secret.owner, right, self._authorize, self.needs, secret.stored)


def _name(octets: bytes) -> str | None:
    """Return what a saslname says, prepared (RFC 5802 §5.1); ``None`` where it is none."""
    try:
        text = octets.decode("utf-8")
        if "=" in _ESCAPES.findall(text):
            return None
        return saslprep(text.replace("=2C", ",").replace("=3D", "="), stored=False)
    except (UnicodeDecodeError, Unprepared):
        return None
