"""The one acceptance path: every message that is ever promised to be kept goes through here.

Content is written, names are made, one barrier makes both durable; only then there are outcomes. A failed barrier
takes the names back, so that nothing is shown that was not promised.
"""

from collections.abc import Sequence

from zope.interface import implementer

from mailsuite.interfaces import IDraft, IIntake, IMailStore, IReceipt
from mailsuite.maybe import Maybe
from mailsuite.meaning import Mailbox
from mailsuite.outcome import Deferred, Delivered, Outcome

_NOT_DURABLE = "The disk did not take the message"


@implementer(IIntake)
class Intake:
    """See `IIntake`."""

    def __init__(self, store: IMailStore) -> None:
        self._store = store

    def accept(self, draft: IDraft, mailboxes: Sequence[Mailbox]) -> Maybe[Sequence[Outcome]]:
        """See `IIntake.accept`. Where one mailbox cannot be written to, none keeps the message."""
        receipt = self._store.deliver(draft, mailboxes)
        if not all(isinstance(outcome, Delivered) for outcome in receipt.outcomes):
            # SMTP has one reply for the message: it is for all of the recipients or for none.
            receipt.withdraw()
            return tuple(receipt.outcomes)
        try:
            pending = self._store.barrier([receipt])
        except OSError as error:
            return _undo(receipt, error)
        return receipt.outcomes if pending is None else self._settle(pending, receipt)

    async def _settle(self, pending: Maybe[None], receipt: IReceipt) -> Sequence[Outcome]:
        try:
            if pending is not None:
                await pending
        except OSError as error:
            return _undo(receipt, error)
        return tuple(receipt.outcomes)


def _undo(receipt: IReceipt, error: OSError) -> Sequence[Outcome]:
    receipt.withdraw()
    return tuple(Deferred("4.3.0", f"{_NOT_DURABLE}: {error}") for _ in receipt.outcomes)
