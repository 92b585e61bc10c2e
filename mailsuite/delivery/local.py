"""Delivery of queued mail into mailboxes of ours."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.interfaces import IContent, IDeliveryTarget, IDraft, IMailStore, IReceipt
from mailsuite.maybe import Maybe
from mailsuite.meaning import Mailbox
from mailsuite.message.trace import return_path
from mailsuite.outcome import Deferred, Delivered, Outcome
from mailsuite.queued import Job

PIECE_OCTETS = 1 << 16
NO_ROOM = Deferred("4.3.1", "Not enough disk space here", whole=True)


@implementer(IDeliveryTarget)
class LocalDelivery:
    """See `IDeliveryTarget`, for recipients with a mailbox of *store*."""

    def __init__(self, store: IMailStore) -> None:
        self._store = store

    async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
        """See `IDeliveryTarget.deliver`. A mailbox gets one copy, however many of the recipients lead there.

        ``Delivered`` is durable.
        """
        if not self._store.has_room(job.message.size):
            return [NO_ROOM] * len(job.recipients)
        outcomes: dict[int, Outcome] = {}
        copies: dict[bytes, list[int]] = {}
        for index, recipient in enumerate(job.recipients):
            copies.setdefault(recipient.added, []).append(index)
        for added, indexes in copies.items():
            outcomes.update(await self._copy(job, added, indexes, content))
        return [outcomes[index] for index in range(len(job.recipients))]

    async def _copy(
        self, job: Job, added: bytes, indexes: Sequence[int], content: Callable[[], Awaitable[IContent]]
    ) -> dict[int, Outcome]:
        """Deliver to those who get the same octets, written once."""
        boxes = {index: cast(Mailbox, job.recipients[index].mailbox) for index in indexes}
        mailboxes = tuple(dict.fromkeys(boxes.values()))
        draft = self._store.draft()
        try:
            await _write(draft, job, added, content)
            given = await self._give(draft, mailboxes)
        except OSError as error:
            return dict.fromkeys(indexes, Deferred("4.3.0", f"The message could not be written or read here: {error}"))
        finally:
            # What was delivered is no draft any more; of what was not, this frees the file, or leaves it to be
            # removed by its age.
            with suppress(OSError):
                draft.discard()
        return {index: given[box] for index, box in boxes.items()}

    async def _give(self, draft: IDraft, mailboxes: Sequence[Mailbox]) -> dict[Mailbox, Outcome]:
        """Put *draft* into *mailboxes*, durably. Raises `OSError`, after the names were taken back."""
        receipt: IReceipt = self._store.deliver(draft, mailboxes)
        if any(isinstance(outcome, Delivered) for outcome in receipt.outcomes):
            try:
                await _done(self._store.barrier([receipt]))
            except OSError:
                receipt.withdraw()
                raise
        return dict(zip(mailboxes, receipt.outcomes, strict=True))


async def _write(draft: IDraft, job: Job, added: bytes, content: Callable[[], Awaitable[IContent]]) -> None:
    reverse_path: Address | None = job.message.reverse_path
    # RFC 5321 §4.4: final delivery says where the message came from.
    draft.write(return_path(reverse_path) + added)
    if job.content is not None:
        draft.write(job.content)
        return
    reading = await content()
    try:
        while piece := await _piece(reading.read(PIECE_OCTETS)):
            draft.write(piece)
    finally:
        reading.close()


async def _piece(value: Maybe[bytes]) -> bytes:
    return value if isinstance(value, bytes) else await value


async def _done(value: Maybe[None]) -> None:
    if value is not None:
        await value
