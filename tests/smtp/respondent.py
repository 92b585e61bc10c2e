"""A respondent double for the SMTP server core: answers by the names that a test uses."""

from collections.abc import Callable, Mapping
from typing import Any

from mailsuite.sasl.claims import Claim
from mailsuite.smtp import events, replies
from mailsuite.smtp.commands import EXTENSIONS
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.server import Answer, ServerSession
from mailsuite.smtp.settings import Limits, Settings
from tests.sasl import store


class Respondent:
    """Answers like a small site: ``nobody`` is refused, ``later`` put off, ``crash`` raises.

    A sender ``full`` is refused at DATA, ``midway`` at the end of a chunk, where ``lost`` raises; for ``trouble`` the
    end of the message raises. A recipient ``over`` has a reply of its own at the end, and then all have one. Reset is
    obeyed as a real respondent does, and a command of a transaction that is not there is an error in the core.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], bytes]] = []
        self.refused: list[Reply] = []
        self.claims: list[Claim] = []
        self.expanded: list[str] = []
        self.flushed: list[events.Etrn] = []
        self.limits: list[str] = []
        self.proxied: list[events.Proxied] = []
        self.parameters: list[Mapping[str, Any]] = []
        self._sender: str | None = None
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
        assert self._sender is None, "MAIL within a transaction"
        sender = "<>" if event.reverse_path is None else str(event.reverse_path)
        if sender.startswith("crash@"):
            raise RuntimeError("as a test wants it")
        if sender.startswith("nobody@"):
            return replies.NOT_YOUR_ADDRESS
        self._sender = sender
        self._recipients = []
        self.parameters = [event.parameters]
        return replies.SENDER_OK

    def Reset(self, event: events.Reset) -> None:
        self._sender = None

    def RcptTo(self, event: events.RcptTo) -> Reply:
        assert self._sender is not None, "RCPT outside a transaction"
        local = event.forward_path.local
        if local == "crash":
            raise RuntimeError("as a test wants it")
        if local == "nobody":
            return replies.UNKNOWN_USER
        if local == "later":
            return replies.MAILBOX_TROUBLE
        self._recipients.append(str(event.forward_path))
        self.parameters.append(event.parameters)
        return replies.RECIPIENT_OK

    def DataBegins(self, event: events.DataBegins) -> Reply:
        assert self._sender is not None and self._recipients, "DATA without MAIL and RCPT"
        self._body = b""
        return replies.NO_ROOM if self._sender.startswith("full@") else replies.START_MESSAGE

    def BodyChunk(self, event: events.BodyChunk) -> None:
        self._body += event.octets

    def ChunkEnds(self, event: events.ChunkEnds) -> Reply:
        assert self._sender is not None, "a chunk outside a transaction"
        if self._sender.startswith("midway@"):
            self._sender = None
            return replies.MAIL_LOOP
        if self._sender.startswith("lost@"):
            raise RuntimeError("as a test wants it")
        return replies.CHUNK_OK

    def MessageRefused(self, event: events.MessageRefused) -> None:
        self.refused.append(event.reply)
        self._sender = None

    def MessageEnds(self, event: events.MessageEnds) -> Answer:
        sender, self._sender = self._sender, None
        assert sender is not None, "a message outside a transaction"
        if sender.startswith("trouble@"):
            raise RuntimeError("as a test wants it")
        self.messages.append((sender, self._recipients, self._body))
        over = [address.startswith("over@") for address in self._recipients]
        if any(over):
            return tuple(replies.MAILBOX_TROUBLE if each else replies.ACCEPTED for each in over)
        return replies.ACCEPTED

    def Verify(self, event: events.Verify) -> Reply:
        return replies.CANNOT_VERIFY

    def Expand(self, event: events.Expand) -> Reply:
        self.expanded.append(event.text)
        return Reply(250, "2.1.5", "<a@example.org>", "<b@example.org>")

    def Etrn(self, event: events.Etrn) -> Reply:
        self.flushed.append(event)
        known = {
            "empty.example": replies.etrn_started(0),
            "not-ours.example": replies.ETRN_NOT_OURS,
            "not-you.example": replies.ETRN_NOT_ALLOWED,
        }
        return known.get(event.domain, replies.etrn_started(14))

    def LimitReached(self, event: events.LimitReached) -> None:
        self.limits.append(event.limit)

    def Proxied(self, event: events.Proxied) -> Reply:
        self.proxied.append(event)
        if event.login and event.login.startswith("nobody@"):
            return replies.NO_SUCH_LOGIN
        self._sender = None
        return Reply(220, "", "mail.example.org ESMTP")

    def Authenticate(self, event: events.Authenticate) -> Reply:
        self.claims.append(event.claim)
        return replies.AUTHENTICATED if store.good(event.claim, "secret") else replies.WRONG_CREDENTIALS

    def Consult(self, event: events.Consult) -> Any:
        if event.question.name == "crash":
            raise RuntimeError("as a test wants it")
        if event.question.name == "guesser":
            return replies.TOO_MANY_LOGINS
        return store.answer(event.question)


PLAIN = Settings("mail.example.org")
STARTTLS = Settings("mail.example.org", starttls=True)
SUBMISSION = Settings("mail.example.org", starttls=True, auth="tls", auth_required=True)
CLEAR_AUTH = Settings("mail.example.org", auth="always", auth_required=True)
SASL = Settings("mail.example.org", auth="always", sasl=store.terms("smtp"))
# The scripts of these are about themselves.
_BARE = frozenset(extension.keyword for extension in EXTENSIONS) - {"SIZE"}
LMTP = Settings("mail.example.org", lmtp=True, without=_BARE)
LMTP_ALL = Settings("mail.example.org", lmtp=True)
SMALL_LMTP = Settings("mail.example.org", Limits(message_size=100, errors=3), lmtp=True, without=_BARE)
SMALL = Settings(
    "mail.example.org", Limits(message_size=100, recipients=2, errors=3, unknown_recipients=2, text_line=1000)
)
FEW_MESSAGES = Settings("mail.example.org", Limits(session_messages=2))
XCLIENT = Settings("mail.example.org", xclient=True, without=_BARE - {"XCLIENT"})
# What senders ask of a message's way.
ASKED = Settings(
    "mail.example.org", deliver_by_minimum=30, priority_policy="MIXER", future_release=86_400, now=lambda: 1e9
)
NORMALIZE = Settings("mail.example.org", bare_newlines="normalize")

LISTENERS = {
    "plain": PLAIN,
    "starttls": STARTTLS,
    "submission": SUBMISSION,
    "clear-auth": CLEAR_AUTH,
    "sasl": SASL,
    "small": SMALL,
    "few-messages": FEW_MESSAGES,
    "normalize": NORMALIZE,
    "asked": ASKED,
    "lmtp": LMTP,
    "lmtp-all": LMTP_ALL,
    "small-lmtp": SMALL_LMTP,
    "xclient": XCLIENT,
}


def session(settings: Settings = PLAIN) -> tuple[ServerSession, Respondent]:
    """Return a fresh core and its respondent."""
    return ServerSession(settings, proxies=settings.xclient), Respondent()
