"""The one acceptance path: every message that is ever promised to be kept goes through here.

Content is written, names are made, one barrier makes both durable; then what goes on to others, or could not be
written to its mailbox now, is committed to the queue. Only then there are outcomes. Where something of that fails, the
names are taken back, so that nothing is shown or sent that was not promised.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from zope.interface import implementer

from mailsuite.envelope import Acceptance, Recipient
from mailsuite.interfaces import IDraft, IIntake, IMailStore, IReceipt
from mailsuite.maybe import Maybe
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED, Deferred, Delivered, Outcome
from mailsuite.service.dispatch import Dispatch, Onward

_LATER = Deferred("4.0.0", "It is to go later")
_NOT_DURABLE = "The disk did not take the message"


@dataclass(slots=True)
class _Delivery:
    """One message on its way: where it was written, and what is to go on."""

    acceptance: Acceptance
    draft: IDraft
    onward: Onward
    receipt: IReceipt | None = None
    boxes: Mapping[Mailbox, Outcome] = field(default_factory=dict)

    @property
    def missed(self) -> list[Mailbox]:
        """The mailboxes that could not be written to."""
        return [box for box, outcome in self.boxes.items() if not isinstance(outcome, Delivered)]

    @property
    def stored(self) -> bool:
        """Whether a mailbox has it."""
        return any(isinstance(outcome, Delivered) for outcome in self.boxes.values())

    @property
    def late(self) -> list[Mailbox]:
        """Those of `missed` that will be written to: they wait in the queue."""
        return _begun(self.acceptance, self.missed) if self.acceptance.each else self.missed

    @property
    def accepted(self) -> Acceptance:
        """The acceptance, without those for whom somebody else is told that it failed, and sees to the rest."""
        if not self.acceptance.each:
            return self.acceptance
        envelope = self.acceptance.envelope
        served = [each for each in envelope.recipients if isinstance(self._outcome(each), Delivered)]
        return replace(self.acceptance, envelope=replace(envelope, recipients=served))

    def outcomes(self) -> Sequence[Outcome]:
        """Return one outcome for each recipient: its worst, where it leads to several places."""
        return tuple(self._outcome(recipient) for recipient in self.acceptance.envelope.recipients)

    def _outcome(self, recipient: Recipient) -> Outcome:
        if not recipient.mailboxes and recipient.address in self.onward.loops:
            return self.onward.loops[recipient.address]
        found = (self.boxes[box] for box in recipient.mailboxes)
        return next((outcome for outcome in found if not isinstance(outcome, Delivered)), DELIVERED)


@implementer(IIntake)
class Intake:
    """See `IIntake`. *dispatch* takes what goes to others, and what has to wait."""

    def __init__(self, store: IMailStore, dispatch: Dispatch) -> None:
        self._store = store
        self._dispatch = dispatch

    def accept(self, acceptance: Acceptance, draft: IDraft) -> Maybe[Sequence[Outcome]]:
        """See `IIntake.accept`."""
        delivery = _Delivery(acceptance, draft, self._dispatch.onward(acceptance))
        if delivery.onward.later:
            # RFC 4865 §4.2: it waits in the queue, whoever it is for. So does what is held.
            delivery.boxes = dict.fromkeys(_mailboxes(acceptance), _LATER)
        else:
            self._write(delivery)
        if delivery.onward or delivery.missed:
            return self._accept_in_parts(delivery)
        # The plain path: all of it lies in mailboxes, and the draft is gone.
        assert delivery.receipt is not None
        try:
            pending = self._store.barrier([delivery.receipt])
        except OSError as error:
            return _undo(delivery, error)
        return delivery.outcomes() if pending is None else self._settle(pending, delivery)

    def _write(self, delivery: _Delivery) -> None:
        mailboxes = _mailboxes(delivery.acceptance)
        if mailboxes:
            delivery.receipt = self._store.deliver(delivery.draft, mailboxes, bool(delivery.onward))
            delivery.boxes = dict(zip(mailboxes, delivery.receipt.outcomes, strict=True))

    async def _settle(self, pending: Maybe[None], delivery: _Delivery) -> Sequence[Outcome]:
        try:
            if pending is not None:
                await pending
        except OSError as error:
            return _undo(delivery, error)
        return delivery.outcomes()

    def _accept_in_parts(self, delivery: _Delivery) -> Maybe[Sequence[Outcome]]:
        """Some of it goes on, or has to wait, or somebody wants to be told; the draft is still whole."""
        if delivery.stored or delivery.onward.recipients or delivery.onward.later:
            return self._commit(delivery)
        # Nothing was stored and nothing can go on: the one reply says so to the peer, and nothing is kept.
        _withdraw(delivery)
        delivery.draft.discard()
        return delivery.outcomes()

    async def _commit(self, delivery: _Delivery) -> Sequence[Outcome]:
        """Mailboxes first and the queue last: its commit is the one after which mail leaves us."""
        try:
            if delivery.receipt is not None and delivery.stored:
                pending = self._store.barrier([delivery.receipt])
                if pending is not None:
                    await pending
            late = delivery.late
            if not delivery.acceptance.each:
                await self._dispatch.tell_of_loops(delivery.acceptance, delivery.draft, delivery.onward)
            await self._dispatch.send_on(delivery.acceptance, delivery.draft, delivery.onward, late)
            delivery.boxes = {**delivery.boxes, **dict.fromkeys(late, DELIVERED)}
            await self._dispatch.tell(delivery.accepted, delivery.draft, delivery.onward, late)
        except OSError as error:
            return _undo(delivery, error)
        except BaseException:
            # Whatever it was, nothing is promised.
            _withdraw(delivery)
            raise
        finally:
            # What is safe stays so, whether or not its draft can be removed now.
            with suppress(OSError):
                delivery.draft.discard()
        return delivery.outcomes()


def _withdraw(delivery: _Delivery) -> None:
    if delivery.receipt is not None:
        delivery.receipt.withdraw()


def _undo(delivery: _Delivery, error: OSError) -> Sequence[Outcome]:
    _withdraw(delivery)
    trouble = Deferred("4.3.0", f"{_NOT_DURABLE}: {error}")
    return tuple(trouble for _ in delivery.acceptance.envelope.recipients)


def _begun(acceptance: Acceptance, missed: Sequence[Mailbox]) -> list[Mailbox]:
    """Return those of *missed* that belong to a recipient of whom a part is done already, or will be by the queue.

    Who tries such a recipient again would do that part twice: the rest of it is ours.
    """
    left = set(missed)
    while True:
        taken = {
            box
            for recipient in acceptance.envelope.recipients
            if recipient.onward or not left.issuperset(recipient.mailboxes)
            for box in recipient.mailboxes
            if box in left
        }
        if not taken:
            return [box for box in missed if box not in left]
        left -= taken


def _mailboxes(acceptance: Acceptance) -> Sequence[Mailbox]:
    """Return each mailbox that the recipients lead to, once, however many of them lead there."""
    recipients = acceptance.envelope.recipients
    if len(recipients) == 1:
        return recipients[0].mailboxes
    return tuple(dict.fromkeys(box for recipient in recipients for box in recipient.mailboxes))
