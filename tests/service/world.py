"""A small site of doubles around one SMTP session's respondent, and the session core that asks it."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import ICaps, IQuotas, IRates
from mailsuite.meaning import Broken, Foreign, Login, Mailbox, Refused, Relayed, Suspended
from mailsuite.policy.checks import Checks
from mailsuite.policy.priorities import Priorities
from mailsuite.policy.relay import InboundRelay, OwnOnly, SubmissionRelay
from mailsuite.policy.state import MemoryState
from mailsuite.service.dispatch import Dispatch
from mailsuite.service.flush import Flush
from mailsuite.service.intake import Intake
from mailsuite.service.login import Logins
from mailsuite.service.mda import DeliveryRole
from mailsuite.service.msa import SubmissionRole
from mailsuite.service.mta import InboundRole
from mailsuite.service.reception import Reception
from mailsuite.service.role import Role
from mailsuite.service.site import Site
from mailsuite.smtp.server import ServerSession
from mailsuite.smtp.settings import Settings
from mailsuite.wire.events import Close, Event, HangUp, StartTLS
from tests.doubles import CountedTries, FixedDirectory, MemoryMail, OnePassword, mailboxes
from tests.doubles_pop3 import KeptLog
from tests.doubles_queue import DomainRouter, IdleRunner, KeptReports, MemoryQueue

NOW = 1_767_225_600.0
DATE = b"Thu, 01 Jan 2026 00:00:00 +0000"
ALICE = Login(1, "alice@b.example", Mailbox(1, "b.example/box1"))
PEER = Peer("192.0.2.1", 1025)
# The one that may have any priority.
LISTED_PEER = Peer("192.0.2.99", 1025)
# The one that may ask by ETRN.
ETRN_PEER = "192.0.2.25"


class World:
    """All that a transaction touches; *submission* makes it an MSA's, *lmtp* an MDA's; *xclient*: a proxy speaks."""

    def __init__(
        self,
        submission: bool = False,
        check_from: bool = True,
        hop_limit: int = 100,
        peer: Peer = PEER,
        lmtp: bool = False,
        rates: IRates | None = None,
        xclient: bool = False,
        quotas: IQuotas | None = None,
        caps: ICaps | None = None,
    ) -> None:
        self.directory = FixedDirectory(
            {
                "alice@b.example": mailboxes(1),
                "bob@b.example": mailboxes(2),
                "both@b.example": mailboxes(1, 2),
                "off@b.example": Suspended(),
                "later@b.example": Refused(450, "4.2.1", "Back tomorrow"),
                "loop@b.example": Broken("loop"),
                "x@else.example": Foreign(),
                "x@relayed.example": Relayed(),
                "postmaster@relayed.example": Relayed(),
                "team@b.example": replace(mailboxes(1), onward=(Address("x", "else.example"),)),
            }
        )
        self.directory.rights = {("alice@b.example", "alice@b.example"), ("alice@b.example", "sales@b.example")}
        self.store = MemoryMail()
        self.log = KeptLog()
        self.seconds = 0.0
        self.passwords = OnePassword(ALICE)
        self.tries = CountedTries()
        logins = Logins(self.passwords, self.tries)
        self.queue = MemoryQueue()
        self.runner = IdleRunner()
        self.reports = KeptReports()
        router = DomainRouter()
        flush = Flush(self.runner, router, lambda peer: peer.host == ETRN_PEER)
        self.role: Role = (
            SubmissionRole(Checks(SubmissionRelay()), logins, check_from, rates, caps)
            if submission
            else DeliveryRole(Checks(OwnOnly()), logins)
            if lmtp
            else InboundRole(Checks(InboundRelay(MemoryState(lambda: self.seconds))), logins, flush, rates)
        )
        granted = Priorities(lambda peer: peer == LISTED_PEER, 4).granted
        dispatch = Dispatch(self.queue, self.runner, router, self.reports, lambda: NOW, 1000.0, granted)
        site = Site(
            "mail.example.org",
            self.directory,
            self.store,
            Intake(self.store, dispatch),
            self.log,
            lambda: NOW,
            lambda: self.seconds,
            hop_limit,
            granted,
            quotas=quotas,
        )
        self.reception = Reception(site, self.role, peer, "k7f")
        self.hello = b"LHLO" if lmtp else b"EHLO"
        settings = Settings("mail.example.org", auth="always", auth_required=submission, lmtp=lmtp, xclient=xclient)
        self.core = ServerSession(settings, proxies=xclient)
        self.said = b""
        self.closed = False
        self.failures: list[BaseException] = []
        self._waiting = False
        self.pump()
        self.said = b""

    # The session

    def say(self, text: bytes) -> list[str]:
        """Send *text*; return the replies, each its last line."""
        self.core.receive(text)
        self.pump()
        return self.replies()

    def replies(self) -> list[str]:
        """Take the replies that were given since."""
        said, self.said = self.said, b""
        return [line for line in said.decode().splitlines() if line[3:4] == " "]

    def greet(self, *recipients: str, sender: str = "carol@a.example") -> None:
        """Open a transaction with *recipients*."""
        envelope = f"MAIL FROM:<{sender}>\r\n" + "".join(f"RCPT TO:<{to}>\r\n" for to in recipients)
        replies = self.say(self.hello + b" client.example\r\n" + envelope.encode())
        assert all(reply.startswith("250") for reply in replies), replies

    def log_in(self) -> None:
        """Log in as alice."""
        (_, reply) = self.say(b"EHLO client.example\r\nAUTH PLAIN AGFsaWNlQGIuZXhhbXBsZQBzZXNhbWU=\r\n")
        assert reply.startswith("235")

    def send(self, content: bytes, *recipients: str, sender: str = "carol@a.example") -> str:
        """Send a message; return the reply to its end."""
        self.greet(*recipients or ("alice@b.example",), sender=sender)
        replies = self.say(b"DATA\r\n" + content + b".\r\n")
        assert replies[0].startswith("354"), replies
        return replies[-1]

    def drop_connection(self) -> None:
        """The peer is gone; answers that come later go nowhere."""
        self.closed = True
        self.reception.lost("lost")

    # What became of it

    @property
    def delivered(self) -> list[tuple[bytes, list[int]]]:
        """What the store holds: content, and the mailboxes' numbers."""
        return [
            (octets, [mailbox.id for mailbox in boxes])
            for octets, boxes, receipt in self.store.deliveries
            if not receipt.withdrawn
        ]

    @property
    def open_drafts(self) -> int:
        """How many drafts were neither delivered nor discarded."""
        return sum(not draft.delivered and not draft.discarded for draft in self.store.drafts)

    def records(self) -> list[dict[str, object]]:
        """The lines of the mail log about transactions."""
        return [fields for kind, fields in self.log.records if kind == "smtp"]

    # The driver, as the transport does it

    def pump(self) -> None:
        """Take events and give answers until the core waits."""
        while not self._waiting and (event := self.core.next_event()) is not None:
            if isinstance(event, Close | HangUp):
                self.closed = True
            elif not isinstance(event, StartTLS):
                self._respond(event)
        self.said += self.core.bytes_to_send()

    def _respond(self, event: Event) -> None:
        try:
            answer = self.reception.respond(event)
        except Exception as error:
            self._failed(event, error)
            return
        if not event.asks:
            return
        if isinstance(answer, Awaitable):
            self._waiting = True
            waited: Deferred[Any] = Deferred.fromCoroutine(answer)  # type: ignore[arg-type]
            waited.addCallbacks(self._answered, lambda failure: self._answered_badly(event, failure.value))
        else:
            self.core.answer(answer)

    def _answered(self, answer: Any) -> None:
        self._waiting = False
        if not self.closed:
            self.core.answer(answer)
            self.pump()

    def _answered_badly(self, event: Event, error: BaseException) -> None:
        self._waiting = False
        self._failed(event, error)
        if not self.closed:
            self.pump()

    def _failed(self, event: Event, error: BaseException) -> None:
        self.failures.append(error)
        if event.asks and not self.closed:
            self.core.fail()
