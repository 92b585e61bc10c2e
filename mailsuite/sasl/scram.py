"""SCRAM (RFC 5802, RFC 7677), client side, without channel binding: each side proves that it knows the password."""

import hashlib
import hmac
import re
from base64 import b64encode
from typing import ClassVar

from mailsuite.sasl.base64_text import decoded
from mailsuite.sasl.initiator import Secret, Unfit
from mailsuite.sasl.saslprep import Unprepared, saslprep

# RFC 5802 §5.1, RFC 7677 §4: fewer than the first make the password cheap to guess for who plays the server; more
# than the second would hold up everybody else (RFC 5802 §9: a client has to guard against that).
FEWEST_ITERATIONS = 4096
MOST_ITERATIONS = 100_000
# The longest challenge and the longest salt that are looked at.
CHALLENGE_OCTETS = 2048
SALT_OCTETS = 512

# gs2-header: no channel binding, no authzid; and its base64, as the last message repeats it (§7).
_GS2 = b"n,,"
_BINDING = b"c=" + b64encode(_GS2)
# server-first-message = nonce "," salt "," iteration-count ["," extensions]; printable excludes the comma (§7).
# One that begins with reserved-mext must fail (§5.1, m), and does.
_FIRST = re.compile(rb"r=([!-+\--~]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})(?:,.*)?", re.DOTALL)
# server-final-message = (server-error / verifier) ["," extensions]
_FINAL = re.compile(rb"v=([A-Za-z0-9+/]+={0,2})(?:,.*)?", re.DOTALL)
_NONCE = re.compile(r"[!-+\--~]{8,256}")


class Scram:
    """One exchange; a subclass names the hash."""

    name: ClassVar[str]
    strength: ClassVar[int]
    hash_name: ClassVar[str]

    def __init__(self, secret: Secret) -> None:
        if not _NONCE.fullmatch(secret.nonce):
            raise Unfit("SCRAM needs a nonce of printable ASCII without a comma")
        try:
            # §5.1: the name as a query string, the password as a stored one (§2.2).
            name, password = saslprep(secret.name, stored=False), saslprep(secret.password)
        except Unprepared as error:
            raise Unfit(f"SCRAM cannot carry it: {error}") from error
        if not name or not password:
            raise Unfit("SCRAM carries no empty name or password")
        self.proved = False
        self._password = password.encode()
        self._nonce = secret.nonce.encode()
        self._bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={secret.nonce}".encode()
        self._begun = False
        # What the server's last message has to prove.
        self._signature = b""

    def begin(self) -> bytes | None:
        """See `Initiator.begin`: client-first-message."""
        return _GS2 + self._bare

    def respond(self, challenge: bytes) -> bytes | None:
        """See `Initiator.respond`: client-final-message, then nothing more where the server has proved itself."""
        if len(challenge) > CHALLENGE_OCTETS or self.proved:
            return None
        if not self._begun:
            self._begun = True
            return self._prove(challenge)
        return self._check(challenge)

    def _prove(self, challenge: bytes) -> bytes | None:
        found = _FIRST.fullmatch(challenge)
        if found is None:
            return None
        nonce, salt, iterations = found[1], decoded(found[2]), int(found[3])
        # §5.1: the server's nonce goes on from ours, and has something of its own.
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            return None
        if not salt or len(salt) > SALT_OCTETS or not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            return None
        # §3, the whole of it.
        salted = hashlib.pbkdf2_hmac(self.hash_name, self._password, salt, iterations)
        client_key = self._hmac(salted, b"Client Key")
        stored_key = hashlib.new(self.hash_name, client_key).digest()
        final = _BINDING + b",r=" + nonce
        spoken = self._bare + b"," + challenge + b"," + final
        proof = bytes(a ^ b for a, b in zip(client_key, self._hmac(stored_key, spoken), strict=True))
        self._signature = self._hmac(self._hmac(salted, b"Server Key"), spoken)
        return final + b",p=" + b64encode(proof)

    def _check(self, challenge: bytes) -> bytes | None:
        found = _FINAL.fullmatch(challenge)
        signature = None if found is None else decoded(found[1])
        if not self._signature or signature is None or not hmac.compare_digest(signature, self._signature):
            return None
        self.proved = True
        return b""

    def _hmac(self, key: bytes, text: bytes) -> bytes:
        return hmac.digest(key, text, self.hash_name)
