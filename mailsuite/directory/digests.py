"""Hashes of one round, as LDAP servers write them: a scheme in braces, then a digest, perhaps with a salt, in base64.

passlib knows them too, and takes ten times as long over one: it asks all of its schemes whose it is.
"""

import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from hashlib import md5, sha1, sha256, sha512
from typing import Any, NamedTuple

_FORM = re.compile(r"\{(SHA|MD5|SSHA|SMD5|SSHA256|SSHA512)\}([A-Za-z0-9+/]+={0,2})")
_FUNCTIONS: Mapping[str, Any] = {
    "SHA": sha1, "SSHA": sha1, "MD5": md5, "SMD5": md5, "SSHA256": sha256, "SSHA512": sha512,
}  # fmt: skip


class Digest(NamedTuple):
    """The *digest* that *function* makes of a password with *salt* behind it."""

    function: Any
    digest: bytes
    salt: bytes

    def fits(self, password: bytes) -> bool:
        """Say whether *password* is the one; how long it takes tells nothing of it."""
        return hmac.compare_digest(self.function(password + self.salt).digest(), self.digest)


def parse_digest(form: str) -> Digest | None:
    """Return what *form*, as `own_form` gives it, says; ``None`` where it is no such hash."""
    found = _FORM.fullmatch(form)
    if found is None:
        return None
    function = _FUNCTIONS[found[1]]
    try:
        octets = b64decode(found[2])
    except ValueError:
        return None
    size = function().digest_size
    return Digest(function, octets[:size], octets[size:]) if len(octets) >= size else None
