"""Mail that this system itself writes: it goes the way of all mail, through intake, with a null reverse-path."""

from collections.abc import Callable

from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.envelope import NO_PARAMETERS, Acceptance, Envelope, Recipient
from mailsuite.interfaces import IIntake, IMailboxDirectory, IMailStore
from mailsuite.meaning import Foreign, Mailboxes, Meaning, Relayed
from mailsuite.message.trace import return_path
from mailsuite.outcome import Delivered


class OwnMail:
    """Submits reports. *next_id* gives each message its id."""

    _log = Logger()

    def __init__(self, directory: IMailboxDirectory, store: IMailStore, next_id: Callable[[], str]) -> None:
        self._directory = directory
        self._store = store
        self._next_id = next_id
        # Intake itself has reports to send: it is given once both are made.
        self.intake: IIntake | None = None

    async def submit(self, recipient: Address, content: bytes, eight_bit: bool) -> None:
        """Send *content* to *recipient*; durable when this returns. Raises `OSError` where it could not be kept.

        One to an address of ours that leads nowhere is dropped, and logged: nobody is left who could be told.
        """
        message_id = self._next_id()
        meaning = self._directory.find(recipient)
        found = _recipient(recipient, await meaning if hasattr(meaning, "__await__") else meaning)
        if found is None:
            self._log.warn(
                "Report {id} to {recipient} was dropped: no such address", id=message_id, recipient=recipient
            )
            return
        prefix = return_path(None)
        draft = self._store.draft()
        try:
            draft.write(prefix + content)
        except OSError:
            draft.discard()
            raise
        envelope = Envelope(None, {"BODY": "8BITMIME"} if eight_bit else NO_PARAMETERS, [found])
        assert self.intake is not None
        accepted = self.intake.accept(Acceptance(message_id, envelope, len(prefix)), draft)
        (outcome,) = await accepted if hasattr(accepted, "__await__") else accepted
        if not isinstance(outcome, Delivered):
            raise OSError(f"A report to {recipient} could not be kept: {outcome.reason}")


def _recipient(address: Address, meaning: Meaning) -> Recipient | None:
    if isinstance(meaning, Mailboxes):
        return Recipient(address, meaning.mailboxes, NO_PARAMETERS, meaning.onward)
    if isinstance(meaning, Foreign | Relayed):
        return Recipient(address, (), NO_PARAMETERS, (address,))
    return None
