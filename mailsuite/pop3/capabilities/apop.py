"""APOP (RFC 1939 §7): a digest of the greeting's timestamp and the password, for clients that know nothing better.

It has no line in CAPA (RFC 2449 §6): the timestamp says that it is there. What it needs is the password itself, which
a site keeps only if it is told to.
"""

import hmac
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from hashlib import md5
from typing import TYPE_CHECKING, Any, ClassVar

from mailsuite.meaning import Login, Secret
from mailsuite.pop3 import responses
from mailsuite.pop3.command import AUTHORIZATION, Capability, Command, Result, Words
from mailsuite.pop3.events import Authenticate, Consult
from mailsuite.sasl.claims import LoginClaim, Proof, SecretWanted
from mailsuite.sasl.saslprep import Unprepared, saslprep

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession

_DIGITS = 32


def apop(session: "ServerSession", words: Words) -> Result:
    """APOP name digest."""
    if not session.timestamp:
        return responses.UNKNOWN
    try:
        # RFC 6856 §2.2: the name is prepared as a query.
        name = saslprep(words[0].decode("utf-8"), stored=False)
    except UnicodeDecodeError:
        return responses.NOT_UTF8
    except Unprepared:
        return responses.BAD_ARGUMENTS
    digest = words[1].lower()
    if len(digest) != _DIGITS or not name:
        return responses.BAD_ARGUMENTS

    def judged(answer: Any) -> Result:
        if isinstance(answer, Login):
            return Authenticate("APOP", LoginClaim(answer))
        return responses.WRONG_PASSWORD

    def compared(answer: Any) -> Result:
        if not isinstance(answer, Secret):
            return responses.WRONG_PASSWORD
        session.consult(judged)
        right = hmac.compare_digest(expected(session.timestamp, answer.stored), digest)
        return Consult("APOP", Proof(name, answer.owner, right, "", "apop", answer.stored))

    session.consult(compared)
    return Consult("APOP", SecretWanted(name, "apop"))


def expected(timestamp: str, stored: str) -> bytes:
    """Return the digest that goes with *timestamp* and the password that is *stored*, in hexadecimal digits."""
    try:
        password = b64decode(stored, validate=True)
    except (Error, ValueError):
        return b""
    digest = md5(timestamp.encode("ascii") + password, usedforsecurity=False).hexdigest()
    return digest.encode("ascii")


class Apop(Capability):
    """Announced by the greeting alone."""

    keyword: ClassVar[str] = "APOP"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"APOP": Command(AUTHORIZATION, apop, 2, 2)}

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        return None


PART = Apop()
