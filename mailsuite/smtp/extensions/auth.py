"""AUTH (RFC 4954): a SASL exchange on the lines of the session, and the AUTH parameter of MAIL."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mailsuite.sasl.claims import Challenge, Proof, Refusal, SecretWanted, Step, TokenShown
from mailsuite.sasl.exchange import LINE_OCTETS, Exchange, challenge_line
from mailsuite.smtp import events, grammar, replies
from mailsuite.smtp.extension import Extension, Parameter, Verb
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.states import READY
from mailsuite.wire.lines import Fault

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

_HELP = ("AUTH mechanism [initial-response]", "Logs in; the answer to EHLO lists the mechanisms")
_REFUSALS = {
    Refusal.CANCELLED: replies.AUTH_CANCELLED,
    Refusal.NOT_BASE64: replies.BAD_BASE64,
    Refusal.MALFORMED: replies.BAD_CREDENTIALS_FORM,
    Refusal.UNASKED: replies.AUTH_UNASKED,
    Refusal.DENIED: replies.WRONG_CREDENTIALS,
}


def auth(session: "ServerSession", argument: str) -> None:
    """AUTH mechanism [initial-response] (RFC 4954 §4)."""
    name, _, initial = argument.partition(" ")
    name = name.upper()
    if session.authenticated:
        session.refuse(replies.ALREADY_AUTHENTICATED)
    elif not name:
        session.refuse(replies.NEEDS_ARGUMENT)
    elif not _allowed(session):
        session.refuse(replies.TLS_FOR_AUTH if session.settings.sasl.knows(name) else replies.UNKNOWN_MECHANISM)
    else:
        mechanism = session.settings.sasl.begin(name, session.encryption)
        if mechanism is None:
            session.refuse(replies.UNKNOWN_MECHANISM)
            return
        exchange = Exchange(mechanism)
        reply = _next(session, name, exchange, exchange.begin(initial.encode("utf-8") if initial else None))
        if reply is not None:
            session.say(reply)


def _allowed(session: "ServerSession") -> bool:
    """Say whether one may log in now: without TLS only where the listener says so (RFC 4954 §4, RFC 8314 §3)."""
    return session.encrypted or session.settings.auth == "always"


def _next(session: "ServerSession", name: str, exchange: Exchange, step: Step) -> Reply | None:
    """Return the reply to *step*; ``None`` where a question comes first."""
    if isinstance(step, Refusal):
        reply = _REFUSALS[step]
        session.tell(events.ProtocolError(reply))
        return reply
    if isinstance(step, Challenge):
        session.converse(lambda line: _go_on(session, name, exchange, line), LINE_OCTETS)
        return Reply(334, "", challenge_line(step))
    if isinstance(step, SecretWanted | Proof | TokenShown):
        session.ask(events.Consult(name, step), lambda answer: _consulted(session, name, exchange, answer))
    else:
        session.ask(events.Authenticate(name, step), lambda reply: _judged(session, reply))
    return None


def _go_on(session: "ServerSession", name: str, exchange: Exchange, line: bytes | Fault) -> None:
    """Take the client's answer to a challenge."""
    session.converse(None)
    if line is Fault.TOO_LONG:
        session.refuse(replies.AUTH_LINE_TOO_LONG)
        return
    after = Refusal.NOT_BASE64 if isinstance(line, Fault) else exchange.line(line)
    reply = _next(session, name, exchange, after)
    if reply is not None:
        session.say(reply)


def _consulted(session: "ServerSession", name: str, exchange: Exchange, answer: Any) -> Reply:
    if isinstance(answer, Reply):
        return answer
    return _next(session, name, exchange, exchange.answered(answer)) or events.ASKED_ON


def _judged(session: "ServerSession", reply: Reply) -> None:
    session.authenticated = reply.code == 235


def mail_parameter(session: "ServerSession", value: str | None) -> str | Reply:
    """AUTH=<xtext> at MAIL, a mailbox or ``<>`` (RFC 4954 §5): checked; nobody is trusted by it."""
    limits = session.settings.limits
    try:
        text = grammar.xtext(value or "")
        found = text == "<>" or grammar.mailbox(f"<{text}>", limits.path, limits.local_part, limits.domain, utf8=True)
    except ValueError:
        found = None
    # What is a path in a route is no mailbox.
    return text if found and not text.startswith("@") else replies.BAD_PARAMETER


# RFC 4954 §4: not within a transaction. The line may hold an initial response, and has a status of its own where that
# is too long.
_VERB = Verb(auth, READY, more_octets=LINE_OCTETS, too_long=replies.AUTH_LINE_TOO_LONG, help=_HELP)


class Auth(Extension):
    """Offered with the mechanisms that may be used now, where the listener takes logins."""

    keyword: ClassVar[str] = "AUTH"
    verbs: ClassVar[Mapping[str, Verb]] = {"AUTH": _VERB}
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {"AUTH": mail_parameter}
    mail_octets: ClassVar[int] = 500  # RFC 4954 §3

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`."""
        return session.settings.auth != "off" and super().offered(session)

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`."""
        if session.authenticated or not _allowed(session):
            return None
        names = session.settings.sasl.usable(session.encryption)
        return f"AUTH {' '.join(names)}" if names else None


PART = Auth()
