"""AUTH (RFC 5034, RFC 2449 §6.3): a SASL exchange on the lines of the session."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.discover import parts
from mailsuite.pop3 import responses
from mailsuite.pop3.command import AUTHORIZATION, Capability, Command, Result, Words
from mailsuite.pop3.events import Authenticate
from mailsuite.sasl import mechanisms
from mailsuite.sasl.claims import Challenge, Refusal, Step
from mailsuite.sasl.exchange import LINE_OCTETS, Exchange, challenge_line

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession

MECHANISMS = {mechanism.name: mechanism for mechanism in parts(mechanisms)}

# RFC 5034 §4: each of these ends the exchange with -ERR.
_REFUSALS = {
    Refusal.CANCELLED: responses.AUTH_CANCELLED,
    Refusal.NOT_BASE64: responses.AUTH_NOT_BASE64,
    Refusal.MALFORMED: responses.AUTH_MALFORMED,
}


def usable(session: "ServerSession") -> tuple[str, ...]:
    """Return the names of the mechanisms that may be used now."""
    # RFC 5034 §4: no plaintext mechanism is advertised or permitted outside TLS, unless the listener says so.
    allowed = session.password_allowed
    return tuple(name for name, mechanism in MECHANISMS.items() if allowed or not mechanism.plaintext)


def auth(session: "ServerSession", words: Words) -> Result:
    """AUTH mechanism [initial-response]."""
    name = words[0].upper().decode("ascii", "replace")
    if name not in MECHANISMS:
        return responses.NO_SUCH_MECHANISM
    if name not in usable(session):
        return responses.TLS_FIRST
    exchange = Exchange(MECHANISMS[name]())
    return _go_on(session, name, exchange, exchange.begin(words[1] if len(words) == 2 else None))


def _go_on(session: "ServerSession", name: str, exchange: Exchange, step: Step) -> Result:
    if isinstance(step, Refusal):
        return _REFUSALS[step]
    if not isinstance(step, Challenge):
        return Authenticate(name, step)

    def answered(line: bytes) -> Result:
        return _go_on(session, name, exchange, exchange.line(line))

    # RFC 5034 §4: a line that begins with "+" and a space, and the challenge in base64; an empty one too.
    session.converse(f"+ {challenge_line(step)}\r\n".encode("ascii"), answered, LINE_OCTETS)
    return None


class Sasl(Capability):
    """Offered with the mechanisms that may be used now."""

    keyword: ClassVar[str] = "SASL"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"AUTH": Command(AUTHORIZATION, auth, 1, 2)}

    def offer(self, session: "ServerSession") -> str | None:
        """See `Capability.offer`."""
        names = usable(session)
        return f"{self.keyword} {' '.join(names)}" if names else None


PART = Sasl()
