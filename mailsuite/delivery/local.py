"""Delivery of queued mail into mailboxes of ours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.delivery.body import PIECE_OCTETS, InThread, next_piece
from mailsuite.interfaces import IContent, IDeliveryTarget, IDraft, IMailStore, IReceipt
from mailsuite.maybe import Maybe, value_of
from mailsuite.meaning import CannotJudge, Mailbox
from mailsuite.message.trace import return_path
from mailsuite.outcome import Deferred, Delivered, Failed, Outcome
from mailsuite.queued import Job

NO_ROOM = Deferred("4.3.1", "Not enough disk space here", whole=True)
GONE = Failed("5.1.1", "The mailbox was removed before the message could be delivered")
NO_ACCOUNTS = Deferred("4.3.0", "The accounts cannot be read now", whole=True)


@implementer(IDeliveryTarget)
class LocalDelivery:
    """See `IDeliveryTarget`, for recipients with a mailbox of *store*.

    *current* says what has become of a mailbox since the message was accepted: ``None`` where it was removed.
    *in_thread* runs what may take long.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMailStore,
        current: Callable[[Mailbox], Maybe[Mailbox | None]],
        in_thread: InThread = deferToThread,
    ) -> None:
        self._store = store
        self._current = current
        self._in_thread = in_thread

    async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
        """See `IDeliveryTarget.deliver`. A mailbox gets one copy, however many of the recipients lead there.

        ``Delivered`` is durable.
        """
        if not self._store.has_room(job.message.size):
            return [NO_ROOM] * len(job.recipients)
        outcomes: dict[int, Outcome] = {}
        copies: dict[bytes, dict[int, Mailbox]] = {}
        for index, recipient in enumerate(job.recipients):
            box = await self._place(cast(Mailbox, recipient.mailbox))
            if isinstance(box, Mailbox):
                copies.setdefault(recipient.added, {})[index] = box
            else:
                outcomes[index] = box
        for added, boxes in copies.items():
            outcomes.update(await self._copy(job, added, boxes, content))
        return [outcomes[index] for index in range(len(job.recipients))]

    async def _place(self, kept: Mailbox) -> Mailbox | Outcome:
        """Return where the mailbox *kept* is by now, or why there is nothing to deliver to."""
        try:
            box = await value_of(self._current(kept))
        except CannotJudge:
            # Who could not say has told so, once for all that ask.
            return NO_ACCOUNTS
        except Exception:
            # That says nothing about the mailbox.
            self._log.failure("What became of mailbox {path} could not be looked up", path=kept.path)
            return NO_ACCOUNTS
        return GONE if box is None else box

    async def _copy(
        self, job: Job, added: bytes, boxes: Mapping[int, Mailbox], content: Callable[[], Awaitable[IContent]]
    ) -> dict[int, Outcome]:
        """Deliver to *boxes*, by the recipients that have them, what is written once: the same octets."""
        mailboxes = tuple(dict.fromkeys(boxes.values()))
        draft = self._store.draft()
        try:
            await self._write(draft, job, added, content)
            given = await self._give(draft, mailboxes)
        except OSError as error:
            return dict.fromkeys(boxes, Deferred("4.3.0", f"The message could not be written or read here: {error}"))
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
                await value_of(self._store.barrier([receipt]))
            except OSError:
                receipt.withdraw()
                raise
        return dict(zip(mailboxes, receipt.outcomes, strict=True))

    async def _write(
        self, draft: IDraft, job: Job, added: bytes, content: Callable[[], Awaitable[IContent]]
    ) -> None:
        reverse_path: Address | None = job.message.reverse_path
        # RFC 5321 §4.4: final delivery says where the message came from.
        draft.write(return_path(reverse_path) + added)
        if job.content is not None:
            draft.write(job.content)
            return
        reading = await content()
        try:
            # What is not at hand is large: the reactor has others to serve while it is copied.
            while piece := await next_piece(reading, PIECE_OCTETS, self._in_thread):
                await self._in_thread(draft.write, piece)
        finally:
            reading.close()
