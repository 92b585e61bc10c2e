"""Delivery to other hosts, by SMTP or LMTP."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.delivery.attempt import Attempt, Network
from mailsuite.delivery.body import Body, InThread
from mailsuite.delivery.forwarding import Forwarding
from mailsuite.interfaces import IContent, IDeliveryTarget, IRouter
from mailsuite.outcome import Deferred, Outcome
from mailsuite.queued import Job, QueuedRecipient
from mailsuite.route import Route

OUR_TROUBLE = Deferred("4.3.0", "Trouble on our side")


@implementer(IDeliveryTarget)
class RemoteDelivery:
    """See `IDeliveryTarget`, for recipients without a mailbox here. *in_thread* runs what may take long.

    *forwarding* says from whom goes on what an alias of ours has led elsewhere.
    """

    _log = Logger()

    def __init__(
        self, router: IRouter, network: Network, forwarding: Forwarding, in_thread: InThread = deferToThread
    ) -> None:
        self._router = router
        self._network = network
        self._forwarding = forwarding
        self._in_thread = in_thread

    async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
        """See `IDeliveryTarget.deliver`. Recipients of different routes are tried one route after the other."""
        outcomes: dict[int, Outcome] = {}
        body = Body(job, content, self._in_thread)
        sent_on = await self._sent_on(job)
        for (route, changed), indexes in self._by_route(job, sent_on is not job):
            try:
                await Attempt(sent_on if changed else job, indexes, route, body, outcomes, self._network).run()
            except Exception:
                # What was decided before must not be lost with it.
                self._log.failure("Delivering {id} to {destination} failed", id=job.message.id,
                                  destination=route.destination)
                for index in indexes:
                    outcomes.setdefault(index, OUR_TROUBLE)
        return [outcomes[index] for index in range(len(job.recipients))]

    def stop(self) -> None:
        """Close all sessions that wait, and each of the others after its message."""
        self._network.pool.stop()

    async def _sent_on(self, job: Job) -> Job:
        """Return *job* as it is for those whom an alias has led it to; itself where that is the same.

        *job* keeps the sender as it came, who is told of what fails here.
        """
        if not any(recipient.added for recipient in job.recipients):
            return job
        sender = await self._forwarding.sender(job.message)
        if sender == job.message.reverse_path:
            return job
        return replace(job, message=replace(job.message, reverse_path=sender))

    def _by_route(self, job: Job, changed: bool) -> Iterable[tuple[tuple[Route, bool], list[int]]]:
        """Return the recipients by their route and by whether their copy has the *changed* sender, if it is.

        A mail store that is spoken to by LMTP keeps the sender for its Return-Path: he is told as he came.
        """
        reverse_path = job.message.reverse_path

        def way(recipient: QueuedRecipient) -> tuple[Route, bool]:
            route = self._router.route(recipient.address, reverse_path)
            return route, changed and bool(recipient.added) and not route.lmtp

        if len(job.recipients) == 1:
            return [(way(job.recipients[0]), [0])]
        routes: dict[tuple[Route, bool], list[int]] = {}
        for index, recipient in enumerate(job.recipients):
            routes.setdefault(way(recipient), []).append(index)
        return routes.items()
