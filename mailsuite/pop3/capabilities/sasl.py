"""AUTH (RFC 5034, RFC 2449 §6.3): a SASL exchange on the lines of the session."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3 import responses
from mailsuite.pop3.command import AUTHORIZATION, Capability, Command, Result, Words
from mailsuite.pop3.events import Authenticate, Consult
from mailsuite.sasl.claims import Challenge, Proof, Refusal, SecretWanted, Step, TokenShown
from mailsuite.sasl.exchange import LINE_OCTETS, Exchange, challenge_line

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession

# RFC 5034 §4: each of these ends the exchange with -ERR.
_REFUSALS = {
    Refusal.CANCELLED: responses.AUTH_CANCELLED,
    Refusal.NOT_BASE64: responses.AUTH_NOT_BASE64,
    Refusal.MALFORMED: responses.AUTH_MALFORMED,
    Refusal.UNASKED: responses.AUTH_UNASKED,
    Refusal.DENIED: responses.WRONG_PASSWORD,
}


def auth(session: "ServerSession", words: Words) -> Result:
    """AUTH mechanism [initial-response]."""
    name = words[0].upper().decode("ascii", "replace")
    terms = session.settings.sasl
    # RFC 5034 §4: no password crosses the wire outside TLS, unless the listener says so; nor does anything else here.
    if not session.password_allowed:
        return responses.TLS_FIRST if terms.knows(name) else responses.NO_SUCH_MECHANISM
    mechanism = terms.begin(name, session.encryption)
    if mechanism is None:
        return responses.NO_SUCH_MECHANISM
    exchange = Exchange(mechanism)
    return _go_on(session, name, exchange, exchange.begin(words[1] if len(words) == 2 else None))


def _go_on(session: "ServerSession", name: str, exchange: Exchange, step: Step) -> Result:
    if isinstance(step, Refusal):
        return _REFUSALS[step]
    if isinstance(step, SecretWanted | Proof | TokenShown):
        session.consult(lambda answer: _go_on(session, name, exchange, exchange.answered(answer)))
        return Consult(name, step)
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
        names = session.settings.sasl.usable(session.encryption) if session.password_allowed else ()
        return f"{self.keyword} {' '.join(names)}" if names else None


PART = Sasl()
