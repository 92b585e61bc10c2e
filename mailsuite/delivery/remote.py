"""Delivery to other hosts, by SMTP or LMTP."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.delivery.attempt import Attempt, Network
from mailsuite.delivery.body import Body, InThread
from mailsuite.interfaces import IContent, IDeliveryTarget, IRouter
from mailsuite.outcome import Deferred, Outcome
from mailsuite.queued import Job
from mailsuite.route import Route

OUR_TROUBLE = Deferred("4.3.0", "Trouble on our side")


@implementer(IDeliveryTarget)
class RemoteDelivery:
    """See `IDeliveryTarget`, for recipients without a mailbox here. *in_thread* runs what may take long."""

    _log = Logger()

    def __init__(self, router: IRouter, network: Network, in_thread: InThread = deferToThread) -> None:
        self._router = router
        self._network = network
        self._in_thread = in_thread

    async def deliver(self, job: Job, content: Callable[[], Awaitable[IContent]]) -> Sequence[Outcome]:
        """See `IDeliveryTarget.deliver`. Recipients of different routes are tried one route after the other."""
        outcomes: dict[int, Outcome] = {}
        body = Body(job, content, self._in_thread)
        for route, indexes in self._by_route(job):
            try:
                await Attempt(job, indexes, route, body, outcomes, self._network).run()
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

    def _by_route(self, job: Job) -> Iterable[tuple[Route, list[int]]]:
        reverse_path = job.message.reverse_path
        if len(job.recipients) == 1:
            return [(self._router.route(job.recipients[0].address, reverse_path), [0])]
        routes: dict[Route, list[int]] = {}
        for index, recipient in enumerate(job.recipients):
            routes.setdefault(self._router.route(recipient.address, reverse_path), []).append(index)
        return routes.items()
