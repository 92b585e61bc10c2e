"""The server's side of a POP3 session, pure (RFC 1939): bytes to questions, answers to responses.

`next_event` gives what `mailsuite.pop3.events` names. After a question nothing more is read until it is answered,
so pipelined commands (RFC 2449 §6.6) are answered in their order, however long a login or a disk takes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from mailsuite.discover import parts
from mailsuite.encryption import Encryption
from mailsuite.pop3 import capabilities, commands, events, responses
from mailsuite.pop3.command import Capability, Command, Result, State, Words
from mailsuite.pop3.drop import NO_DROP, Drop
from mailsuite.pop3.events import Ended, Ending, Foreseen, Opened, Retrieve, Retrieved, Rows
from mailsuite.pop3.responses import Response
from mailsuite.pop3.sending import Cut, Progress, Sending
from mailsuite.pop3.settings import Policy, Settings
from mailsuite.wire.events import CLOSE, HANG_UP, SAID, START_TLS, Event
from mailsuite.wire.foreign import TLS_RECORD, is_foreign
from mailsuite.wire.lines import Fault, Inbox

CAPABILITIES: tuple[Capability, ...] = parts(capabilities)
# The one table of a session: its verbs, each with the states in which it is legal (RFC 1939 §3).
VERBS: Mapping[bytes, Command] = {
    **commands.VERBS,
    **{verb: command for part in CAPABILITIES for verb, command in part.verbs.items()},
}
# What the account store has for who may log in by APOP; in the clear, as no digest of it will do.
APOP = "apop"
# After so many octets of output the driver is told, so that it can send them before more are made.
OUTPUT_OCTETS = 65_536

_FAULTS = {Fault.TOO_LONG: responses.LINE_TOO_LONG, Fault.BARE_NEWLINE: responses.BARE_NEWLINE}


class ServerSession:
    """One POP3 session. `mailsuite.wire.events.SessionCore` says how to drive it.

    *encrypted*: TLS began with the connection (RFC 8314 §3.3).
    """

    # No phase of a session has a bound on its length: RFC 1939 §3 knows silence only.
    phase: ClassVar[int] = 0
    term: ClassVar[float] = 0.0

    __slots__ = (
        "_asked",
        "_closed",
        "_consulted",
        "_dialogue",
        "_foreseen",
        "_inbox",
        "_line_octets",
        "_listing",
        "_output",
        "_ready",
        "_sending",
        "_tls_wanted",
        "_told",
        "_untold",
        "drop",
        "encrypted",
        "encryption",
        "errors",
        "named_before",
        "named_now",
        "policy",
        "settings",
        "state",
        "texts",
        "timestamp",
        "utf8",
    )

    def __init__(self, settings: Settings, encrypted: bool = False) -> None:
        self.settings = settings
        self.encrypted = encrypted
        # What TLS was agreed on, once its handshake is done.
        self.encryption: Encryption | None = None
        self.state = State.AUTHORIZATION
        self.errors = 0
        # What this command says, if it is USER, and what the one before it said (RFC 1939 §7: PASS follows it
        # immediately).
        self.named_now = self.named_before = ""
        self.drop = NO_DROP
        # What holds for the user, once it is known who that is.
        self.policy: Policy | None = None
        # The language that LANG has chosen, and whether UTF8 was said (RFC 6856).
        self.texts: Mapping[str, str] | None = None
        self.utf8 = False
        # What an APOP of this session signs; empty where there is none (RFC 1939 §7).
        self.timestamp = ""
        self._inbox = Inbox()
        self._line_octets = settings.limits.command_line
        self._output: list[bytes] = []
        self._untold = 0
        self._told: tuple[Event, ...] = (events.CONNECTED,)
        self._asked: Event | None = None
        self._dialogue: Callable[[bytes], Result] | None = None
        self._consulted: Callable[[Any], Result] | None = None
        self._listing: Iterator[bytes] | None = None
        self._sending: Sending | None = None
        # The message that comes after the one that was sent last; of one that was made ready, what goes onto the wire.
        self._foreseen: int | None = None
        self._ready: tuple[int, bytes] | None = None
        self._tls_wanted = False
        self._closed = False

    # From the driver

    @property
    def unread(self) -> int:
        """See `SessionCore.unread`."""
        return self._inbox.unread

    @property
    def patience(self) -> float:
        """See `SessionCore.patience`."""
        return self.settings.limits.idle_timeout

    def receive(self, data: bytes) -> None:
        """See `SessionCore.receive`. What comes after the session has closed is dropped."""
        if not self._closed:
            self._inbox.receive(data)

    def next_event(self) -> Event | None:
        """See `SessionCore.next_event`."""
        if self._asked is not None:
            return None
        while not self._told:
            if self._closed or self._tls_wanted or not self._advance():
                return None
            if self._untold >= OUTPUT_OCTETS and not self._told:
                self._told = (SAID,)
        event, self._told = self._told[0], self._told[1:]
        self._untold = 0
        if event.asks:
            self._asked = event
        return event

    def answer(self, answer: Any) -> None:
        """Take the respondent's answer to the question that is open; without one, nothing happens."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        if isinstance(asked, Foreseen):
            self._make_ready(asked.index, answer)
        elif isinstance(answer, Response):
            self._sending = None
            self.say(answer if asked is not events.CONNECTED else self._stamped(answer))
        elif isinstance(answer, Opened):
            self.state = State.TRANSACTION
            self.policy = answer.policy or self.settings.policies[0]
            self.drop = Drop(
                answer.sizes, answer.unique_ids, answer.octets, answer.size_rows, answer.id_rows
            )
            self.say(responses.LOGGED_IN)
        elif self._sending is not None:
            self._go_on_with(self._sending, asked, answer)
        elif isinstance(asked, events.Consult) and self._consulted is not None:
            self._take(self._consulted(answer))
        else:
            self.say(responses.TROUBLE)

    def fail(self) -> None:
        """See `SessionCore.fail`: ``-ERR [SYS/TEMP]``, and the session goes on where it can."""
        asked, self._asked = self._asked, None
        if isinstance(asked, events.Connected):
            self.say(responses.NOT_NOW)
        elif isinstance(asked, events.Update):
            # RFC 1939 §6: removed or not, the connection closes.
            self.say(responses.NOT_REMOVED)
        elif isinstance(asked, events.ReadBody):
            # In the middle of a message nothing can be said; only the missing end mark tells (RFC 1939 §3).
            self._close(Ending.DAMAGED)
        elif asked is not None and not isinstance(asked, Foreseen):
            self._sending = None
            self.say(responses.TROUBLE)

    def tls_started(self) -> None:
        """See `SessionCore.tls_started`."""
        # RFC 2595 §4: the session stays in AUTHORIZATION. What was learned in the clear is forgotten, and what
        # came behind STLS is dropped unread.
        self._inbox.clear()
        self._tls_wanted = False
        self.encrypted = True
        self.named_now = ""
        self.texts = None

    def expire(self, outlasted: bool = False) -> None:
        """See `SessionCore.expire`: autologout, without the UPDATE state (RFC 1939 §3)."""
        self._leave(responses.TOO_SLOW)

    def overstay(self) -> None:
        """See `SessionCore.overstay`: as `expire`."""
        self._leave(responses.OVERSTAYED)

    def shut_down(self) -> None:
        """See `SessionCore.shut_down`. A QUIT whose removal has begun is left to end by itself."""
        self._leave(responses.SHUTTING_DOWN)

    def bytes_to_send(self) -> bytes:
        """See `SessionCore.bytes_to_send`."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    # For commands and capabilities

    @property
    def password_allowed(self) -> bool:
        """Whether a password may cross the wire now (RFC 2595 §7, RFC 8314 §3)."""
        return self.encrypted or self.settings.plaintext_auth

    def offers(self) -> Iterator[str]:
        """Yield the lines of CAPA as things stand."""
        for capability in CAPABILITIES:
            line = capability.offer(self)
            if line is not None:
                yield line

    def say(self, response: Response) -> None:
        """Send *response*; count it where it is the client's error, and close where it says so."""
        if not response.positive and response.counts:
            self.errors += 1
            if self.errors > self.settings.limits.errors:
                response = responses.TOO_MANY_ERRORS
        self._put(response.encode(self.texts))
        if response.ending is not None:
            self._close(response.ending)

    def converse(self, challenge: bytes, answered: Callable[[bytes], Result], octets: int) -> None:
        """Send *challenge*; the next line, of up to *octets* octets, goes to *answered* and is no command."""
        self._put(challenge)
        self._dialogue = answered
        self._line_octets = octets

    def consult(self, answered: Callable[[Any], Result]) -> None:
        """Go on with *answered* when the next `Consult` has its answer, unless that is a refusal."""
        self._consulted = answered

    def begin_tls(self) -> None:
        """Read nothing more until TLS has begun."""
        self._tls_wanted = True
        self._told = (START_TLS,)

    def list_rows(self, first: Response, rows: Iterator[bytes]) -> None:
        """Send *first*, then *rows* piece by piece and the end mark. No row begins with a dot."""
        self.say(first)
        self._listing = rows

    def list_values(self, words: Words, values: Sequence[object], rows: Rows, first: Response) -> Result:
        """Answer LIST and UIDL: for the one message that *words* name, or for all, introduced by *first*."""
        if not words:
            self.list_rows(first, self.drop.rows(rows))
            return None
        found = self.drop.find(words[0])
        return responses.scan_listing(found + 1, values[found]) if isinstance(found, int) else found

    def send_message(self, word: bytes, lines: int | None = None, cut: Cut | None = None) -> Result:
        """Answer RETR and TOP: ask for the message, to be sent whole or as far as *cut* lets it through."""
        found = self.drop.find(word)
        if not isinstance(found, int):
            return found
        ready, self._ready = self._ready, None
        if ready is not None and ready[0] == found and lines is None:
            self.say(responses.message_follows(self.drop.sizes[found]))
            self._put(ready[1])
            self._foreseen = found + 1
            return Retrieved(found)
        self._sending = Sending(self.drop.sizes[found], cut)
        return Retrieve(found, lines, self.utf8)

    # Inside

    def _stamped(self, greeting: Response) -> Response:
        """RFC 1939 §7: the greeting of a server that does APOP ends with a timestamp, never the same twice."""
        sasl = self.settings.sasl
        if greeting.positive and self.password_allowed and sasl.takes_passwords and sasl.serves(APOP):
            self.timestamp = f"<{sasl.nonce()}@{self.settings.hostname}>"
            return greeting.with_text(f"{greeting.text.format(*greeting.values)} {self.timestamp}")
        return greeting

    def _advance(self) -> bool:
        """Do the next piece of work; ``False``: more octets are needed first."""
        if self._listing is not None:
            rows = next(self._listing, None)
            if rows is None:
                self._listing = None
            self._put(b".\r\n" if rows is None else rows)
            return True
        if self._sending is not None:
            self._told = (events.READ_BODY,)
            return True
        if not self._inbox.unread:
            return self._foreseen is not None and self._foresee(self._foreseen)
        if self._inbox.starts_with(TLS_RECORD):
            # It is longer than a line may be, and has no end of one.
            self._close(Ending.FOREIGN)
            return True
        line = self._inbox.line(self._line_octets)
        if line is None:
            return False
        self._take(self._obey(line))
        return True

    def _foresee(self, index: int) -> bool:
        """Nothing is left to be done for the client: message *index*, which it will probably ask for next, can be
        made ready."""
        self._foreseen = None
        if not self.drop.has(index):
            return False
        self._told = (Foreseen(index, self.utf8),)
        return True

    def _make_ready(self, index: int, octets: bytes | None) -> None:
        if octets is None:
            return
        sending = Sending(self.drop.sizes[index], None)
        wire = sending.take(octets)
        if sending.progress is Progress.WHOLE:
            self._ready = index, wire

    def _take(self, result: Result) -> None:
        if isinstance(result, Response):
            self.say(result)
        elif result is not None:
            self._told = (result,)

    def _obey(self, line: bytes | Fault) -> Result:
        dialogue, self._dialogue = self._dialogue, None
        self._line_octets = self.settings.limits.command_line
        self.named_before, self.named_now = self.named_now, ""
        if isinstance(line, Fault):
            return _FAULTS[line]
        if dialogue is not None:
            return dialogue(line)
        if b"\0" in line:
            return responses.NUL_OCTET
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()  # RFC 1939 §3: keywords are case-insensitive
        command = VERBS.get(verb)
        if command is None:
            return responses.OTHER_PROTOCOL if is_foreign(line) else responses.UNKNOWN
        if self.state not in command.states:
            return responses.WRONG_STATE
        words = command.words(argument)
        return responses.BAD_ARGUMENTS if words is None else command.obey(self, words)

    def _go_on_with(self, sending: Sending, asked: Event, octets: bytes) -> None:
        """Send the next *octets* of a message; the first of them follow the status line, if they are good."""
        wire = sending.take(octets)
        progress = sending.progress
        if isinstance(asked, Retrieve):
            if progress is Progress.DAMAGED:
                self._sending = None
                self.say(responses.UNAVAILABLE)
                return
            whole = asked.lines is None
            self.say(responses.message_follows(self.drop.sizes[asked.index]) if whole else responses.MESSAGE_FOLLOWS)
        self._put(wire)
        if progress is Progress.DAMAGED:
            self._close(Ending.DAMAGED)
        elif progress is not Progress.MORE:
            self._sending = None
            if progress is Progress.CUT:
                self._told = (events.BODY_DROPPED,)
            elif isinstance(asked, Retrieve) and asked.lines is None:
                self._foreseen = asked.index + 1

    def _put(self, data: bytes) -> None:
        if data:
            self._output.append(data)
            self._untold += len(data)

    def _leave(self, response: Response) -> None:
        if self._closed or self.state is State.UPDATE:
            return
        ending = response.ending or Ending.SHUTDOWN
        amid = self._listing is not None or self._tls_wanted
        amid = amid or (self._sending is not None and not isinstance(self._asked, Retrieve))
        # Within a multi-line response, or a TLS handshake, a line of ours would be taken for part of it.
        if amid:
            self._close(ending)
        else:
            self.say(response)

    def _close(self, ending: Ending) -> None:
        self._closed = True
        self._asked = None
        self._dialogue = self._listing = self._sending = None
        self._inbox.clear()
        # After QUIT the client has nothing more to say; otherwise it may still be sending.
        self._told = (Ended(ending), CLOSE if ending is Ending.QUIT else HANG_UP)
