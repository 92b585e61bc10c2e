"""Tells senders what became of their messages: who wants to hear what, and the report on its way (RFC 3461 §5.2).

A message with a null reverse-path gives no report, so that none is ever sent about another. What failed of it is
logged as dropped (RFC 5321 §4.5.5, §6.1), and so is what the sender does not want to hear of.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.interfaces import IContent, IMailLog, IReports
from mailsuite.message.headers import HEADER_OCTETS, header_end
from mailsuite.message.report import Kind, Report, Returned, build, kind_of, returns_whole
from mailsuite.message.report_fields import Action, Fate
from mailsuite.outcome import Deferred, Delivered, Failed, Outcome
from mailsuite.queued import Job, QueuedRecipient

PIECE_OCTETS = 65_536
# Makes a report durable on its way to an address and returns its id, None where the address leads nowhere: recipient,
# content, and what is asked of its way. Raises OSError.
Submit = Callable[[Address, bytes, Asked], Awaitable[str | None]]
OpenContent = Callable[[], Awaitable[IContent]]


_EVENTS: dict[type[Outcome], Literal["SUCCESS", "FAILURE", "DELAY"]] = {
    Delivered: "SUCCESS",
    Failed: "FAILURE",
    Deferred: "DELAY",
}


@implementer(IReports)
class Reports:
    """See `IReports`. *hostname* is our name, *now* gives POSIX time, *token* random text for ids and boundaries.

    Messages up to *size* octets are returned whole.
    """

    _log = Logger()

    def __init__(
        self,
        hostname: str,
        submit: Submit,
        log: IMailLog,
        now: Callable[[], float],
        token: Callable[[], str],
        size: int,
    ) -> None:
        self._hostname = hostname
        self._submit = submit
        self._mail_log = log
        self._now = now
        self._token = token
        self._size = size

    async def report(self, job: Job, outcomes: Sequence[Outcome], content: OpenContent) -> None:
        """See `IReports.report`."""
        sender = job.message.reverse_path
        told: dict[Kind, list[Fate]] = {}
        dropped: list[tuple[QueuedRecipient, Failed]] = []
        for recipient, outcome in zip(job.recipients, outcomes, strict=True):
            if sender is None or not _is_wanted(recipient, outcome):
                if isinstance(outcome, Failed):
                    dropped.append((recipient, outcome))
            elif (action := _action(recipient, outcome)) is not None:
                fate = self._fate(job, recipient, action, outcome)
                told.setdefault(kind_of(fate), []).append(fate)
        if sender is not None:
            for kind, fates in told.items():
                await self._tell(job, sender, kind, tuple(fates), content)
        for recipient, failed in dropped:
            self._drop(job, recipient, failed)

    def _fate(self, job: Job, recipient: QueuedRecipient, action: Action, outcome: Outcome) -> Fate:
        accepted = recipient.accepted
        return Fate(
            accepted,
            action,
            outcome,
            recipient.original,
            # RFC 3464 §2.3.7: of jobs that are only to be reported, nobody knows any more when they were tried.
            self._now() if job.purpose == "try" else None,
            None if accepted == recipient.address else recipient.address,
        )

    def _drop(self, job: Job, recipient: QueuedRecipient, failed: Failed) -> None:
        """Nobody is to be told (RFC 3461 §5.2, §5.2.6 (b)), but the log says it."""
        self._mail_log.record(
            "dropped",
            {
                "id": job.message.id,
                "from": "" if job.message.reverse_path is None else str(job.message.reverse_path),
                "to": str(recipient.address),
                "status": failed.status,
                "why": failed.reason,
            },
        )

    async def _tell(
        self, job: Job, sender: Address, kind: Kind, fates: tuple[Fate, ...], content: OpenContent
    ) -> None:
        message = job.message
        now = self._now()
        report = Report(
            self._hostname,
            now,
            f"{self._token()}.{int(now)}@{self._hostname}",
            self._token(),
            message,
            kind,
            fates,
            await self._returned(message.id, returns_whole(message, kind, self._size), content),
        )
        report_id = await self._submit(sender, build(report), _asked(message.asked))
        self._mail_log.record(
            "dropped" if report_id is None else "report",
            {
                "id": message.id,
                "report": report_id,
                "to": str(sender),
                "about": [str(fate.address) for fate in fates],
                "action": kind,
                "why": "the report's address leads nowhere" if report_id is None else None,
            },
        )

    async def _returned(self, message_id: str, whole: bool, content: OpenContent) -> Returned | None:
        """Read the message, or its header. Where it cannot be read the report goes without."""
        try:
            octets = await _read(content, self._size + 1 if whole else HEADER_OCTETS, whole)
        except OSError:
            self._log.failure("A report on {id} goes without the message", id=message_id)
            return None
        # What is larger than it was said to be was cut.
        return Returned(octets, whole and len(octets) <= self._size)


def _is_wanted(recipient: QueuedRecipient, outcome: Outcome) -> bool:
    if isinstance(outcome, Delivered) and outcome.announced:
        return recipient.notify != "NEVER"
    return recipient.wants(_EVENTS[type(outcome)])


def _action(recipient: QueuedRecipient, outcome: Outcome) -> Action | None:
    """Return what RFC 3464 §2.3.3 calls it; ``None`` where it is for the next host to tell (RFC 3461 §5.2.2)."""
    if isinstance(outcome, Failed):
        return "failed"
    if isinstance(outcome, Deferred):
        return "delayed"
    if outcome.informs and not outcome.announced:
        return None
    if outcome.answer is not None:
        return "relayed"
    return "delivered" if recipient.mailbox is not None else "expanded"


def _asked(asked: Asked) -> Asked:
    """A report goes as its message did: as quickly, and as safely (RFC 6710 §4.6, RFC 8689 §5)."""
    if asked is NOTHING_ASKED:
        return asked
    return Asked(require_tls=asked.require_tls, tls_optional=asked.tls_optional, priority=asked.priority)


async def _read(content: OpenContent, most: int, whole: bool) -> bytes:
    opened = await content()
    octets = b""
    try:
        while len(octets) < most and (whole or header_end(octets) < 0):
            piece = opened.read(min(PIECE_OCTETS, most - len(octets)))
            read = piece if isinstance(piece, bytes) else await piece
            if not read:
                break
            octets += read
    finally:
        opened.close()
    return octets
