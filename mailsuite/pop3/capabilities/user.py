"""USER and PASS (RFC 1939 §7, RFC 2449 §6.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3 import responses
from mailsuite.pop3.command import AUTHORIZATION, Capability, Command, Result, Words
from mailsuite.pop3.events import Authenticate
from mailsuite.pop3.responses import Response
from mailsuite.sasl.claims import PasswordClaim

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


def user(session: "ServerSession", words: Words) -> Result:
    """USER name: never says whether there is such a mailbox (RFC 1939 §13, RFC 3206 §5)."""
    refusal = _refusal(session)
    if refusal is not None:
        return refusal
    name = _text(words[0])
    if name is None:
        return responses.NOT_UTF8
    session.named_now = name.strip(" ")
    return responses.NAME_TAKEN if session.named_now else responses.BAD_ARGUMENTS


def password(session: "ServerSession", words: Words) -> Result:
    """PASS string: one space ends the verb, and every further one belongs to the password (RFC 1939 §7)."""
    refusal = _refusal(session)
    if refusal is not None:
        return refusal
    # RFC 1939 §7: PASS follows a successful USER immediately, so each USER is good for one try.
    if not session.named_before:
        return responses.USER_FIRST
    secret = _text(words[0])
    if secret is None:
        return responses.NOT_UTF8
    return Authenticate("USER", PasswordClaim(session.named_before, secret))


def _refusal(session: "ServerSession") -> Response | None:
    """Say why no password is taken now. RFC 2595 §7: the client is stopped before it sends one."""
    if not session.settings.sasl.takes_passwords:
        return responses.NO_PASSWORDS
    return None if session.password_allowed else responses.TLS_FIRST


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return None


class User(Capability):
    """Offered where a password may cross the wire."""

    keyword: ClassVar[str] = "USER"
    verbs: ClassVar[Mapping[bytes, Command]] = {
        b"USER": Command(AUTHORIZATION, user, 1, 1, raw=True),
        b"PASS": Command(AUTHORIZATION, password, 1, 1, raw=True),
    }

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        return self.keyword if _refusal(session) is None else None


PART = User()
