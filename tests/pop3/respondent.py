"""A respondent double for the POP3 server core: one small maildrop, and names that mean trouble."""

from collections.abc import Callable
from typing import Any

from mailsuite.pop3 import events, responses
from mailsuite.pop3.events import Ended, Ending, Opened
from mailsuite.pop3.responses import Response
from mailsuite.pop3.server import ServerSession
from mailsuite.pop3.settings import Limits, Policy, Settings
from mailsuite.sasl.claims import Claim
from tests.sasl import store

LISTENERS = {
    "stls": (Settings("mail.example.org", stls=True), False),
    "clear": (Settings("mail.example.org", plaintext_auth=True), False),
    "tls": (Settings("mail.example.org"), True),
    "proofs": (
        Settings("mail.example.org", plaintext_auth=True, sasl=store.terms("pop", store.NONCE, "CRAM-MD5")), False,
    ),
    "sasl": (Settings("mail.example.org", plaintext_auth=True, sasl=store.terms("pop")), False),
    # RFC 1939 §7's example.
    "apop": (
        Settings(
            "dbc.mtview.ca.us",
            plaintext_auth=True,
            sasl=store.terms("pop", "1896.697170952", hostname="dbc.mtview.ca.us"),
        ),
        False,
    ),
    "apop under tls": (Settings("dbc.mtview.ca.us", stls=True, sasl=store.terms("pop")), False),
    "policies": (
        Settings("mail.example.org", plaintext_auth=True, policies=(Policy(60), Policy(900, 30), Policy(0, 5))),
        False,
    ),
    "one policy": (Settings("mail.example.org", plaintext_auth=True, policies=(Policy(900, 60),)), False),
    "german": (Settings("mail.example.org", plaintext_auth=True, language="de"), False),
    "few errors": (Settings("mail.example.org", Limits(errors=3), plaintext_auth=True), False),
}
MESSAGES = (
    b"Subject: one\r\n\r\nHello\r\n",
    b"Subject: dots\r\n\r\n.\r\n..two\r\n.three\r\nfour.\r\n",
    b"Subject: gone\r\n\r\nNobody reads this\r\n",
    b"No line end",
    b"",
)
GONE = 2


class Respondent:
    """Gives *messages*, *piece* octets at a time."""

    def __init__(self, messages: tuple[bytes, ...] = MESSAGES, piece: int = 7, gone: int | None = GONE) -> None:
        self.messages = messages
        self.piece = piece
        self.gone = gone
        self.claims: list[Claim] = []
        self.removed: list[int] | None = None
        self.ending: Ending | None = None
        self.dropped = 0
        # Small messages are at hand, where a test wants them to be.
        self.prompt = False
        self.foreseen: list[int] = []
        self.retrieved: list[int] = []
        self._rest = b""

    def __call__(self, event: Any) -> Any:
        answer: Callable[[Any], Any] | None = getattr(self, type(event).__name__, None)
        return None if answer is None else answer(event)

    def Connected(self, event: events.Connected) -> Response:
        return responses.greeting("mail.example.org", "x1")

    def Authenticate(self, event: events.Authenticate) -> Response | Opened:
        self.claims.append(event.claim)
        match event.claim.name:
            case "busy":
                return responses.IN_USE
            case "guesser":
                return responses.TOO_MANY_GUESSES
            case "hasty":
                return responses.TOO_SOON
            case "crash":
                raise RuntimeError("as a test wants it")
        if not store.good(event.claim, "open sesame"):
            return responses.WRONG_PASSWORD
        sizes = [len(message) for message in self.messages]
        policy = Policy(0, 5) if event.claim.name == "brief" else None
        return Opened(sizes, [f"id-{index}" for index in range(len(sizes))], policy=policy)

    def Consult(self, event: events.Consult) -> Any:
        if event.question.name == "crash":
            raise RuntimeError("as a test wants it")
        if event.question.name == "guesser":
            return responses.TOO_MANY_GUESSES
        return store.answer(event.question)

    def Retrieve(self, event: events.Retrieve) -> Response | bytes:
        if event.index == self.gone:
            return responses.UNAVAILABLE
        self._rest = self.messages[event.index]
        return self.ReadBody(events.READ_BODY)

    def ReadBody(self, event: events.ReadBody) -> bytes:
        piece, self._rest = self._rest[: self.piece], self._rest[self.piece :]
        return piece

    def Foreseen(self, event: events.Foreseen) -> bytes | None:
        self.foreseen.append(event.index)
        return self.messages[event.index] if self.prompt and event.index != self.gone else None

    def Retrieved(self, event: events.Retrieved) -> None:
        self.retrieved.append(event.index)

    def BodyDropped(self, event: events.BodyDropped) -> None:
        self.dropped += 1
        self._rest = b""

    def Update(self, event: events.Update) -> Response:
        self.removed = list(event.indexes)
        return responses.GOODBYE

    def Ended(self, event: Ended) -> None:
        self.ending = event.ending


def session(listener: str = "clear", respondent: Respondent | None = None) -> tuple[ServerSession, Respondent]:
    """Return a fresh session of *listener* with a respondent."""
    settings, encrypted = LISTENERS[listener]
    return ServerSession(settings, encrypted), respondent or Respondent()
