"""Asking a server about one recipient without sending it a message: RCPT, then RSET and QUIT (a "call-out").

A client session of its own: it does no more than the first steps of a transaction with the null reverse-path
(RFC 5321 §4.5.5), which every server has to take, and it never tells the server anything about a real message.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal

from mailsuite.address import Address
from mailsuite.encryption import Encryption
from mailsuite.outcome import Answer
from mailsuite.smtp.answers import AnswerReader, Garbled, ServerReply
from mailsuite.smtp.client_commands import path_octets
from mailsuite.wire.events import CLOSE, HANG_UP, START_TLS, Event

# The codes by which a server refuses the address of RCPT, and not our command, our login or the whole domain.
_REFUSALS = (550, 551, 553, 554)
# Where it says more (RFC 3463 §3.2, §3.3), what blames the mailbox: there is none (5.1.10 and 5.4.1 are what others
# say for that), it cannot be one, it has moved, it is switched off. Not: the domain (X.1.2), the sender (X.1.7,
# X.1.8), a full mailbox (X.2.2), the system, a loop, protocol, content and policy: no word about who exists.
_ABOUT_MAILBOXES = ("5.1.1", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1", "5.4.1")
# The statuses that say no more than the code, which stands for policy as well (RFC 5321 §4.2.3): there the text has to
# say that it is the mailbox.
_VAGUE = ("", "5.0.0", "5.1.0", "5.2.0")
_NO_SUCH_USER = re.compile(
    r"\b(user|mailbox|recipient|account|address)\b.{0,40}\b(unknown|not found|not known|does ?n[o']t exist|not local)"
    r"|\b(unknown|no such|non-?existent|invalid|unrouteable) (local )?(user|mailbox|recipient|account|address)\b"
    r"|\bno mailbox here\b",
    re.IGNORECASE,
)
# Whatever it goes on to say, it is about who asks.
_ABOUT_US = re.compile(r"\b(sender|client|host|hostname|helo|ip|relay\w*)\b", re.IGNORECASE)


class _Step(Enum):
    GREETING = auto()
    HELLO = auto()
    PLAIN_HELLO = auto()
    STARTTLS = auto()
    MAIL = auto()
    RCPT = auto()
    RESET = auto()
    QUIT = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Probed(Event):
    """Told once: whether the server would take mail for the address; ``None``: it did not say. *reason* is for people.

    *spoke*: the server answered to the address itself, if only with a temporary refusal.
    """

    known: bool | None
    reason: str
    spoke: bool = False


class ProbeSession:
    """One question to one server; a `mailsuite.wire.events.SessionCore`.

    *tls*: never by STARTTLS, where it is offered, or else no question. *seconds* bounds each answer of the server, and
    the whole session.
    """

    phase = 0

    def __init__(
        self,
        hostname: str,
        recipient: Address,
        seconds: float,
        tls: Literal["none", "may", "must"] = "may",
        encrypted: bool = False,
    ) -> None:
        self.encryption: Encryption | None = None
        self._hostname = hostname
        self._recipient = recipient
        self._seconds = seconds
        self._tls = tls
        self._encrypted = encrypted
        self._began_tls = False
        self._utf8 = False
        self._reader = AnswerReader()
        self._step = _Step.GREETING
        self._events: list[Event] = []
        self._output = b""
        self._told = False

    @property
    def began_tls(self) -> bool:
        """Whether the server had TLS begun; how that went its driver knows."""
        return self._began_tls

    # What a driver asks for

    @property
    def unread(self) -> int:
        """See `SessionCore.unread`."""
        return len(self._reader)

    @property
    def patience(self) -> float:
        """See `SessionCore.patience`."""
        return self._seconds

    @property
    def term(self) -> float:
        """See `SessionCore.term`."""
        return self._seconds

    def receive(self, data: bytes) -> None:
        """See `SessionCore.receive`."""
        self._reader.receive(data)

    def next_event(self) -> Event | None:
        """See `SessionCore.next_event`. It asks nothing: it tells `Probed`, once."""
        while not self._events and self._step is not _Step.OVER:
            reply = self._reader.read()
            if reply is None:
                return None
            if isinstance(reply, Garbled):
                self._end(f"the server sent {reply.value}", HANG_UP)
            else:
                self._take(reply)
        return self._events.pop(0) if self._events else None

    def answer(self, answer: Any) -> None:
        """See `SessionCore.answer`: there are no questions."""

    def fail(self) -> None:
        """See `SessionCore.fail`: there are no questions."""

    def tls_started(self) -> None:
        """See `SessionCore.tls_started`: what came before TLS is forgotten (RFC 3207 §4.2)."""
        self._reader.clear()
        self._encrypted = True
        self._say("EHLO " + self._hostname, _Step.HELLO)

    def expire(self, outlasted: bool = False) -> None:
        """See `SessionCore.expire`."""
        self._end(f"no answer within {self._seconds:g} seconds", HANG_UP)

    def overstay(self) -> None:
        """See `SessionCore.overstay`; nobody bounds a client's session so."""
        self.expire()

    def shut_down(self) -> None:
        """See `SessionCore.shut_down`."""
        self._end("we are stopping", CLOSE)

    def bytes_to_send(self) -> bytes:
        """See `SessionCore.bytes_to_send`."""
        output, self._output = self._output, b""
        return output

    # The steps

    def _take(self, reply: ServerReply) -> None:
        match self._step:
            case _Step.GREETING:
                self._on_greeting(reply)
            case _Step.HELLO | _Step.PLAIN_HELLO:
                self._on_hello(reply)
            case _Step.STARTTLS:
                self._on_starttls(reply)
            case _Step.MAIL:
                self._on_mail(reply)
            case _Step.RCPT:
                self._tell(verdict(reply.answer), str(reply.answer), spoke=True)
                self._say("RSET", _Step.RESET)
            case _Step.RESET:
                self._say("QUIT", _Step.QUIT)
            case _:
                self._end("", CLOSE)

    def _on_greeting(self, reply: ServerReply) -> None:
        if reply.kind == 2:
            self._say("EHLO " + self._hostname, _Step.HELLO)
        else:
            self._give_up(reply)

    def _on_hello(self, reply: ServerReply) -> None:
        if reply.kind == 2:
            offered = {text.upper().split(b" ")[0] for text in reply.texts[1:]}
            # RFC 6531 §3.4: only where it is needed.
            self._utf8 = b"SMTPUTF8" in offered and self._recipient.needs_utf8
            self._secure_or_ask(b"STARTTLS" in offered)
        elif reply.kind == 5 and self._step is _Step.HELLO and not self._encrypted:
            # RFC 5321 §3.2: a server that does not know EHLO is greeted by HELO.
            self._say("HELO " + self._hostname, _Step.PLAIN_HELLO)
        else:
            self._give_up(reply)

    def _secure_or_ask(self, offered: bool) -> None:
        if self._encrypted or self._tls == "none":
            self._ask()
        elif offered:
            self._say("STARTTLS", _Step.STARTTLS)
        else:
            self._ask_in_the_clear()

    def _on_starttls(self, reply: ServerReply) -> None:
        if reply.code == 220:
            # Nothing is read before TLS has started: what came with this answer is not to be believed.
            self._reader.clear()
            self._began_tls = True
            self._events.append(START_TLS)
        else:
            self._ask_in_the_clear()

    def _ask_in_the_clear(self) -> None:
        if self._tls == "must":
            self._tell(None, "the server offers no TLS")
            self._say("QUIT", _Step.QUIT)
        else:
            self._ask()

    def _ask(self) -> None:
        self._say("MAIL FROM:<> SMTPUTF8" if self._utf8 else "MAIL FROM:<>", _Step.MAIL)

    def _on_mail(self, reply: ServerReply) -> None:
        path = path_octets(self._recipient, self._utf8)
        if reply.kind != 2:
            self._give_up(reply)
        elif isinstance(path, Answer):
            self._tell(None, str(path))
            self._say("QUIT", _Step.QUIT)
        else:
            self._say("RCPT TO:" + path.decode(), _Step.RCPT)

    def _give_up(self, reply: ServerReply) -> None:
        self._tell(None, str(reply.answer))
        self._say("QUIT", _Step.QUIT)

    def _say(self, command: str, step: _Step) -> None:
        self._output += command.encode() + b"\r\n"
        self._step = step

    def _tell(self, known: bool | None, reason: str, spoke: bool = False) -> None:
        if not self._told:
            self._told = True
            self._events.append(Probed(known, reason, spoke))

    def _end(self, reason: str, how: Event) -> None:
        if self._step is not _Step.OVER:
            self._step = _Step.OVER
            self._tell(None, reason)
            self._events.append(how)


def verdict(answer: Answer) -> bool | None:
    """Say whether *answer*, to RCPT, means that the address is known; ``None`` where it is no word about the address.

    A refusal for good is one where its status (RFC 3463), or else its text, blames the mailbox; one that blames us, or
    the time, says nothing. A wrong "no" costs mail, and a wrong silence no more than a report.
    """
    if answer.code // 100 == 2:
        return True
    if answer.code not in _REFUSALS:
        return None
    if answer.status not in _VAGUE:
        return False if answer.status in _ABOUT_MAILBOXES else None
    text = " ".join(answer.lines)
    # A bare 554 is what a server says to a host that it does not want (RFC 5321 §4.2.3).
    unknown = answer.code != 554 and _NO_SUCH_USER.search(text) and not _ABOUT_US.search(text)
    return False if unknown else None
