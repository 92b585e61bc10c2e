"""Mail that this system itself writes: it goes the way of all mail, through intake, with a null reverse-path."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from mailsuite.address import Address
from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.envelope import NO_PARAMETERS, Acceptance, Envelope, recipient_of
from mailsuite.interfaces import IIntake, IMailboxDirectory, IMailStore
from mailsuite.message.trace import return_path
from mailsuite.outcome import Delivered

_SMTPUTF8: Mapping[str, Any] = {"SMTPUTF8": True, "BODY": "8BITMIME"}


class OwnMail:
    """Submits reports. *next_id* gives each message its id."""

    def __init__(self, directory: IMailboxDirectory, store: IMailStore, next_id: Callable[[], str]) -> None:
        self._directory = directory
        self._store = store
        self._next_id = next_id
        # Intake itself has reports to send: it is given once both are made.
        self.intake: IIntake | None = None

    async def submit(self, recipient: Address, content: bytes, asked: Asked = NOTHING_ASKED) -> str | None:
        """Send *content* to *recipient* as is *asked*; durable when this returns its id.

        Where that is not ASCII it is sent with SMTPUTF8.

        ``None``: it is an address of ours that leads nowhere, and nobody is left who could be told. Raises `OSError`
        where the message could not be kept.
        """
        message_id = self._next_id()
        meaning = self._directory.find(recipient)
        found = recipient_of(recipient, await meaning if hasattr(meaning, "__await__") else meaning)
        if found is None:
            return None
        # RFC 6531 §3.4
        plain = content.isascii() and not recipient.needs_utf8
        parameters = NO_PARAMETERS if plain else _SMTPUTF8
        prefix = return_path(None)
        acceptance = Acceptance(message_id, Envelope(None, parameters, [found], asked), len(prefix))
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
