"""One of several processes leads, and another one when that is gone."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.policy.state import MemoryState
from mailsuite.workers.leader import ASK_SECONDS, Leader


class Candidate:
    """A process that would lead; *held* keeps it from stepping down at once."""

    def __init__(self, state: MemoryState, name: str, clock: Clock) -> None:
        self.did: list[str] = []
        self.held: Deferred[None] | None = None
        self.leader = Leader(state, name, clock, lambda: self.did.append("leads"), self._step_down)

    async def _step_down(self) -> None:
        if self.held is not None:
            await self.held
        self.did.append("steps down")

    def stop(self) -> None:
        """Begin to stop."""
        Deferred.fromCoroutine(self.leader.stop())


def test_one_leads_at_a_time() -> None:
    """The first at once, the second once the first has stepped down, a third that is stopped meanwhile never."""
    clock = Clock()
    state = MemoryState(clock.seconds)
    one, two, three = (Candidate(state, name, clock) for name in ("one", "two", "three"))
    for each in (one, two, three):
        each.leader.start()
    assert (one.did, two.did) == (["leads"], [])

    one.held = Deferred()
    one.stop()
    three.stop()
    clock.advance(ASK_SECONDS)
    assert two.did == []
    one.held.callback(None)
    clock.advance(ASK_SECONDS)

    assert (one.did, two.did, three.did) == (["leads", "steps down"], ["leads"], [])
    assert not clock.getDelayedCalls()


def test_who_does_not_lead_has_nothing_to_step_down_from() -> None:
    """Nor has who has stepped down."""
    clock = Clock()
    state = MemoryState(clock.seconds)
    one, two = Candidate(state, "one", clock), Candidate(state, "two", clock)
    one.leader.start()
    two.leader.start()
    one.stop()
    one.stop()
    two.stop()

    assert (one.did, two.did) == (["leads", "steps down"], [])
    assert not clock.getDelayedCalls()
