"""The client's side of an SMTP or LMTP session, pure (RFC 5321, RFC 2033): answers in, commands and questions out.

`next_event` gives what `mailsuite.smtp.client_events` names. Every command that was sent has its place in one queue
until it is answered, so that answers are told apart by counting alone (RFC 2920 §3.1).
"""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from mailsuite.encryption import Encryption
from mailsuite.outcome import Answer
from mailsuite.smtp.answers import AnswerReader, Garbled, ServerReply
from mailsuite.smtp.client_events import (
    SECURED,
    Broken,
    Capabilities,
    ClientSettings,
    Ended,
    ReadBody,
    Ready,
    Secured,
    Stage,
    Transaction,
)
from mailsuite.smtp.client_opening import Opening
from mailsuite.smtp.client_transaction import RunningTransaction
from mailsuite.wire.events import CLOSE, HANG_UP, SAID, START_TLS, Event

Take: TypeAlias = Callable[[ServerReply], None]

# For how long the answer to QUIT is waited for: nothing depends on it.
QUIT_SECONDS = 15.0
# RFC 5321 §3.8: the service closes the connection, whatever it was asked.
_CLOSING = 421


class ClientSession:
    """One session with a server. `mailsuite.wire.events.SessionCore` says how to drive it.

    *encrypted*: TLS began with the connection (RFC 8314 §3.3).
    """

    __slots__ = (
        "_asked",
        "_awaited",
        "_closed",
        "_encrypted",
        "_events",
        "_heard",
        "_output",
        "_quitting",
        "_reader",
        "_running",
        "_stage",
        "_streaming",
        "_tls_wanted",
        "capabilities",
        "encryption",
        "opening",
        "phase",
        "settings",
        "tls_refusal",
    )

    def __init__(self, settings: ClientSettings, encrypted: bool = False) -> None:
        self.settings = settings
        self.capabilities = Capabilities({})
        self.phase = 0
        # What was said to STARTTLS where we go on without it.
        self.tls_refusal: Answer | None = None
        self.encryption: Encryption | None = None
        self._encrypted = encrypted
        self._stage = Stage.GREETING
        self._reader = AnswerReader()
        self._output: list[bytes] = []
        self._events: list[Event] = []
        self._asked: Event | None = None
        # Commands without an answer: their stage, and what takes it.
        self._awaited: deque[tuple[Stage, Take]] = deque()
        self._running: RunningTransaction | None = None
        # The transaction under way gives its content piece by piece.
        self._streaming = False
        # An answer came of which the driver does not know yet.
        self._heard = False
        self._tls_wanted = False
        self._quitting = False
        self._closed = False
        self.opening = Opening(self)
        if encrypted:
            self._ask_whether_secure()
        else:
            self.opening.begin()

    # From the driver

    @property
    def unread(self) -> int:
        """See `SessionCore.unread`."""
        return len(self._reader)

    @property
    def patience(self) -> float:
        """See `SessionCore.patience`: what the stage has (RFC 5321 §4.5.3.2)."""
        if self._quitting:
            return QUIT_SECONDS
        stage = self._awaited[0][0] if self._awaited else self._stage
        settings = self.settings
        if stage is Stage.END:
            return settings.end_timeout
        if stage is Stage.BODY or stage is Stage.DATA:
            return settings.data_timeout
        return settings.greeting_timeout if stage is Stage.GREETING else settings.command_timeout

    @property
    def term(self) -> float:
        """See `SessionCore.term`: a transaction must be over in its time, however lively the server is."""
        return 0.0 if self._running is None else self.settings.transaction_timeout

    def receive(self, data: bytes) -> None:
        """See `SessionCore.receive`. What comes after the session has closed is dropped."""
        if not self._closed:
            self._reader.receive(data)

    def next_event(self) -> Event | None:
        """See `SessionCore.next_event`."""
        if self._asked is not None:
            return None
        events = self._events
        while not events:
            if self._closed or self._tls_wanted or not self._advance():
                # Each answer is a sign of life, also where nothing follows from it yet.
                heard, self._heard = self._heard, False
                return SAID if heard and not self._output else None
        event = events.pop(0)
        if event.asks:
            self._asked = event
        return event

    def answer(self, answer: Any) -> None:
        """Take the respondent's answer to the question that is open; without one, nothing happens."""
        asked, self._asked = self._asked, None
        if isinstance(asked, Ready):
            self._go_on(answer)
        elif isinstance(asked, ReadBody) and self._running is not None:
            self._running.give(answer)
        elif isinstance(asked, Secured):
            self._secured(answer)

    def fail(self) -> None:
        """See `SessionCore.fail`. Nothing is sent in place of what is missing, above all no end of a message."""
        asked, self._asked = self._asked, None
        if isinstance(asked, ReadBody):
            self.break_off(None, "the content could not be read")
        elif isinstance(asked, Secured):
            self._secured(False)
        elif asked is not None:
            self.quit()

    def tls_started(self) -> None:
        """See `SessionCore.tls_started`."""
        # RFC 3207 §4.2: what was learned in the clear is forgotten; what came behind the answer to STARTTLS is
        # dropped unread (CVE-2011-0411).
        self._reader.clear()
        self._tls_wanted = False
        self._encrypted = True
        self.capabilities = Capabilities({})
        self._ask_whether_secure()

    def expire(self, outlasted: bool = False) -> None:
        """See `SessionCore.expire`."""
        if self._quitting:
            self._close(HANG_UP)
        else:
            self.break_off(None, "timed out within the message" if self._streaming else "timed out without an answer")

    def overstay(self) -> None:
        """See `SessionCore.overstay`; nobody bounds a client's session so."""
        self.expire()

    def shut_down(self) -> None:
        """See `SessionCore.shut_down`: QUIT where nothing is under way."""
        if self._closed or self._quitting:
            return
        idle = self._stage is Stage.IDLE and not self._awaited and self._running is None
        if idle:
            self._asked = None
            self.quit()
        else:
            self.break_off(None, "we are shutting down")

    def bytes_to_send(self) -> bytes:
        """See `SessionCore.bytes_to_send`."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    # For the respondent

    @property
    def encrypted(self) -> bool:
        """Whether TLS has begun."""
        return self._encrypted

    @property
    def stage(self) -> Stage:
        """Where the session stands, as `Broken` would have it, should the connection be lost now."""
        if self._running is not None and self._running.may_be_taken:
            return Stage.END
        return self._awaited[0][0] if self._awaited else self._stage

    def cut_off(self) -> Ended | None:
        """Return what is settled of the transaction under way, should the connection be lost now; mostly nothing.

        It is something where every recipient was refused, or where an LMTP server has answered for some: those
        answers count, and the others are temporary failures (RFC 2033 §5).
        """
        return None if self._running is None else self._running.settled()

    # For the opening and the transaction

    def send(self, data: bytes) -> None:
        """Send *data* with what else there is."""
        self._output.append(data)

    def expect(self, stage: Stage, take: Take) -> None:
        """Give the answer to a command, in its turn, to *take*."""
        self._awaited.append((stage, take))

    def spoke_early(self) -> bool:
        """End the session where more has come than was asked for: it would be taken for the answer to what follows."""
        if self._reader.empty:
            return False
        self._spoke_unasked(Stage.BODY)
        return True

    @property
    def expecting(self) -> int:
        """How many commands have no answer yet."""
        return len(self._awaited)

    def command(self, line: bytes, stage: Stage, take: Take) -> None:
        """Send *line*, and give its answer to *take*."""
        self._output.append(line)
        self._awaited.append((stage, take))

    def raise_event(self, event: Event) -> None:
        """Tell or ask *event* next."""
        self._events.append(event)

    def start_tls(self) -> None:
        """Read nothing more before TLS has begun."""
        self._stage = Stage.TLS
        self._tls_wanted = True
        self._events.append(START_TLS)

    def opened(self) -> None:
        """The session is open, or free again: ask for a transaction."""
        self._stage = Stage.IDLE
        self._events.append(Ready(self.capabilities))

    def stream(self, on: bool) -> None:
        """Begin or end the sending of content in pieces."""
        self._streaming = on
        self._stage = Stage.BODY

    def ended(self, ended: Ended, reset: bool) -> None:
        """The transaction is over; where *reset*, it has left something that has to be forgotten first."""
        self._running = None
        self._streaming = False
        self._stage = Stage.IDLE
        self._events.append(ended)
        if not self._reader.empty:
            self._spoke_unasked()
        elif reset:
            self.command(b"RSET\r\n", Stage.IDLE, self._reset)
        else:
            self.opened()

    def refused(self, stage: Stage, answer: Answer | None, reason: str, loop: bool = False) -> None:
        """There will be no session, for a reason that leaves time for good manners (RFC 5321 §4.1.1.10)."""
        self._events.append(Broken(stage, answer, reason, loop))
        self.quit()

    def absurd(self, stage: Stage, reply: ServerReply) -> None:
        """*reply* has no place where it came: nothing that follows can be trusted to mean what it says."""
        self.break_off(reply.answer, f"an answer that has no meaning here ({reply.code})", stage)

    def break_off(self, answer: Answer | None, reason: str, stage: Stage | None = None) -> None:
        """End the session now, and say no more."""
        if self._closed:
            return
        if stage is None or (self._running is not None and self._running.may_be_taken):
            stage = self.stage
        if not self._quitting:
            ended = self.cut_off()
            if ended is not None:
                self._events.append(ended)
            self._events.append(Broken(stage, answer, reason))
        self._close(HANG_UP)

    def quit(self) -> None:
        """Say QUIT; any answer will do."""
        self._quitting = True
        self._withdraw_questions()
        self.phase += 1
        self.command(b"QUIT\r\n", Stage.IDLE, self._said_goodbye)

    # Inside

    def _advance(self) -> bool:
        """Read one answer, or send a piece of the content; ``False`` where more octets are needed first."""
        reply = self._reader.read()
        if reply is not None:
            self._heard = True
            self._take(reply)
            return True
        return self._streaming and self._running is not None and self._running.proceed()

    def _take(self, reply: ServerReply | Garbled) -> None:
        if isinstance(reply, Garbled):
            self.break_off(None, f"the server sent {reply.value}")
            return
        if not self._awaited:
            # It speaks while we send it a message after DATA: it has had enough of it.
            self.break_off(reply.answer, "the server spoke before the end of the message")
            return
        stage, take = self._awaited.popleft()
        if reply.code == _CLOSING and not self._quitting:
            self._service_closes(stage, reply.answer)
        else:
            take(reply)

    def _service_closes(self, stage: Stage, answer: Answer) -> None:
        """421 ends the session wherever it comes (RFC 5321 §3.8); the end of a message is answered by it."""
        running, self._running = self._running, None
        if running is not None:
            ended = running.cut_short(answer) if stage is Stage.END else running.settled()
            if ended is not None:
                self._events.append(ended)
        self._events.append(Broken(stage, answer, "the server closes the connection"))
        self._close(HANG_UP)

    def _ask_whether_secure(self) -> None:
        self._stage = Stage.TLS
        self._events.append(SECURED)

    def _secured(self, good: bool) -> None:
        if not good:
            self.break_off(None, "TLS is not good enough", Stage.TLS)
        else:
            self.opening.secured()

    def _go_on(self, transaction: Transaction | None) -> None:
        if transaction is None:
            self.quit()
        elif self._reader.empty:
            self.phase += 1
            self._running = RunningTransaction(self, transaction)
            self._running.begin()
        else:
            self._spoke_unasked()

    def _spoke_unasked(self, stage: Stage = Stage.IDLE) -> None:
        """Most often it is 421: the server was tired of waiting (RFC 5321 §3.8). Else its answers are one ahead."""
        reply = self._reader.read()
        answer = reply.answer if isinstance(reply, ServerReply) else None
        self.break_off(answer, "the server spoke while nothing was asked of it", stage)

    def _reset(self, reply: ServerReply) -> None:
        if reply.kind == 2:
            self.opened()
        elif reply.kind in (4, 5):
            self.refused(Stage.IDLE, reply.answer, "the server refuses RSET")
        else:
            self.absurd(Stage.IDLE, reply)

    def _said_goodbye(self, reply: ServerReply) -> None:
        self._close(CLOSE)

    def _withdraw_questions(self) -> None:
        """Nobody needs the answers any more; what is told stays told."""
        self._asked = None
        self._events[:] = [event for event in self._events if not event.asks]

    def _close(self, how: Event) -> None:
        if self._closed:
            return
        self._closed = True
        self._heard = False
        self._withdraw_questions()
        self._running = None
        self._streaming = False
        self._awaited.clear()
        self._reader.clear()
        self._events.append(how)
