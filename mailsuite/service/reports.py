"""Tells senders what became of their messages: who wants to hear what, and the report on its way (RFC 3461 §5.2).

A message with a null reverse-path gives no report, so that none is ever sent about another: what failed of it is
logged as dropped (RFC 5321 §4.5.5, §6.1).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.interfaces import IContent, IMailLog, IReports
from mailsuite.message.headers import HEADER_OCTETS, header_end
from mailsuite.message.report import Kind, Report, Returned, build, kind_of, returns_whole
from mailsuite.message.report_fields import Action, Fate
from mailsuite.outcome import Deferred, Delivered, Failed, Outcome
from mailsuite.queued import Job, QueuedRecipient

PIECE_OCTETS = 65_536
# Makes a report durable on its way to an address: recipient, content, whether that has 8-bit octets. Raises OSError.
Submit = Callable[[Address, bytes, bool], Awaitable[None]]
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
        if job.message.reverse_path is None:
            self._drop(job, outcomes)
            return
        told: dict[Kind, list[Fate]] = {}
        for recipient, outcome in zip(job.recipients, outcomes, strict=True):
            fate = self._fate(recipient, outcome)
            if fate is not None:
                told.setdefault(kind_of(fate), []).append(fate)
        for kind, fates in told.items():
            await self._tell(job, job.message.reverse_path, kind, tuple(fates), content)

    def _drop(self, job: Job, outcomes: Sequence[Outcome]) -> None:
        for recipient, outcome in zip(job.recipients, outcomes, strict=True):
            if isinstance(outcome, Failed):
                self._mail_log.record(
                    "dropped",
                    {
                        "id": job.message.id,
                        "to": str(recipient.address),
                        "status": outcome.status,
                        "why": outcome.reason,
                    },
                )

    def _fate(self, recipient: QueuedRecipient, outcome: Outcome) -> Fate | None:
        """Return what there is to be told of *recipient*; ``None`` where nobody wants to hear it, or others tell."""
        told = _action(recipient, outcome)
        if told is None or not recipient.wants(_EVENTS[type(outcome)]):
            return None
        return Fate(recipient.address, told, outcome, recipient.original, self._now())

    async def _tell(
        self, job: Job, sender: Address, kind: Kind, fates: tuple[Fate, ...], content: OpenContent
    ) -> None:
        message = job.message
        whole = returns_whole(message, kind, self._size)
        token = self._token()
        report = Report(
            self._hostname,
            self._now(),
            f"{token}.{int(self._now())}@{self._hostname}",
            self._token(),
            message,
            kind,
            fates,
            await self._returned(message.id, whole, content),
        )
        await self._submit(sender, build(report), False)
        self._mail_log.record(
            "report",
            {
                "id": message.id,
                "to": str(sender),
                "about": [str(fate.address) for fate in fates],
                "action": kind,
            },
        )

    async def _returned(self, message_id: str, whole: bool, content: OpenContent) -> Returned | None:
        """Read the message, or its header. Where it cannot be read the report goes without."""
        try:
            return Returned(await _read(content, self._size + 1 if whole else HEADER_OCTETS, whole), whole)
        except OSError:
            self._log.failure("A report on {id} goes without the message", id=message_id)
            return None


def _action(recipient: QueuedRecipient, outcome: Outcome) -> Action | None:
    """Return what RFC 3464 §2.3.3 calls it; ``None`` where it is for the next host to tell (RFC 3461 §5.2.2)."""
    if isinstance(outcome, Failed):
        return "failed"
    if isinstance(outcome, Deferred):
        return "delayed"
    if outcome.informs:
        return None
    if outcome.answer is not None:
        return "relayed"
    return "delivered" if recipient.mailbox is not None else "expanded"


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
