"""Chat scripts: what a client sends, what the server must say, and what the core asked in between.

Lines of a script::

    C: MAIL FROM:<a@example.org>      the client sends this line and CRLF
    C> raw octets\\r\\n                 the client sends exactly these (Python escapes)
    S: 250 2.1.0 *                    the server says this line (fnmatch pattern)
    S+ 250                            the server says a reply of this code, of however many lines
    TLS                               the core asked for TLS; it has now begun
    CLOSED                            the core closed the session

Every script is run twice: each client turn in one segment, and octet by octet; both must give the same replies
in the same order.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from mailsuite.wire.events import Close, Event, HangUp, SessionCore, StartTLS

Answer = Callable[[Any], Any]


class Conversation:
    """Drives one core with a respondent double, as the transport would, without a reactor."""

    def __init__(self, core: SessionCore, respond: Answer) -> None:
        self.core = core
        self.respond = respond
        self.events: list[Event] = []
        self.said = b""
        self.closed = False
        self.tls_wanted = False
        self.pump()

    def send(self, data: bytes) -> None:
        """Give *data* to the core and let it do what it can."""
        self.core.receive(data)
        self.pump()

    def pump(self) -> None:
        """Take events and give answers until the core waits."""
        while (event := self.core.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, Close | HangUp):
                self.closed = True
            elif isinstance(event, StartTLS):
                self.tls_wanted = True
                break
            else:
                try:
                    answer = self.respond(event)
                except Exception:
                    self.core.fail()
                    continue
                if event.asks:
                    self.core.answer(answer)
        self.said += self.core.bytes_to_send()

    def start_tls(self) -> None:
        """Do what the driver does when the handshake is through."""
        assert self.tls_wanted, "the core did not ask for TLS"
        self.tls_wanted = False
        self.core.tls_started()
        self.pump()

    def line(self) -> str:
        """Take one line of what the server said."""
        line, found, self.said = self.said.partition(b"\r\n")
        assert found, f"the server said nothing more (left: {line!r})"
        return line.decode("utf-8")


def chat(make: Callable[[], tuple[SessionCore, Answer]], script: str) -> Conversation:
    """Run *script* against fresh cores from *make*: by the line and by the octet. Return the last conversation."""
    play(Conversation(*make()), script, whole=True)
    return play(Conversation(*make()), script, whole=False)


def play(conversation: Conversation, script: str, whole: bool) -> Conversation:
    """Run *script* once."""
    for row in script.strip().splitlines():
        turn = row.strip()
        if not turn or turn.startswith("#"):
            continue
        if turn == "TLS":
            conversation.start_tls()
        elif turn == "CLOSED":
            assert conversation.closed, "the session is still open"
        elif turn.startswith("S: "):
            said = conversation.line()
            assert fnmatchcase(said, turn[3:]), f"expected {turn[3:]!r}, got {said!r}"
        elif turn.startswith("S+ "):
            said = conversation.line()
            while said.startswith(f"{turn[3:]}-"):
                said = conversation.line()
            assert said.startswith(f"{turn[3:]} "), f"expected {turn[3:]!r}, got {said!r}"
        elif turn.startswith(("C:", "C>")):
            send(conversation, octets(turn), whole)
        else:
            raise AssertionError(f"not a line of a chat script: {row!r}")
    return conversation


def octets(turn: str) -> bytes:
    """Return what a client line of a script puts on the wire."""
    if turn.startswith("C:"):
        return turn[2:].removeprefix(" ").encode("utf-8") + b"\r\n"
    return turn[2:].removeprefix(" ").encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def send(conversation: Conversation, data: bytes, whole: bool) -> None:
    """Send *data* in one segment or octet by octet."""
    if whole:
        conversation.send(data)
        return
    for index in range(len(data)):
        conversation.send(data[index : index + 1])
