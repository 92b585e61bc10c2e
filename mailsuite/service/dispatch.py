"""What of an accepted message does not end in a mailbox now: to the queue with it, and at once on its way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.logger import Logger

from mailsuite.address import Address
from mailsuite.asked import Asked
from mailsuite.envelope import Acceptance, Peer, Recipient
from mailsuite.interfaces import IDraft, IQueue, IReports, IRouter, IRunner
from mailsuite.meaning import Mailbox
from mailsuite.message.trace import came_from, delivered_to, forwarded_from
from mailsuite.outcome import DELIVERED, Failed, Outcome
from mailsuite.queued import LOCAL, Job, QueuedMessage, QueuedRecipient
from mailsuite.service.asking import asked_of, fate
from mailsuite.service.draft_content import DraftContent

LOOP = Failed("5.4.6", "The message has been forwarded from this address before: a mail loop")


@dataclass(slots=True)
class Onward:
    """What one message needs beside its mailboxes.

    *recipients* are elsewhere; for *loops* it must not be forwarded once more; *told*: somebody wants to hear of its
    delivery; *later*: it is not to be delivered before its time, or is
    held. False where there is nothing of that. *asked* is what
    is asked of its way, where that was looked at.
    """

    recipients: list[QueuedRecipient] = field(default_factory=list)
    loops: dict[Address, Failed] = field(default_factory=dict)
    told: bool = False
    later: bool = False
    asked: Asked | None = None

    def __bool__(self) -> bool:
        return bool(self.recipients or self.loops or self.told or self.later)


_NOTHING = Onward()


class Dispatch:
    """Puts messages into the queue. *now* gives POSIX time; *lifetime* is in seconds.

    *priorities* says which priority a peer is granted (`mailsuite.policy.priorities`).
    """

    _log = Logger()

    def __init__(
        self,
        queue: IQueue,
        runner: IRunner,
        router: IRouter,
        reports: IReports,
        now: Callable[[], float],
        lifetime: float,
        priorities: Callable[[Peer, bool, int], int] = lambda peer, logged_in, wanted: min(wanted, 0),
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._router = router
        self._reports = reports
        self._now = now
        self._lifetime = lifetime
        self._priorities = priorities

    def onward(self, acceptance: Acceptance) -> Onward:
        """Return what *acceptance* needs beside mailboxes."""
        recipients = acceptance.envelope.recipients
        later = acceptance.envelope.asked.release > 0 or bool(acceptance.hold)
        if not later and not any(recipient.onward or recipient.parameters for recipient in recipients):
            return _NOTHING
        found = Onward(told=any(_wants_success(recipient) for recipient in recipients), later=later)
        asked = found.asked = self._asked(acceptance)
        came_by = forwarded_from(acceptance.header) if any(map(_is_forwarded, recipients)) else frozenset()
        for recipient in recipients:
            if _is_forwarded(recipient) and recipient.address.key in came_by:
                found.loops[recipient.address] = LOOP
            else:
                found.recipients += self._targets(recipient, acceptance.envelope.reverse_path, asked)
        if len(found.recipients) > 1:
            # Who is named twice gets it once.
            found.recipients = list(dict.fromkeys(found.recipients))
        return found

    async def tell_of_loops(self, acceptance: Acceptance, draft: IDraft, onward: Onward) -> None:
        """Report what must not be forwarded once more: the queue will know nothing of it.

        To be called before anything is promised: where it raises `OSError`, nothing may be.
        """
        looping = [
            (_as_queued(recipient, None), onward.loops[recipient.address])
            for recipient in acceptance.envelope.recipients
            if recipient.address in onward.loops and not recipient.mailboxes
        ]
        if looping:
            await self._report(acceptance, draft, onward, looping)

    async def send_on(self, acceptance: Acceptance, draft: IDraft, onward: Onward, late: Sequence[Mailbox]) -> None:
        """Commit to the queue what goes *onward* and what is *late*; durable when this returns. Raises `OSError`."""
        waiting = [*onward.recipients, *_late(acceptance, late)]
        if waiting:
            message = self._message(acceptance, draft, onward)
            admits = self._runner.admits
            jobs = await self._queue.accept(message, waiting, draft, acceptance.prefix, admits)
            self._runner.begin(jobs)

    async def tell(self, acceptance: Acceptance, draft: IDraft, onward: Onward, late: Sequence[Mailbox]) -> None:
        """Report deliveries that the sender wants to hear of, and lists that were expanded.

        The message is safe by now; a report that cannot be kept is logged, and no reason to refuse it.
        """
        reached = list(dict.fromkeys(_reached(acceptance, onward, late)))
        if not reached:
            return
        try:
            await self._report(acceptance, draft, onward, reached)
        except Exception:
            self._log.failure("No report on {id} could be kept", id=acceptance.id)

    async def _report(
        self,
        acceptance: Acceptance,
        draft: IDraft,
        onward: Onward,
        settled: Sequence[tuple[QueuedRecipient, Outcome]],
    ) -> None:
        job = Job(self._message(acceptance, draft, onward), tuple(recipient for recipient, _ in settled))

        async def content() -> DraftContent:
            return DraftContent(draft, acceptance.prefix)

        await self._reports.report(job, [outcome for _, outcome in settled], content)

    def _targets(
        self, recipient: Recipient, reverse_path: Address | None, asked: Asked
    ) -> list[QueuedRecipient]:
        notify, original = _asked(recipient)
        added = b""
        if _is_forwarded(recipient):
            # Who is written to now is not whom the message was taken for (RFC 3461 §5.2.7).
            added = delivered_to(recipient.address)
            if _is_list(recipient):
                notify = _without_success(notify)
        return [
            QueuedRecipient(
                target, fate(self._destination(target, reverse_path), asked), None, notify, original, added
            )
            for target in recipient.onward
        ]

    def _destination(self, target: Address, reverse_path: Address | None) -> str:
        return self._router.route(target, reverse_path).destination

    def _message(self, acceptance: Acceptance, draft: IDraft, onward: Onward) -> QueuedMessage:
        envelope = acceptance.envelope
        parameters: Mapping[str, Any] = envelope.parameters
        arrived = self._now()
        asked = self._asked(acceptance) if onward.asked is None else onward.asked
        expires = max(arrived, asked.release) + self._lifetime
        if asked.by_mode == "R":
            # RFC 2852 §4.1.3: then it is given up.
            expires = min(expires, asked.by)
        return QueuedMessage(
            acceptance.id,
            envelope.reverse_path,
            arrived,
            expires,
            draft.size - acceptance.prefix,
            parameters.get("BODY", ""),
            parameters.get("RET", ""),
            parameters.get("ENVID", ""),
            acceptance.origin,
            # Where our users are is nobody else's business.
            "" if acceptance.peer is None or acceptance.login else came_from(acceptance.helo, acceptance.peer),
            smtputf8="SMTPUTF8" in parameters,
            asked=asked,
            hold=acceptance.hold,
        )

    def _asked(self, acceptance: Acceptance) -> Asked:
        return asked_of(acceptance, partial(self._grant, acceptance))

    def _grant(self, acceptance: Acceptance, wanted: int) -> int:
        peer = acceptance.peer
        return wanted if peer is None else self._priorities(peer, bool(acceptance.login), wanted)


def _asked(recipient: Recipient) -> tuple[str, str]:
    """Return NOTIFY and ORCPT, empty where they were not given."""
    return recipient.parameters.get("NOTIFY", ""), recipient.parameters.get("ORCPT", "")


def _wants_success(recipient: Recipient) -> bool:
    return "SUCCESS" in _asked(recipient)[0]


def _is_forwarded(recipient: Recipient) -> bool:
    """Say whether it is an alias of ours that leads to others; what is theirs anyway is only passed on."""
    return recipient.onward not in ((), (recipient.address,))


def _is_list(recipient: Recipient) -> bool:
    return len(recipient.onward) + len(recipient.mailboxes) > 1


def _without_success(notify: str) -> str:
    """RFC 3461 §5.2.7.3 (c): an alias with several members reports its own success, not theirs."""
    if not notify:
        return ""
    return ",".join(word for word in notify.split(",") if word != "SUCCESS") or "NEVER"


def _late(acceptance: Acceptance, mailboxes: Sequence[Mailbox]) -> Iterator[QueuedRecipient]:
    """Yield the mailboxes that could not be written to, each once, under one of the recipients that lead there.

    If possible that is one whose sender wants to hear of it if it fails.
    """
    for mailbox in mailboxes:
        leading = [each for each in acceptance.envelope.recipients if mailbox in each.mailboxes]
        waiting = [_as_queued(each, mailbox, _is_list(each)) for each in leading]
        yield next((each for each in waiting if each.wants("FAILURE")), waiting[0])


def _as_queued(recipient: Recipient, mailbox: Mailbox | None, of_list: bool = False) -> QueuedRecipient:
    notify, original = _asked(recipient)
    return QueuedRecipient(
        recipient.address, LOCAL, mailbox, _without_success(notify) if of_list else notify, original
    )


def _reached(
    acceptance: Acceptance, onward: Onward, late: Sequence[Mailbox]
) -> Iterator[tuple[QueuedRecipient, Outcome]]:
    """Yield the recipients of whom the sender is told now: all is in mailboxes, or an alias has led to several places.

    (RFC 3464 §2.3.3: the first is final; of the second there may be news of failure and delay.)
    """
    for recipient in acceptance.envelope.recipients:
        if not _wants_success(recipient):
            continue
        goes_on = _is_forwarded(recipient) and recipient.address not in onward.loops
        waits = not set(recipient.mailboxes).isdisjoint(late)
        if (goes_on or waits) and _is_list(recipient):
            yield _as_queued(recipient, None), DELIVERED
        elif recipient.mailboxes and not waits:
            yield _as_queued(recipient, recipient.mailboxes[0]), DELIVERED
