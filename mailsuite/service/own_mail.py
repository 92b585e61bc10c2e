"""Mail that this system itself writes: it goes the way of all mail, through intake, with a null reverse-path."""

from collections.abc import Callable
from contextlib import suppress

from mailsuite.address import Address
from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.envelope import Acceptance, Envelope, recipient_of
from mailsuite.interfaces import IIntake, IMailboxDirectory, IMailStore
from mailsuite.message.trace import return_path
from mailsuite.outcome import Delivered


class OwnMail:
    """Submits reports. *next_id* gives each message its id."""

    def __init__(self, directory: IMailboxDirectory, store: IMailStore, next_id: Callable[[], str]) -> None:
        self._directory = directory
        self._store = store
        self._next_id = next_id
        # Intake itself has reports to send: it is given once both are made.
        self.intake: IIntake | None = None

    async def submit(self, recipient: Address, content: bytes, asked: Asked = NOTHING_ASKED) -> str | None:
        """Send *content*, which is ASCII, to *recipient* as is *asked*; durable when this returns its id.

        ``None``: it is an address of ours that leads nowhere, and nobody is left who could be told. Raises `OSError`
        where the message could not be kept.
        """
        message_id = self._next_id()
        meaning = self._directory.find(recipient)
        found = recipient_of(recipient, await meaning if hasattr(meaning, "__await__") else meaning)
        if found is None:
            return None
        prefix = return_path(None)
        acceptance = Acceptance(message_id, Envelope(None, recipients=[found], asked=asked), len(prefix))
        draft = self._store.draft()
        try:
            draft.write(prefix + content)
            assert self.intake is not None
            accepted = self.intake.accept(acceptance, draft)
            (outcome,) = await accepted if hasattr(accepted, "__await__") else accepted
        finally:
            # What was delivered is no draft any more.
            with suppress(OSError):
                draft.discard()
        if not isinstance(outcome, Delivered):
            raise OSError(f"A report to {recipient} could not be kept: {outcome.reason}")
        return message_id
