"""Tokens that their issuer has signed (RFC 7519): read here, by its public keys, without asking anybody."""

from collections.abc import Callable

import jwt
from jwt.exceptions import PyJWTError
from zope.interface import implementer

from mailsuite.interfaces import ITokens
from mailsuite.tokens.keys import IssuerKeys
from mailsuite.tokens.rules import Rules, seconds

# RFC 8725 §3.1: those that are taken are said here, not by the token. By public keys alone.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# The claims are judged by `Rules`, with the time that we are given.
_OPTIONS = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub")}


@implementer(ITokens)
class SignedTokens:
    """Judges tokens by *rules* and *keys*; *now* gives POSIX seconds."""

    def __init__(self, rules: Rules, keys: IssuerKeys, now: Callable[[], float]) -> None:
        self._rules = rules
        self._keys = keys
        self._now = now

    async def owner(self, token: str) -> str | None:
        """See `ITokens.owner`. Raises `NoKeys`."""
        try:
            header = jwt.get_unverified_header(token)
        except (PyJWTError, ValueError):
            return None
        identity = header.get("kid", "")
        if header.get("alg") not in ALGORITHMS or not isinstance(identity, str):
            return None
        key = await self._keys.find(identity)
        # RFC 8725 §3.1: each key is for one algorithm.
        if key is None or key.algorithm_name != header["alg"]:
            return None
        try:
            claims = jwt.decode(token, key=key.key, algorithms=[key.algorithm_name], options=_OPTIONS)  # type: ignore[arg-type]
        except (PyJWTError, ValueError):
            return None
        # Nobody can take such a token back: it has to end by itself.
        return None if seconds(claims.get("exp")) is None else self._rules.owner(claims, self._now())
