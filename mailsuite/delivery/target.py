"""Delivery, wherever a recipient's mail goes: the one target that the queue's runner knows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from zope.interface import implementer

from mailsuite.interfaces import IContent, IDeliveryTarget
from mailsuite.outcome import Outcome
from mailsuite.queued import Job


@implementer(IDeliveryTarget)
class Target:
    """See `IDeliveryTarget`: recipients with a mailbox are *local*'s, all others *remote*'s."""

    def __init__(self, local: IDeliveryTarget, remote: IDeliveryTarget) -> None:
        self._local = local
        self._remote = remote

    def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Awaitable[Sequence[Outcome]]:
        """See `IDeliveryTarget.deliver`."""
        kept = [recipient.mailbox is not None for recipient in job.recipients]
        if not any(kept):
            return self._remote.deliver(job, content)
        if all(kept):
            return self._local.deliver(job, content)
        return self._both(job, kept, content)

    async def _both(
        self, job: Job, kept: Sequence[bool], content: Callable[[], Awaitable[IContent]]
    ) -> Sequence[Outcome]:
        """A destination has recipients of one kind; a job that has both is seen to all the same."""
        outcomes: dict[int, Outcome] = {}
        for target, wanted in ((self._local, True), (self._remote, False)):
            indexes = [index for index, is_kept in enumerate(kept) if is_kept is wanted]
            part = replace(job, recipients=tuple(job.recipients[index] for index in indexes))
            outcomes.update(zip(indexes, await target.deliver(part, content), strict=True))
        return [outcomes[index] for index in range(len(kept))]
