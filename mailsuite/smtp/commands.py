"""The commands of RFC 5321 §4.1.1, and the tables of all verbs and parameters, the extensions' with them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mailsuite.address import Address
from mailsuite.discover import parts
from mailsuite.envelope import NO_PARAMETERS
from mailsuite.smtp import events, extensions, grammar, replies
from mailsuite.smtp.body import Body
from mailsuite.smtp.extension import Extension, Parameter, Verb
from mailsuite.smtp.help import HELP
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.states import LEGAL, REFUSED, State

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

EXTENSIONS: tuple[Extension, ...] = parts(extensions)


def hello(session: "ServerSession", name: str, extended: bool) -> None:
    """EHLO and HELO (§4.1.1.1): a new start; a refused one changes nothing (§4.1.4)."""
    if not grammar.is_host(name):
        session.refuse(replies.BAD_HELO)
        return

    def answered(reply: Reply) -> Reply | None:
        if reply.code >= 400:
            return None
        session.end_transaction()
        session.tell(events.RESET)
        session.extended = extended
        session.state = State.READY
        return _greet(session)

    session.ask(events.Hello(name, extended), answered)


def _greet(session: "ServerSession") -> Reply:
    """Return the answer to an accepted EHLO or HELO: our name, then the extensions (no enhanced codes: RFC 2034)."""
    hostname = session.settings.hostname
    if not session.extended:
        return _greeting(hostname)
    offers = [extension.offer(session) for extension in EXTENSIONS if extension.offered(session)]
    return _greeting(hostname, *[offer for offer in offers if offer is not None])


@lru_cache(maxsize=64)
def _greeting(hostname: str, *offers: str) -> Reply:
    # Put together once for all sessions that are offered the same.
    return Reply(250, "", hostname, *offers)


def mail(session: "ServerSession", argument: str) -> None:
    """MAIL (§4.1.1.2). A refused one leaves no trace in the session."""
    if _is_held(session) and session.messages >= session.settings.limits.session_messages:
        session.say(session.reach("session_messages", replies.TOO_MANY_MESSAGES))
        return
    found = grammar.split_path(argument, "FROM")
    if found is None:
        session.refuse(replies.BAD_MAIL)
        return
    path, text = found
    parameters = _parameters(session, text, MAIL_PARAMETERS)
    if isinstance(parameters, Reply):
        session.refuse(parameters)
        return
    # RFC 6531 §3.4: what letters the path may have is said behind it.
    utf8 = "SMTPUTF8" in parameters
    reverse_path = None if path == "<>" else _address(session, path, utf8, _REVERSE_PATH)
    if isinstance(reverse_path, Reply):
        session.refuse(reverse_path)
        return

    def answered(reply: Reply) -> None:
        if reply.code < 400:
            session.begin_transaction(parameters, utf8)

    session.ask(events.MailFrom(reverse_path, parameters), answered)


def _is_held(session: "ServerSession") -> bool:
    """Say whether the peer is held to what strangers are: by LMTP a server hands over what it was itself sent."""
    return not session.settings.lmtp


def rcpt(session: "ServerSession", argument: str) -> None:
    """RCPT (§4.1.1.3)."""
    found = grammar.split_path(argument, "TO")
    if found is None:
        session.refuse(replies.BAD_RCPT)
        return
    path, text = found
    if path.lower() == "<postmaster>":
        # §4.1.1.3, §4.5.1: the one address without a domain, in any case.
        forward_path: Address | Reply = Address(path[1:-1], "")
    else:
        forward_path = _address(session, path, session.utf8, _FORWARD_PATH)
    if isinstance(forward_path, Reply):
        session.refuse(forward_path)
        return
    parameters = _parameters(session, text, RCPT_PARAMETERS)
    if isinstance(parameters, Reply):
        session.refuse(parameters)
        return
    if session.recipients >= session.settings.limits.recipients:
        session.refuse(replies.TOO_MANY_RECIPIENTS)  # §4.5.3.1.10
        return

    def answered(reply: Reply) -> Reply | None:
        if reply.code < 400:
            session.recipients += 1
            session.state = State.RCPT
        elif reply.status == replies.UNKNOWN_USER.status:
            session.unknown += 1
            if _is_held(session) and session.unknown > session.settings.limits.unknown_recipients:
                return session.reach("unknown_recipients", replies.TOO_MANY_UNKNOWN)
        return None

    session.ask(events.RcptTo(forward_path, parameters), answered)


def data(session: "ServerSession", argument: str) -> None:
    """DATA (§4.1.1.4)."""
    if argument:
        session.refuse(replies.NO_ARGUMENT)
        return
    if session.parameters.get("BODY") == "BINARYMIME":
        session.refuse(replies.NEEDS_BDAT)  # RFC 3030 §3
        return

    def answered(reply: Reply) -> None:
        if reply.code == 354:
            session.begin_content(Body(session).read)
        else:
            session.end_transaction()
            session.tell(events.RESET)

    session.ask(events.DATA_BEGINS, answered)


def rset(session: "ServerSession", argument: str) -> None:
    """RSET (§4.1.1.5)."""
    if argument:
        session.refuse(replies.NO_ARGUMENT)
        return
    session.end_transaction()
    session.tell(events.RESET)
    session.say(replies.RESET)


def noop(session: "ServerSession", argument: str) -> None:
    """NOOP (§4.1.1.9): an argument is allowed and ignored."""
    session.say(replies.OK)


def quit_session(session: "ServerSession", argument: str) -> None:
    """QUIT (§4.1.1.10)."""
    if argument:
        session.refuse(replies.NO_ARGUMENT)
        return
    session.say(replies.GOODBYE)


def vrfy(session: "ServerSession", argument: str) -> None:
    """VRFY (§4.1.1.6, RFC 6531 §3.7.4.2)."""
    text, utf8 = _utf8_allowed(session, argument)
    if not text:
        session.refuse(replies.NEEDS_ARGUMENT)
        return
    session.ask(events.Verify(text, utf8))


def expn(session: "ServerSession", argument: str) -> None:
    """EXPN (§4.1.1.7, RFC 6531 §3.7.4.2)."""
    text, utf8 = _utf8_allowed(session, argument)
    if not text:
        session.refuse(replies.NEEDS_ARGUMENT)
        return
    session.ask(events.Expand(text, utf8))


def help_text(session: "ServerSession", argument: str) -> None:
    """HELP (§4.1.1.8): the commands that there are here, or one of them."""
    if not argument:
        names = " ".join(sorted((*session.verbs, *filter(lambda name: _told_of(session, name), EXTENSION_VERBS))))
        session.say(Reply(214, "2.0.0", f"Commands: {names}", "HELP and a command tells more of it"))
        return
    topic = argument.upper()
    verb = session.verbs.get(topic)
    if verb is None and _told_of(session, topic):
        verb = extension_verb(session, topic)
    if verb is None:
        session.refuse(replies.NO_HELP)
        return
    owners = {"MAIL": MAIL_PARAMETERS, "RCPT": RCPT_PARAMETERS}.get(topic, {})
    parameters = " ".join(sorted(name for name, (extension, _) in owners.items() if extension.offered(session)))
    more = (f"Parameters: {parameters}",) if parameters else ()
    session.say(Reply(214, "2.0.0", *verb.help, *more))


def _told_of(session: "ServerSession", name: str) -> bool:
    found = EXTENSION_VERBS.get(name)
    return found is not None and found[0].offered(session) and found[0].allowed(session)


def _utf8_allowed(session: "ServerSession", argument: str) -> tuple[str, bool]:
    """Take SMTPUTF8 off the end of what follows VRFY or EXPN; say whether it was there (RFC 6531 §3.7.4.2)."""
    text, space, last = argument.rpartition(" ")
    if space and last.upper() == "SMTPUTF8" and session.extended and session.settings.smtputf8:
        return text.rstrip(" "), True
    return argument, False


@dataclass(frozen=True, slots=True)
class _Refusals:
    """What is said of a path that is none, that is too long, that is not ASCII, or whose domain IDNA refuses."""

    syntax: Reply
    length: Reply
    letters: Reply
    domain: Reply


_REVERSE_PATH = _Refusals(
    replies.BAD_REVERSE_PATH,
    replies.BAD_REVERSE_PATH.with_text("Address too long"),
    replies.SENDER_NEEDS_SMTPUTF8,
    replies.BAD_SENDER_DOMAIN,
)
_FORWARD_PATH = _Refusals(
    replies.BAD_FORWARD_PATH,
    replies.BAD_FORWARD_PATH.with_text("Address too long"),
    replies.NEEDS_SMTPUTF8,
    replies.BAD_RECIPIENT_DOMAIN,
)


def _address(session: "ServerSession", path: str, utf8: bool, refusals: _Refusals) -> Address | Reply:
    if not utf8 and not path.isascii():
        return refusals.letters  # RFC 6531 §3.5
    limits = session.settings.limits
    try:
        address = grammar.mailbox(path, limits.path, limits.local_part, limits.domain, utf8)
    except grammar.TooLong:
        return refusals.length
    except grammar.BadDomain:
        return refusals.domain
    return refusals.syntax if address is None else address


def _parameters(
    session: "ServerSession", text: str, owners: Mapping[str, tuple[Extension, Parameter]]
) -> Mapping[str, Any] | Reply:
    if not text:
        return NO_PARAMETERS
    values: dict[str, Any] = {}
    wide = not text.isascii() and session.settings.smtputf8
    try:
        for keyword, value in grammar.parameters(text, wide):
            if keyword in values:
                return replies.BAD_PARAMETER
            owner = owners.get(keyword)
            # §4.1.1.11; a HELO client was offered no parameters.
            if owner is None or not session.extended or not owner[0].offered(session):
                return replies.UNKNOWN_PARAMETER
            if wide and value and not value.isascii() and keyword not in owner[0].wide_parameters:
                return replies.BAD_PARAMETER
            meaning = owner[1](session, value)
            if isinstance(meaning, Reply):
                return meaning
            values[keyword] = meaning
    except ValueError:
        return replies.BAD_PARAMETER
    return values


def extension_verb(session: "ServerSession", name: str) -> Verb | None:
    """Return the verb *name* of an extension that *session* has."""
    found = EXTENSION_VERBS.get(name)
    return found[1] if found is not None and found[0].offered(session) else None


MAIL_PARAMETERS = {k: (e, p) for e in EXTENSIONS for k, p in e.mail_parameters.items()}
RCPT_PARAMETERS = {k: (e, p) for e in EXTENSIONS for k, p in e.rcpt_parameters.items()}

VERBS: dict[str, Verb] = {
    "EHLO": Verb(lambda session, name: hello(session, name, True), LEGAL["EHLO"], coded=False, help=HELP["EHLO"]),
    "HELO": Verb(lambda session, name: hello(session, name, False), LEGAL["HELO"], coded=False, help=HELP["HELO"]),
    "MAIL": Verb(
        mail, LEGAL["MAIL"], guarded=True, more_octets=sum(e.mail_octets for e in EXTENSIONS), help=HELP["MAIL"]
    ),
    "RCPT": Verb(
        rcpt, LEGAL["RCPT"], guarded=True, more_octets=sum(e.rcpt_octets for e in EXTENSIONS), help=HELP["RCPT"]
    ),
    "DATA": Verb(data, LEGAL["DATA"], guarded=True, help=HELP["DATA"]),
    "RSET": Verb(rset, LEGAL["RSET"], help=HELP["RSET"]),
    "NOOP": Verb(noop, LEGAL["NOOP"], help=HELP["NOOP"]),
    "QUIT": Verb(quit_session, LEGAL["QUIT"], help=HELP["QUIT"]),
    "HELP": Verb(help_text, LEGAL["HELP"], help=HELP["HELP"]),
    "VRFY": Verb(vrfy, LEGAL["VRFY"], help=HELP["VRFY"]),
    "EXPN": Verb(expn, LEGAL["EXPN"], help=HELP["EXPN"]),
}
# RFC 2033 §4.1: LHLO is what EHLO was, and neither EHLO nor HELO is there, nor LHLO in SMTP: 500.
LMTP_VERBS: dict[str, Verb] = {
    "LHLO": replace(VERBS["EHLO"], help=HELP["LHLO"]),
    **{name: verb for name, verb in VERBS.items() if name not in ("EHLO", "HELO")},
}
EXTENSION_VERBS = {name: (e, verb) for e in EXTENSIONS for name, verb in e.verbs.items()}

# Verbs that we know and may do nothing for: 502, where others are 500 (§4.2.4).
KNOWN = REFUSED | set(EXTENSION_VERBS)

# The longest line that any verb may have, beyond `Limits.command_line`.
COMMAND_LINE_OCTETS = max(verb.more_octets for verb in (*VERBS.values(), *(v for _, v in EXTENSION_VERBS.values())))
