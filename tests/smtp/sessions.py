"""SMTP conversations for tests: opened, read reply by reply, cut into segments, answered late."""

from collections.abc import Callable, Iterable
from typing import Any

from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Settings
from mailsuite.wire.events import Close, Event, HangUp, StartTLS
from tests.chat import Conversation
from tests.smtp.respondent import PLAIN, Respondent, session

ENVELOPE = b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n"


class Talk:
    """A conversation with a respondent double, read by whole replies."""

    def __init__(self, settings: Settings = PLAIN, greet: bool = True) -> None:
        core, self.respondent = session(settings)
        self.conversation = Conversation(core, self.respondent)
        self.core = core
        if greet:
            self.say(b"LHLO client.example\r\n" if settings.lmtp else b"EHLO client.example\r\n")
            self.replies()

    def say(self, *segments: bytes) -> None:
        """Send *segments*."""
        for segment in segments:
            self.conversation.send(segment)

    def say_octets(self, data: bytes) -> None:
        """Send *data* octet by octet."""
        for index in range(len(data)):
            self.conversation.send(data[index : index + 1])

    def replies(self) -> list[str]:
        """Take the replies that were given since: code and status of each, such as ``250 2.1.0``."""
        said, self.conversation.said = self.conversation.said, b""
        return [" ".join(line.decode().split(" ")[:2]) for line in finals(said)]

    def codes(self) -> list[int]:
        """Take the codes of the replies that were given since."""
        return [int(reply[:3]) for reply in self.replies()]

    def ask(self, line: bytes) -> str:
        """Send one line and return its reply as `replies` gives it."""
        self.say(line + b"\r\n")
        (reply,) = self.replies()
        return reply

    def transaction(self, body: bytes, envelope: bytes = ENVELOPE) -> str:
        """Send one message with *body* and its end mark; return the last reply."""
        self.say(envelope + b"DATA\r\n")
        self.replies()
        self.say(body)
        (reply,) = self.replies()
        return reply


def finals(said: bytes) -> list[bytes]:
    """Return the last line of each reply in *said*."""
    *lines, rest = said.split(b"\r\n")
    assert rest == b"", f"a reply without its end: {rest!r}"
    return [line for line in lines if line[3:4] == b" "]


class LateConversation:
    """Gives each answer only when it is told to, as a respondent does that looks something up."""

    def __init__(self, core: ServerSession, respond: Callable[[Any], Any]) -> None:
        self.core = core
        self.respond = respond
        self.said = b""
        self.closed = False
        self.tls_wanted = False
        self._question: Event | None = None
        self.pump()

    @property
    def waits(self) -> bool:
        """Whether a question is open."""
        return self._question is not None

    def send(self, data: bytes) -> None:
        """Give *data* to the core, open question or not."""
        self.core.receive(data)
        self.pump()

    def answer(self) -> None:
        """Answer the open question, if there is one."""
        event, self._question = self._question, None
        if event is not None:
            self._tell(event)
            self.pump()

    def settle(self) -> None:
        """Answer all there is."""
        while self.waits:
            self.answer()

    def start_tls(self) -> None:
        """Do what the driver does when the handshake is through."""
        assert self.tls_wanted, "the core did not ask for TLS"
        self.tls_wanted = False
        self.core.tls_started()
        self.pump()

    def pump(self) -> None:
        """Take events until one asks, or TLS is to begin."""
        while self._question is None and (event := self.core.next_event()) is not None:
            if isinstance(event, Close | HangUp):
                self.closed = True
            elif isinstance(event, StartTLS):
                self.tls_wanted = True
            elif event.asks:
                self._question = event
            else:
                self._tell(event)
        self.said += self.core.bytes_to_send()

    def _tell(self, event: Event) -> None:
        try:
            answer = self.respond(event)
        except RuntimeError:
            self.core.fail()
            return
        if event.asks:
            self.core.answer(answer)


def late(segments: Iterable[bytes], answers: Iterable[bool], settings: Settings = PLAIN) -> tuple[bytes, Respondent]:
    """Send *segments*; after each, *answers* says whether an open question is answered then. Return what was said."""
    core, respondent = session(settings)
    conversation = LateConversation(core, respondent)
    decisions = iter(answers)
    for segment in segments:
        conversation.send(segment)
        if next(decisions, True):
            conversation.answer()
    conversation.settle()
    return conversation.said, respondent
