"""AUTH (RFC 4954): a SASL exchange on the lines of the session, and the AUTH parameter of MAIL."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.discover import parts
from mailsuite.sasl import mechanisms
from mailsuite.sasl.claims import Challenge, Refusal, Step
from mailsuite.sasl.exchange import LINE_OCTETS, Exchange, challenge_line
from mailsuite.smtp import events, grammar, replies
from mailsuite.smtp.extension import Extension, Parameter, Verb
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.states import READY
from mailsuite.wire.lines import Fault

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

MECHANISMS = {mechanism.name: mechanism for mechanism in parts(mechanisms)}

_REFUSALS = {
    Refusal.CANCELLED: replies.AUTH_CANCELLED,
    Refusal.NOT_BASE64: replies.BAD_BASE64,
    Refusal.MALFORMED: replies.BAD_CREDENTIALS_FORM,
}


def usable(session: "ServerSession") -> tuple[str, ...]:
    """Return the mechanisms that may be used now; none where AUTH is not offered."""
    allowed = session.settings.auth
    if allowed == "off":
        return ()
    clear = session.encrypted or allowed == "always"
    return tuple(name for name, mechanism in MECHANISMS.items() if clear or not mechanism.plaintext)


def auth(session: "ServerSession", argument: str) -> None:
    """AUTH mechanism [initial-response] (RFC 4954 §4)."""
    name, _, initial = argument.partition(" ")
    name = name.upper()
    if session.authenticated:
        session.refuse(replies.ALREADY_AUTHENTICATED)
    elif not name:
        session.refuse(replies.NEEDS_ARGUMENT)
    elif name not in MECHANISMS:
        session.refuse(replies.UNKNOWN_MECHANISM)
    elif name not in usable(session):
        session.refuse(replies.TLS_FOR_AUTH)
    else:
        exchange = Exchange(MECHANISMS[name]())
        _go_on(session, name, exchange, exchange.begin(initial.encode("utf-8") if initial else None))


def _go_on(session: "ServerSession", name: str, exchange: Exchange, step: Step) -> None:
    if isinstance(step, Challenge):

        def answered(line: bytes | Fault) -> None:
            session.converse(None)
            if line is Fault.TOO_LONG:
                session.refuse(replies.AUTH_LINE_TOO_LONG)
            else:
                after = Refusal.NOT_BASE64 if isinstance(line, Fault) else exchange.line(line)
                _go_on(session, name, exchange, after)

        session.say(Reply(334, "", challenge_line(step)))
        session.converse(answered, LINE_OCTETS)
    elif isinstance(step, Refusal):
        session.refuse(_REFUSALS[step])
    else:

        def judged(reply: Reply) -> None:
            session.authenticated = reply.code == 235

        session.ask(events.Authenticate(name, step), judged)


def mail_parameter(session: "ServerSession", value: str | None) -> str | Reply:
    """AUTH=<xtext> at MAIL (RFC 4954 §5): checked; nobody is trusted by it."""
    try:
        return grammar.xtext(value or "")
    except ValueError:
        return replies.BAD_PARAMETER


class Auth(Extension):
    """Offered with the mechanisms that may be used now, where the listener takes logins."""

    keyword: ClassVar[str] = "AUTH"
    # RFC 4954 §4: not within a transaction. The line may hold an initial response.
    verbs: ClassVar[Mapping[str, Verb]] = {"AUTH": Verb(auth, READY, more_octets=LINE_OCTETS)}
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"AUTH": mail_parameter}
    mail_octets: ClassVar[int] = 500  # RFC 4954 §3

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`."""
        return session.settings.auth != "off" and super().offered(session)

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`."""
        names = () if session.authenticated else usable(session)
        return f"AUTH {' '.join(names)}" if names else None


PART = Auth()
