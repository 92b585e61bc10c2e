"""An issuer of tokens: its keys, what it signs, and what is said about its tokens."""

import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

NOW = 1_800_000_000.0
ISSUER = "https://id.example.org"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "mail",
    "exp": NOW + 300,
    "nbf": NOW - 300,
    "scope": "openid mail",
    "email": "alice@example.org",
}


class Issuer:
    """Signs by a key of each kind."""

    def __init__(self) -> None:
        self.private: dict[str, Any] = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }

    def keys(self, *names: str) -> list[dict[str, Any]]:
        """Return the public keys (RFC 7517), each called as its algorithm."""
        makers = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        found = []
        for name in names or self.private:
            public = makers[name].to_jwk(self.private[name].public_key(), as_dict=True)  # type: ignore[attr-defined]
            found.append({**public, "kid": name, "alg": name, "use": "sig"})
        return found

    def document(self, *names: str) -> bytes:
        """Return them as they are published."""
        return json.dumps({"keys": self.keys(*names)}).encode()

    def token(self, claims: dict[str, Any] = CLAIMS, name: str = "RS256", kid: str | None = None) -> str:
        """Return a token that says *claims*."""
        return jwt.encode(claims, self.private[name], name, headers={"kid": name if kid is None else kid})
