"""A small client core and its respondent: enough of a session to see what the driver makes of it."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from mailsuite.encryption import Encryption
from mailsuite.interfaces import IRespondent
from mailsuite.transport.tls import TLSContext
from mailsuite.wire.events import CLOSE, START_TLS, Ask, Event


class Secured(Ask):
    """TLS has begun: does the session go on?"""


class Ready(Ask):
    """What is to be said next? ``None`` ends the session."""


class Heard(Event):
    """The server said *line*."""

    def __init__(self, line: bytes) -> None:
        self.line = line


class ClientCore:
    """Waits for a greeting, says ``STARTTLS`` if it is to, then what it is told to, a line at a time.

    *patience* is that of each step; *phases*: each step is a phase.
    """

    def __init__(
        self, starttls: bool = False, patience: Mapping[int, float] | None = None, phases: bool = True
    ) -> None:
        self.step = 0
        self.encryption: Encryption | None = None
        self._phases = phases
        self.term = 0.0
        self.unread = 0
        self.expired = 0
        self._starttls = starttls
        self._patience = patience or {}
        self._input = b""
        self._output = b""
        self._events: list[Event] = []
        self._asked = False

    @property
    def patience(self) -> float:
        return self._patience.get(self.step, 100.0)

    @property
    def phase(self) -> int:
        return self.step if self._phases else 0

    def receive(self, data: bytes) -> None:
        self._input += data

    def next_event(self) -> Event | None:
        if self._asked:
            return None
        if not self._events:
            line, mark, rest = self._input.partition(b"\r\n")
            if not mark:
                return None
            self._input = rest
            self._read(line)
        event = self._events.pop(0)
        self._asked = event.asks
        return event

    def _read(self, line: bytes) -> None:
        self._events.append(Heard(line))
        if self._starttls and self.step == 0:
            self._say(b"STARTTLS")
        elif self._starttls and self.step == 1:
            self.step += 1
            self._events.append(START_TLS)
        elif line.startswith(b"221"):
            self._events.append(CLOSE)
        else:
            self._events.append(Ready())

    def _say(self, line: bytes) -> None:
        self.step += 1
        self._output += line + b"\r\n"

    def answer(self, answer: Any) -> None:
        self._asked = False
        if answer is True:
            self._say(b"HELLO")
        elif answer:
            self._say(answer)
        else:
            self._events.append(CLOSE)

    def fail(self) -> None:
        self.answer(None)

    def tls_started(self) -> None:
        self._input = b""
        self._events.append(Secured())

    def expire(self, outlasted: bool = False) -> None:
        self.expired += 1
        self._events.append(CLOSE)

    def overstay(self) -> None:
        self.expire()

    def shut_down(self) -> None:
        self._events.append(CLOSE)

    def bytes_to_send(self) -> bytes:
        output, self._output = self._output, b""
        return output


@implementer(IRespondent)
class Caller:
    """Answers a `ClientCore`: says *lines*, goes on in TLS whatever it is, and notes what it hears of."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)
        self.heard: list[bytes] = []
        self.encryption: Encryption | None = None
        self.ended: list[tuple[str, str]] = []
        # What is asked for next waits for this, if set.
        self.pending: Deferred[bytes] | None = None
        # The answer to `Secured`, if it is not to be given as soon as TLS stands.
        self.secured: Deferred[bool] | None = None
        self._stands: Deferred[bool] = Deferred()

    def respond(self, event: Any) -> Any:
        match event:
            case Heard():
                self.heard.append(event.line)
            case Secured():
                return self.secured or self._stands
            case Ready() if self.pending is not None:
                return self.pending
            case Ready():
                return self.lines.pop(0) if self.lines else None
        return None

    def lost(self, reason: str, cause: str = "") -> None:
        self.ended.append((reason, cause))

    def tls_started(self, encryption: Encryption) -> None:
        self.encryption = encryption
        self._stands.callback(True)


class Server(Protocol):
    """Greets and answers lines; what *manners* has for a line is done instead."""

    transport: Any

    def __init__(self, tls: TLSContext | None = None, manners: Mapping[bytes, bytes | str] | None = None) -> None:
        self._tls = tls
        self._manners = manners or {}
        self._input = b""
        self.heard: list[bytes] = []

    def connectionMade(self) -> None:
        self._answer(b"", b"220 welcome\r\n")

    def dataReceived(self, data: bytes) -> None:
        self._input += data
        while b"\r\n" in self._input:
            line, _, self._input = self._input.partition(b"\r\n")
            self.heard.append(line)
            self._answer(line, b"221 bye\r\n" if line == b"QUIT" else b"250 you said " + line + b"\r\n")
            if line == b"STARTTLS" and self._tls is not None:
                self.transport.startTLS(self._tls)

    def _answer(self, line: bytes, usual: bytes) -> None:
        manner = self._manners.get(line, usual)
        if manner == "close":
            self.transport.loseConnection()
        elif manner == "reset":
            self.transport.abortConnection()
        elif isinstance(manner, bytes):
            self.transport.write(manner)
