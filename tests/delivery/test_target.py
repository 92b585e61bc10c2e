"""The choice between mailboxes and other hosts."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.target import Target
from mailsuite.meaning import Mailbox
from mailsuite.outcome import DELIVERED, Failed, Outcome
from mailsuite.queued import Job
from tests.doubles_delivery import Contents, FixedTarget, job, recipient

BOX = Mailbox(1, "b.example/bob")
REFUSED = Failed("5.1.1", "no")


def deliver(target: Target, work: Job) -> list[Outcome]:
    async def outcomes() -> list[Outcome]:
        return list(await target.deliver(work, Contents()))

    return SynchronousTestCase().successResultOf(Deferred.fromCoroutine(outcomes()))


def test_by_mailbox() -> None:
    """Who has a mailbox is delivered to here, who has none elsewhere; each job goes on as it is."""
    local, remote = FixedTarget(), FixedTarget(REFUSED)
    target = Target(local, remote)
    inside, outside = job(recipient("bob@b.example", mailbox=BOX)), job("eve@c.example")

    assert deliver(target, inside) == [DELIVERED]
    assert deliver(target, outside) == [REFUSED]
    assert (local.jobs, remote.jobs) == ([inside], [outside])


def test_both_in_one_job() -> None:
    """Each recipient gets its own outcome, in order."""
    local, remote = FixedTarget(), FixedTarget(REFUSED)

    mixed = job("eve@c.example", recipient("bob@b.example", mailbox=BOX), "dan@c.example")

    assert deliver(Target(local, remote), mixed) == [REFUSED, DELIVERED, REFUSED]
    assert [len(each.recipients) for each in (*local.jobs, *remote.jobs)] == [1, 2]
