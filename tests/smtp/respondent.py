"""A respondent double for the SMTP server core: accepts what its tables do not refuse."""

from collections.abc import Callable
from typing import Any

from mailsuite.sasl.claims import PasswordClaim
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Limits, Settings


class Respondent:
    """Answers like a small site: recipients called ``nobody`` are unknown, ``crash`` raises."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], bytes]] = []
        self.refused: list[Reply] = []
        self.claims: list[PasswordClaim] = []
        self._sender = ""
        self._recipients: list[str] = []
        self._body = b""

    def __call__(self, event: Any) -> Any:
        answer: Callable[[Any], Any] | None = getattr(self, type(event).__name__, None)
        return None if answer is None else answer(event)

    def Connected(self, event: events.Connected) -> Reply:
        return Reply(220, "", "mail.example.org ESMTP")

    def Hello(self, event: events.Hello) -> Reply:
        return replies.OK if event.name != "refused.example" else Reply(550, "", "Not you")

    def MailFrom(self, event: events.MailFrom) -> Reply:
        self._sender = "<>" if event.reverse_path is None else str(event.reverse_path)
        self._recipients = []
        if self._sender.startswith("nobody@"):
            return replies.NOT_YOUR_ADDRESS
        return replies.SENDER_OK

    def RcptTo(self, event: events.RcptTo) -> Reply:
        local = event.forward_path.local
        if local == "crash":
            raise RuntimeError("as a test wants it")
        if local == "nobody":
            return replies.UNKNOWN_USER
        self._recipients.append(str(event.forward_path))
        return replies.RECIPIENT_OK

    def DataBegins(self, event: events.DataBegins) -> Reply:
        self._body = b""
        return replies.NO_ROOM if self._sender.startswith("full@") else replies.START_MESSAGE

    def BodyChunk(self, event: events.BodyChunk) -> None:
        self._body += event.octets

    def MessageRefused(self, event: events.MessageRefused) -> None:
        self.refused.append(event.reply)

    def MessageEnds(self, event: events.MessageEnds) -> Reply:
        if self._sender.startswith("trouble@"):
            raise RuntimeError("as a test wants it")
        self.messages.append((self._sender, self._recipients, self._body))
        return replies.ACCEPTED

    def Verify(self, event: events.Verify) -> Reply:
        return replies.CANNOT_VERIFY

    def Expand(self, event: events.Expand) -> Reply:
        return Reply(250, "2.1.5", "<a@example.org>", "<b@example.org>")

    def Authenticate(self, event: events.Authenticate) -> Reply:
        self.claims.append(event.claim)
        return replies.AUTHENTICATED if event.claim.password == "secret" else replies.WRONG_CREDENTIALS


PLAIN = Settings("mail.example.org")
STARTTLS = Settings("mail.example.org", starttls=True)
SUBMISSION = Settings("mail.example.org", starttls=True, auth="tls", auth_required=True)
CLEAR_AUTH = Settings("mail.example.org", auth="always", auth_required=True)
SMALL = Settings("mail.example.org", Limits(message_size=100, recipients=2, errors=3, text_line=1000))
NORMALIZE = Settings("mail.example.org", bare_newlines="normalize")

LISTENERS = {
    "plain": PLAIN,
    "starttls": STARTTLS,
    "submission": SUBMISSION,
    "clear-auth": CLEAR_AUTH,
    "small": SMALL,
    "normalize": NORMALIZE,
}


def session(settings: Settings = PLAIN) -> tuple[ServerSession, Respondent]:
    """Return a fresh core and its respondent."""
    return ServerSession(settings), Respondent()
