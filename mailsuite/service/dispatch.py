"""What of an accepted message does not end in a mailbox now: to the queue with it, and at once on its way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.envelope import Acceptance, Recipient
from mailsuite.interfaces import IDraft, IQueue, IReports, IRouter, IRunner
from mailsuite.meaning import Mailbox
from mailsuite.message.trace import delivered_to, forwarded_from
from mailsuite.outcome import DELIVERED, Failed, Outcome
from mailsuite.queued import LOCAL, Job, QueuedMessage, QueuedRecipient
from mailsuite.service.draft_content import DraftContent

LOOP = Failed("5.4.6", "The message has been forwarded from this address before: a mail loop")


@dataclass(slots=True)
class Onward:
    """What one message needs beside its mailboxes.

    *recipients* are elsewhere; for *loops* it must not be forwarded once more; *told*: somebody wants to hear of its
    delivery. False where there is nothing of that.
    """

    recipients: list[QueuedRecipient] = field(default_factory=list)
    loops: dict[Address, Failed] = field(default_factory=dict)
    told: bool = False

    def __bool__(self) -> bool:
        return bool(self.recipients or self.loops or self.told)


_NOTHING = Onward()


class Dispatch:
    """Puts messages into the queue. *now* gives POSIX time; *lifetime* is in seconds."""

    _log = Logger()

    def __init__(
        self,
        queue: IQueue,
        runner: IRunner,
        router: IRouter,
        reports: IReports,
        now: Callable[[], float],
        lifetime: float,
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._router = router
        self._reports = reports
        self._now = now
        self._lifetime = lifetime

    def onward(self, acceptance: Acceptance) -> Onward:
        """Return what *acceptance* needs beside mailboxes."""
        recipients = acceptance.envelope.recipients
        if not any(recipient.onward or recipient.parameters for recipient in recipients):
            return _NOTHING
        found = Onward(told=any(_wants_success(recipient) for recipient in recipients))
        came_by = forwarded_from(acceptance.header)
        for recipient in recipients:
            if recipient.onward and recipient.address.key in came_by:
                found.loops[recipient.address] = LOOP
            else:
                found.recipients += self._targets(recipient, acceptance.envelope.reverse_path)
        return found

    async def send_on(self, acceptance: Acceptance, draft: IDraft, onward: Onward, late: Sequence[Mailbox]) -> None:
        """Commit to the queue what goes *onward* and what is *late*; durable when this returns. Raises `OSError`."""
        waiting = [*onward.recipients, *_late(acceptance, late)]
        if waiting:
            message = self._message(acceptance, draft)
            admits = self._runner.admits
            jobs = await self._queue.accept(message, waiting, draft, acceptance.prefix, admits)
            self._runner.begin(jobs)

    async def tell(self, acceptance: Acceptance, draft: IDraft, onward: Onward, late: Sequence[Mailbox]) -> None:
        """Report what is already known: deliveries that the sender wants to hear of, lists that were expanded, loops.

        The message is safe by now; a report that cannot be kept is logged, and no reason to refuse it.
        """
        settled = list(_settled(acceptance, onward, late))
        if not settled:
            return
        job = Job(self._message(acceptance, draft), tuple(recipient for recipient, _ in settled))

        async def content() -> DraftContent:
            return DraftContent(draft, acceptance.prefix)

        try:
            await self._reports.report(job, [outcome for _, outcome in settled], content)
        except OSError:
            self._log.failure("No report on {id} could be kept", id=acceptance.id)

    def _targets(self, recipient: Recipient, reverse_path: Address | None) -> list[QueuedRecipient]:
        parameters = recipient.parameters
        notify: str = parameters.get("NOTIFY", "")
        original: str = parameters.get("ORCPT", "")
        added = b""
        if recipient.onward and recipient.onward != (recipient.address,):
            # An alias: who is written to now is not whom the sender named (RFC 3461 §5.2.7.3).
            original = original or f"rfc822;{recipient.address}"
            added = delivered_to(recipient.address)
            if _is_list(recipient):
                notify = _without_success(notify)
        return [
            QueuedRecipient(target, self._destination(target, reverse_path), None, notify, original, added)
            for target in recipient.onward
        ]

    def _destination(self, target: Address, reverse_path: Address | None) -> str:
        return self._router.route(target, reverse_path).destination

    def _message(self, acceptance: Acceptance, draft: IDraft) -> QueuedMessage:
        envelope = acceptance.envelope
        parameters: Mapping[str, Any] = envelope.parameters
        arrived = self._now()
        return QueuedMessage(
            acceptance.id,
            envelope.reverse_path,
            arrived,
            arrived + self._lifetime,
            draft.size - acceptance.prefix,
            parameters.get("BODY", ""),
            parameters.get("RET", ""),
            parameters.get("ENVID", ""),
            acceptance.origin,
            "" if acceptance.login else acceptance.helo,
        )


def _wants_success(recipient: Recipient) -> bool:
    return "SUCCESS" in recipient.parameters.get("NOTIFY", "")


def _is_list(recipient: Recipient) -> bool:
    return len(recipient.onward) + len(recipient.mailboxes) > 1


def _without_success(notify: str) -> str:
    """RFC 3461 §5.2.7.3: a list with several members reports its own success, not theirs."""
    if not notify:
        return ""
    return ",".join(word for word in notify.split(",") if word != "SUCCESS") or "NEVER"


def _late(acceptance: Acceptance, mailboxes: Sequence[Mailbox]) -> list[QueuedRecipient]:
    """Return the mailboxes that could not be written to, each under the first recipient that leads there."""
    found: list[QueuedRecipient] = []
    for mailbox in mailboxes:
        recipient = next(each for each in acceptance.envelope.recipients if mailbox in each.mailboxes)
        found.append(_as_queued(recipient, mailbox))
    return found


def _as_queued(recipient: Recipient, mailbox: Mailbox | None) -> QueuedRecipient:
    parameters = recipient.parameters
    return QueuedRecipient(
        recipient.address, LOCAL, mailbox, parameters.get("NOTIFY", ""), parameters.get("ORCPT", "")
    )


def _settled(
    acceptance: Acceptance, onward: Onward, late: Sequence[Mailbox]
) -> "list[tuple[QueuedRecipient, Outcome]]":
    """Return the recipients of whom more is known than that they wait, and what."""
    found: list[tuple[QueuedRecipient, Outcome]] = []
    for recipient in acceptance.envelope.recipients:
        loop = onward.loops.get(recipient.address)
        if loop is not None and not recipient.mailboxes:
            found.append((_as_queued(recipient, None), loop))
        elif recipient.mailboxes and _wants_success(recipient) and not set(recipient.mailboxes) & set(late):
            found.append((_as_queued(recipient, recipient.mailboxes[0]), DELIVERED))
        elif recipient.onward != (recipient.address,) and _is_list(recipient) and _wants_success(recipient):
            found.append((_as_queued(recipient, None), DELIVERED))
    return found
