"""Accounts for exchanges: those of the RFCs' examples, and what a service answers to a mechanism's questions."""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from mailsuite.encryption import Encryption
from mailsuite.meaning import Login, Mailbox, Secret
from mailsuite.sasl.claims import Claim, LoginClaim, PasswordClaim, Proof, Question, SecretWanted
from mailsuite.sasl.cram_keys import cram_keys
from mailsuite.sasl.digest_keys import digest_keys
from mailsuite.sasl.scram_keys import scram_keys
from mailsuite.sasl.terms import Terms

VECTORS: dict[str, dict[str, Any]] = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parent / "data" / "vectors.json").read_text())["vectors"]
}
NONCE = "3rfcNHYJY1ZVvWVs7j"
TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
CERTIFIED = Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", (b"certificate of tim",), "")
BOUND = {"tls-exporter": b"what both ends know", "tls-server-end-point": b"a certificate"}


def login(name: str) -> Login:
    """Return the login *name*."""
    return Login(1, name, Mailbox(1, f"example.org/{name}"))


def _scram(vector: str) -> str:
    found = VECTORS[vector]
    return str(scram_keys(found["mechanism"], "pencil", b64decode(found["salt_base64"]), 4096))


SECRETS = {
    ("user", "scram-sha-1"): _scram("scram-sha-1-rfc5802"),
    ("user", "scram-sha-256"): _scram("scram-sha-256-rfc7677"),
    ("tim", "cram-md5"): str(cram_keys(b"tanstaaftanstaaf")),
    ("mrose", "apop"): b64encode(b"tanstaaf").decode(),
    ("chris", "digest-md5"): str(digest_keys("chris", "elwood.innosoft.com", "secret")),
}


def answer(question: Question) -> Any:
    """Answer as a service does that knows these accounts."""
    if isinstance(question, SecretWanted):
        found = SECRETS.get((question.name, question.kind))
        if found is not None:
            return Secret(login(question.name), found)
        return Secret(None, next(stored for (_, kind), stored in SECRETS.items() if kind == question.kind))
    if isinstance(question, Proof):
        acting = question.authorize in ("", question.name)
        return question.owner if question.right and acting else None
    return login("user@example.com") if question.token == TOKEN else None


def good(claim: Claim, password: str) -> bool:
    """Say whether *claim* lets somebody in; *password* is everybody's."""
    if isinstance(claim, PasswordClaim):
        return claim.password == password
    return isinstance(claim, LoginClaim) or claim.authorize in ("", claim.name)


def terms(service: str, nonce: str = NONCE, *allowed: str, hostname: str = "mail.example.org") -> Terms:
    """Return terms under which everything is served, and the certificate of `CERTIFIED` is tim's."""
    return Terms(
        service,
        hostname,
        allowed,
        serves=lambda need: True,
        nonce=lambda: nonce,
        account_of=lambda encryption: "tim" if encryption.chain == CERTIFIED.chain else "",
        scope="mail",
    )
