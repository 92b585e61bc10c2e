"""The server's side of an SMTP session, pure (RFC 5321): bytes to questions, answers to replies.

`next_event` gives what `mailsuite.smtp.events` names. After a question nothing more is read until it is answered,
so pipelined commands (RFC 2920) are answered in their order, whatever a lookup's delay.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from mailsuite.encryption import Encryption
from mailsuite.envelope import NO_PARAMETERS
from mailsuite.smtp import events, replies
from mailsuite.smtp.commands import COMMAND_LINE_OCTETS, KNOWN, LMTP_VERBS, VERBS, extension_verb
from mailsuite.smtp.extension import Verb
from mailsuite.smtp.grammar import is_printable
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.settings import Settings
from mailsuite.smtp.states import State
from mailsuite.wire.events import CLOSE, HANG_UP, SAID, START_TLS, Event
from mailsuite.wire.foreign import OTHER_PROTOCOL, TLS_RECORD, is_foreign
from mailsuite.wire.lines import Fault, Inbox

if TYPE_CHECKING:
    from mailsuite.smtp.extensions.chunking import Chunks

_LETTERS = re.compile(rb"[A-Za-z]+")
# What a question is answered with: several replies only at the end of a message, in LMTP.
Answer: TypeAlias = Reply | tuple[Reply, ...]
# Called with the answer before it is sent; may return another one to be sent in its place, `ASKED_ON` for none.
Answered: TypeAlias = Callable[[Any], Answer | None]
Dialogue: TypeAlias = Callable[[bytes | Fault], None]
# Reads octets that are no command lines from what has come; ``False`` where more have to come first.
Octets: TypeAlias = Callable[[Inbox], bool]


class ServerSession:
    """One SMTP session. `mailsuite.wire.events.SessionCore` says how to drive it."""

    __slots__ = (
        "_answered",
        "_asked",
        "_closed",
        "_dialogue",
        "_dialogue_octets",
        "_events",
        "_in_content",
        "_inbox",
        "_octets",
        "_output",
        "_tls_wanted",
        "authenticated",
        "chunks",
        "encrypted",
        "encryption",
        "errors",
        "extended",
        "messages",
        "parameters",
        "phase",
        "proxies",
        "recipients",
        "settings",
        "size",
        "state",
        "unknown",
        "utf8",
        "verbs",
    )

    def __init__(self, settings: Settings, encrypted: bool = False, proxies: bool = False) -> None:
        self.settings = settings
        # The peer may speak for others (XCLIENT).
        self.proxies = proxies
        # Those of the protocol itself; extensions have their own.
        self.verbs = LMTP_VERBS if settings.lmtp else VERBS
        self.encrypted = encrypted
        # What TLS was agreed on, once its handshake is done.
        self.encryption: Encryption | None = None
        self.authenticated = False
        self.extended = False
        self.state = State.CONNECTED
        self.errors = 0
        # Of the whole session: MAIL commands that were accepted, and RCPT commands for nobody.
        self.messages = 0
        self.unknown = 0
        self.recipients = 0
        # What the extensions have made of the parameters of MAIL.
        self.parameters: Mapping[str, Any] = NO_PARAMETERS
        # The message that comes by BDAT, or has failed to, where there is one.
        self.chunks: Chunks | None = None
        self.size = 0
        # RFC 6531 §3.4: the transaction was begun with SMTPUTF8.
        self.utf8 = False
        self.phase = 0
        self._inbox = Inbox()
        self._output: list[bytes] = []
        self._events: list[Event] = []
        self._asked = False
        self._answered: Answered | None = None
        self._in_content = False
        self._octets: Octets | None = None
        self._dialogue: Dialogue | None = None
        self._dialogue_octets = 0
        self._tls_wanted = False
        self._closed = False
        self.ask(events.CONNECTED, self._greeted)

    def _greeted(self, greeting: Reply) -> Reply | None:
        if greeting is replies.TROUBLE:
            return replies.NO_SERVICE
        if greeting.code >= 400:
            self.state = State.UNWELCOME
        elif self._inbox.unread and self.settings.early_talkers != "ignore":
            self.tell(events.LimitReached("early_talkers"))
            if self.settings.early_talkers == "drop":
                return replies.EARLY_TALKER
        return None

    # From the driver

    @property
    def unread(self) -> int:
        """See `SessionCore.unread`."""
        return self._inbox.unread

    @property
    def patience(self) -> float:
        """See `SessionCore.patience`."""
        return self.settings.limits.idle_timeout

    @property
    def term(self) -> float:
        """See `SessionCore.term`: a message must be through in its time, and come fast enough meanwhile."""
        if not self._in_content:
            return 0.0
        limits = self.settings.limits
        return min(limits.data_timeout, self._term_by_rate()) if limits.data_rate else limits.data_timeout

    def receive(self, data: bytes) -> None:
        """See `SessionCore.receive`. What comes after the session has closed is dropped."""
        if not self._closed:
            self._inbox.receive(data)

    def next_event(self) -> Event | None:
        """See `SessionCore.next_event`."""
        if self._asked:
            return None
        while not self._events:
            if self._closed or self._tls_wanted or not self._advance():
                return None
            if self._output and not self._events:
                return SAID
        event = self._events.pop(0)
        self._asked = event.asks
        return event

    def answer(self, answer: Answer) -> None:
        """Take the respondent's reply; the state moves only where it is positive."""
        answered, self._answered = self._answered, None
        self._asked = False
        if answered is not None:
            said = answered(answer)
            if said is events.ASKED_ON:
                return
            answer = answer if said is None else said
        if isinstance(answer, Reply) and answer.code < 500:
            self.say(answer)
        else:
            self.give(answer)

    def fail(self) -> None:
        """See `SessionCore.fail`: 451, and the session goes on."""
        self.answer(replies.TROUBLE)

    def tls_started(self) -> None:
        """See `SessionCore.tls_started`."""
        # RFC 3207 §4.2: what was learned in the clear is forgotten, what came behind STARTTLS is dropped unread.
        self._inbox.clear()
        self._tls_wanted = False
        self.encrypted = True
        self.authenticated = False
        self.extended = False
        self.end_transaction()
        self.state = State.CONNECTED

    def expire(self, outlasted: bool = False) -> None:
        """See `SessionCore.expire`."""
        limit = "idle_timeout"
        if outlasted:
            limit = "data_timeout" if self.term == self.settings.limits.data_timeout else "data_rate"
        self._leave(replies.TOO_SLOW, limit)

    def overstay(self) -> None:
        """See `SessionCore.overstay`."""
        self._leave(replies.OVERSTAYED, "session_time")

    def shut_down(self) -> None:
        """See `SessionCore.shut_down`."""
        self._leave(replies.SHUTTING_DOWN)

    def bytes_to_send(self) -> bytes:
        """See `SessionCore.bytes_to_send`."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    # For commands and extensions

    def say(self, reply: Reply, counted: bool = True) -> None:
        """Send *reply*; count it where it is an error and *counted*, and close where it says so."""
        self._output.append(reply.octets)
        if reply.code >= 500 and counted:
            self._count_error()
        if reply.closes:
            self._close(CLOSE if reply.code == 221 else HANG_UP)

    def reach(self, limit: str, reply: Reply) -> Reply:
        """Tell that *limit* ends the session, and return *reply*, which says so to the peer."""
        self.tell(events.LimitReached(limit))
        return reply

    def give(self, answer: Answer) -> None:
        """Send *answer*; several replies are about one message, and one error at most.

        What a server that hands mail over by LMTP has others' mail refused for is no error of its own.
        """
        counted = not self.settings.lmtp
        if isinstance(answer, Reply):
            self.say(answer, counted)
            return
        self._output.extend(reply.octets for reply in answer)
        if counted and any(reply.code >= 500 for reply in answer):
            self._count_error()

    def repeat(self, answer: Answer) -> None:
        """Send once more what was sent, and counted, before."""
        self._output.extend(reply.octets for reply in ((answer,) if isinstance(answer, Reply) else answer))

    def refuse(self, reply: Reply) -> None:
        """Send an error that no respondent gave, and tell the respondent of it."""
        self.tell(events.ProtocolError(reply))
        self.say(reply)

    def ask(self, question: Event, answered: Answered | None = None) -> None:
        """Ask *question* next; *answered* moves the session on when the answer is here."""
        self._answered = answered
        self._events.append(question)

    def tell(self, event: Event) -> None:
        """Tell *event* next."""
        self._events.append(event)

    def converse(self, dialogue: Dialogue | None, octets: int = 0) -> None:
        """Give the next lines, of at most *octets*, to *dialogue* rather than to the verbs; ``None`` ends that."""
        self._dialogue = dialogue
        self._dialogue_octets = octets

    def start_tls(self) -> None:
        """Say that TLS may begin, and read nothing more before it has."""
        self.say(replies.READY_FOR_TLS)
        self._tls_wanted = True
        self.tell(START_TLS)

    def begin_anew(self, client: events.Proxied) -> None:
        """Go back to the greeting, for *client*; past EHLO or HELO where its proxy tells of that."""
        self.end_transaction()
        self.extended = bool(client.helo) and client.protocol != "SMTP"
        self.state = State.READY if client.helo else State.CONNECTED
        self.authenticated = bool(client.login)
        if client.address is not None:
            # An address is judged as itself, by what it does itself; and it is no proxy's any more.
            self.proxies = False
            self.errors = self.messages = self.unknown = 0

    def begin_transaction(self, parameters: Mapping[str, Any], utf8: bool = False) -> None:
        """A reverse-path was accepted. *utf8*: the paths that follow may have other letters than ASCII."""
        self.recipients = 0
        self.parameters = parameters
        self.chunks = None
        self.utf8 = utf8
        self.messages += 1
        self.state = State.MAIL

    def end_transaction(self) -> None:
        """Forget the transaction; the session stays greeted."""
        self.recipients = 0
        self.parameters = NO_PARAMETERS
        self.chunks = None
        self._in_content = False
        self._octets = None
        self.converse(None)
        if self.state > State.CONNECTED:
            self.state = State.READY

    def begin_content(self, octets: Octets) -> None:
        """Read a message by *octets* from now on; its time begins, and ends with `end_transaction`."""
        self.phase += 1
        self.size = 0
        self._in_content = True
        self._octets = octets

    def read_octets(self, octets: Octets | None) -> None:
        """Give what comes to *octets* rather than reading it as commands; ``None`` ends that."""
        self._octets = octets

    def end_message(self, refusal: Reply | None = None) -> None:
        """All of the message has come: ask for the promise, or say *refusal*. The transaction is over after that."""
        if refusal is not None:
            self.give(self._message_settled(refusal))
            return
        self._in_content = False
        self._octets = None
        self.ask(events.MESSAGE_ENDS, self._message_settled)

    def hang_up(self) -> None:
        """Close the connection, though the peer may go on sending."""
        self._close(HANG_UP)

    # Reading

    def _advance(self) -> bool:
        """Read one command, or what there is of a body; ``False`` where more octets are needed."""
        if self._octets is not None:
            return self._octets(self._inbox)
        if not self._inbox.unread:
            return False
        dialogue = self._dialogue
        if dialogue is not None:
            line = self._inbox.line(self._dialogue_octets)
            if line is not None:
                dialogue(line)
            return line is not None
        line = self._inbox.line(self.settings.limits.command_line + COMMAND_LINE_OCTETS)
        if line is None:
            # Who has sent mail speaks it.
            return self.messages == 0 and self._meets_tls()
        if isinstance(line, Fault):
            self._pass_over(line, self._inbox.began)
        else:
            self._obey(line)
        return True

    def _pass_over(self, fault: Fault, began: bytes) -> None:
        """Refuse a line of which only the first octets were kept."""
        verb = self._meant(began)
        too_long = replies.LINE_TOO_LONG if verb is None else verb.too_long
        self._cannot_read(verb, began, too_long if fault is Fault.TOO_LONG else replies.BARE_NEWLINE)

    def _obey(self, line: bytes) -> None:
        # §4.1.1: white space at the end of a line is tolerated.
        text = line.decode("utf-8", "replace").rstrip(" \t")
        name, _, argument = text.partition(" ")
        # Unicode has letters whose upper case is ASCII; a verb is ASCII as it came.
        name = name.upper() if name.isascii() else ""
        verb = self.verbs.get(name) or extension_verb(self, name)
        if not (text.isprintable() or is_printable(text)):
            self._cannot_read(verb or self._meant(line), line, replies.BAD_COMMAND)
        elif verb is None:
            refusal = replies.NOT_IMPLEMENTED if name in KNOWN else replies.BAD_COMMAND
            self._cannot_read(self._meant(line), line, refusal)
        elif len(line) + 2 > self.settings.limits.command_line + verb.more_octets:
            self._cannot_read(verb, line, verb.too_long)
        elif self.state not in verb.states:
            self.refuse(replies.BAD_SEQUENCE)
        elif verb.guarded and self.settings.auth_required and not self.authenticated:
            self.refuse(self._not_yet())
        else:
            verb.run(self, argument.strip(" "))

    def _meant(self, line: bytes) -> Verb | None:
        """Return the verb that *line* begins with, though it is no command of ours."""
        found = _LETTERS.match(line)
        name = "" if found is None else found[0].upper().decode("ascii")
        return self.verbs.get(name) or extension_verb(self, name)

    def _refuse_unknown(self, line: bytes, reply: Reply) -> None:
        if is_foreign(line):
            self._hang_up_on(line)
        else:
            self.refuse(reply)

    def _meets_tls(self) -> bool:
        """Say whether the peer has begun TLS unasked, and hang up on it: a record has no line end to wait for."""
        if not self._inbox.starts_with(TLS_RECORD):
            return False
        self._hang_up_on(TLS_RECORD)
        return True

    def _hang_up_on(self, line: bytes) -> None:
        """Have nothing more to do with a peer that speaks another protocol; words would be lost on TLS."""
        if line.startswith(TLS_RECORD):
            self.tell(events.LimitReached(OTHER_PROTOCOL))
            self._close(HANG_UP)
        else:
            self._leave(replies.OTHER_PROTOCOL, OTHER_PROTOCOL)

    def _cannot_read(self, verb: Verb | None, line: bytes, reply: Reply) -> None:
        if verb is None:
            self._refuse_unknown(line, reply)
            return
        self.refuse(reply if verb.coded else reply.without_status())
        if verb.octets_follow:
            self.hang_up()

    def _not_yet(self) -> Reply:
        """Say what the peer has to do before its command (RFC 3207 §4, RFC 4954 §6)."""
        if self.settings.starttls and not self.encrypted and self.settings.auth == "tls":
            return replies.TLS_REQUIRED
        return replies.AUTH_REQUIRED

    def _term_by_rate(self) -> float:
        """What has come of a message is how long it may have taken: none of it, the time that silence has."""
        limits = self.settings.limits
        return limits.idle_timeout + self.size / limits.data_rate

    def _message_settled(self, answer: Answer) -> Answer:
        """Return what is said at the end of a message, however it came: in LMTP a reply for each recipient."""
        recipients = self.recipients
        # Accepted or not, the transaction is over (RFC 5321 §4.1.1.4).
        self.end_transaction()
        if not self.settings.lmtp or not isinstance(answer, Reply) or answer.closes:
            return answer
        return (answer,) * recipients  # RFC 2033 §4.2

    def _count_error(self) -> None:
        self.errors += 1
        if self.errors > self.settings.limits.errors:
            self._leave(replies.TOO_MANY_ERRORS, "errors")

    def _leave(self, reply: Reply, limit: str = "") -> None:
        if not self._closed:
            self._output.append(reply.octets)
            self.tell(events.ProtocolError(reply))
            if limit:
                self.tell(events.LimitReached(limit))
            self._close(HANG_UP)

    def _close(self, how: Event) -> None:
        if not self._closed:
            self._closed = True
            self._inbox.clear()
            self.tell(how)
