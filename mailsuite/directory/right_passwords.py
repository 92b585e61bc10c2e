"""Right passwords, remembered for a while and never kept: who logs in every minute costs no slow hash each time.

What is kept is a hash by a key that is drawn when the process starts and never leaves it. It is made of the password
and of all that made it right: whose it was, which credential, and that one's stored form. So a password that is
changed is forgotten by that alone, whoever has changed it. A wrong password is never remembered as anything.
"""

import hmac
import secrets
from collections.abc import Callable
from hashlib import blake2b

from mailsuite.directory.records import Credential

# The last of so many passwords that were right are remembered: some 300 octets each.
REMEMBERED = 100_000
_DIGEST_OCTETS = 16


class RightPasswords:
    """Remembers for *ttl* seconds which passwords were right; not at all where that is 0. *seconds* tells the time."""

    def __init__(self, seconds: Callable[[], float], ttl: float, most: int = REMEMBERED) -> None:
        self._seconds = seconds
        self._ttl = ttl
        self._most = most
        self._key = secrets.token_bytes(32)
        # The hash for a credential and the time when it was kept; the oldest first.
        self._kept: dict[tuple[str, int], tuple[bytes, float]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def holds(self, name: str, credential: Credential, octets: bytes) -> bool:
        """Say whether *octets* are remembered as the password of *credential*, which the login *name* has now."""
        kept = self._kept.get((name, credential.id))
        if kept is None or not 0 <= self._seconds() - kept[1] < self._ttl:
            return False
        return hmac.compare_digest(kept[0], self._digest(name, credential, octets))

    def keep(self, name: str, credential: Credential, octets: bytes) -> None:
        """Remember *octets*, which were found right a moment ago."""
        if not self._ttl:
            return
        now, place = self._seconds(), (name, credential.id)
        self._kept.pop(place, None)
        self._kept[place] = (self._digest(name, credential, octets), now)
        # What is past its time is not kept in memory either.
        while len(self._kept) > self._most or not 0 <= now - next(iter(self._kept.values()))[1] < self._ttl:
            del self._kept[next(iter(self._kept))]

    def _digest(self, name: str, credential: Credential, octets: bytes) -> bytes:
        digest = blake2b(key=self._key, digest_size=_DIGEST_OCTETS)
        for part in (name.encode(), b"%d" % credential.id, credential.stored.encode(), octets):
            # Each with its length: no two sets of parts are the same octets.
            digest.update(b"%d:" % len(part))
            digest.update(part)
        return digest.digest()
