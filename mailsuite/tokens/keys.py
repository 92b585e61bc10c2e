"""The keys by which an issuer signs (RFC 7517): from a file, or fetched over HTTPS and kept for a while."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailsuite.interfaces import IWebClient
from mailsuite.meaning import CannotJudge

# A set of keys is no larger, and has no more of them.
SET_OCTETS = 262_144
KEYS = 100
# How long keys are good for, in seconds, and how soon they may be fetched again for one that is not among them.
KEEP_SECONDS = 3600.0
AGAIN_SECONDS = 60.0

_log = Logger()


class NoKeys(CannotJudge):
    """There are no keys to look at a token by: nothing is known about it."""


class IssuerKeys:
    """The keys at *place*, a path or an https URL; *seconds* is a monotonic clock, *read* reads a file in a thread.

    While there are none, or none that can be read, logins by token are put off; keys that we have are used on for as
    long as newer ones cannot be had.
    """

    def __init__(
        self,
        place: str,
        web: IWebClient,
        read: Callable[[str, int], Awaitable[bytes]],
        seconds: Callable[[], float],
    ) -> None:
        self._place = place
        self._web = web
        self._read = read
        self._seconds = seconds
        self._keys: Mapping[str, PyJWK] = {}
        self._tried = float("-inf")
        self._waiting: list[Deferred[None]] | None = None

    async def find(self, identity: str) -> PyJWK | None:
        """Return the key *identity* (``kid``; empty where a set has one key only). Raises `NoKeys`."""
        since = self._seconds() - self._tried
        if since >= KEEP_SECONDS or (self._find(identity) is None and since >= AGAIN_SECONDS):
            await self._fetch()
        if not self._keys:
            raise NoKeys(f"there are no keys from {self._place}")
        return self._find(identity)

    def _find(self, identity: str) -> PyJWK | None:
        if not identity and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(identity)

    async def _fetch(self) -> None:
        """Fetch the keys, once for all who wait for them."""
        if self._waiting is not None:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
            return
        self._waiting = []
        try:
            self._keys = parse_keys(await self._octets()) or self._keys
        except Exception as error:
            _log.error("The keys of the issuer of tokens cannot be had from {place}: {reason}", place=self._place,
                       reason=str(error) or type(error).__name__)
        finally:
            self._tried = self._seconds()
            waiting, self._waiting = self._waiting, None
            for turn in waiting:
                turn.callback(None)

    async def _octets(self) -> bytes:
        if self._place.startswith("https://"):
            return (await self._web.get(self._place, SET_OCTETS))[1]
        return await self._read(self._place, SET_OCTETS)


def parse_keys(octets: bytes) -> Mapping[str, PyJWK]:
    """Return the public keys for signatures in a set (RFC 7517 §5), by their identities.

    Those that we cannot use are left out (§5); secret ones (``oct``) are, since a token that is signed by what others
    have to know would prove nothing. Raises `ValueError`.
    """
    said = json.loads(octets)
    listed = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS:
        raise ValueError("that is no set of keys, or one of too many")
    found: dict[str, PyJWK] = {}
    for each in listed:
        if isinstance(each, dict) and each.get("kty") != "oct" and each.get("use", "sig") == "sig":
            key = _key(each)
            if key is not None:
                found[key.key_id or ""] = key
    return found


def _key(said: dict[str, Any]) -> PyJWK | None:
    try:
        return PyJWK.from_dict(said)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
