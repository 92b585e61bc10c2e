"""Shared state of several processes: what one adds all know a moment later, and what one held goes with it."""

from collections.abc import Sequence

import msgspec
import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailsuite.interfaces import ISharedState
from mailsuite.policy.shared_state import TELL_SECONDS, TOLD_AT_ONCE, Change, Exchange, Hub


class Kernel:
    """Locks of all processes of a machine, in memory."""

    def __init__(self) -> None:
        self.owners: dict[str, object] = {}
        self.away = False

    def of(self, process: object) -> "Keys":
        """Return what *process* sees of them."""
        return Keys(self, process)


class Keys:
    """See `mailsuite.policy.shared_state.KernelLocks`."""

    def __init__(self, kernel: Kernel, process: object) -> None:
        self._kernel = kernel
        self._process = process

    def acquire(self, name: str) -> bool:
        if self._kernel.away:
            raise OSError("no locks")
        return self._kernel.owners.setdefault(name, self._process) is self._process

    def release(self, name: str) -> None:
        del self._kernel.owners[name]


class Process:
    """One process, joined to *hub*."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self.exchange = Exchange(site.clock.seconds, site.clock, site.kernel.of(self), self._tell)
        self.state = self.exchange.state("logins")
        self.other_state = self.exchange.state("arrivals")
        # One and the same whenever it is asked for.
        self.member = self._receive
        self.joined = True
        site.hub.joined(self.member)

    def leave(self) -> None:
        """Be gone, or out of reach."""
        self.joined = False
        self._site.hub.left(self.member)

    def _tell(self, changes: Sequence[Change]) -> None:
        if self.joined:
            self._site.hub.received(self.member, _over_the_wire(changes))

    def _receive(self, changes: Sequence[Change]) -> None:
        self.exchange.received(_over_the_wire(changes))


class Site:
    """A hub, a clock, and processes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.kernel = Kernel()
        self.hub = Hub(self.clock.seconds)
        self.one = Process(self)
        self.two = Process(self)

    def settle(self) -> None:
        """Let all be told."""
        self.clock.advance(TELL_SECONDS)


def _over_the_wire(changes: Sequence[Change]) -> Sequence[Change]:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(changes), type=list[Change])


@pytest.fixture
def site() -> Site:
    """Give a site with two processes."""
    return Site()


def test_it_is_shared_state(site: Site) -> None:
    """Each state provides the interface."""
    assert verifyObject(ISharedState, site.one.state)


def test_all_know_what_one_has_counted(site: Site) -> None:
    """At once the one, a moment later the others; states do not mix."""
    assert site.one.state.add("a", 2, 60) == 2
    assert site.two.state.read("a", 60) == 0
    site.settle()

    assert site.two.state.add("a", 1, 60) == 3
    assert site.two.other_state.read("a", 60) == 0
    site.settle()
    assert site.one.state.read("a", 60) == 3
    site.clock.advance(61)
    assert site.one.state.read("a", 60) == site.two.state.read("a", 60) == 0


def test_what_is_held_goes_with_its_process(site: Site) -> None:
    """However it ends; what others hold stays."""
    site.one.state.hold("open", 3)
    site.two.state.hold("open", 1)
    site.settle()
    assert site.one.state.hold("open", 0) == site.two.state.hold("open", 0) == 4
    site.one.state.hold("open", -1)
    site.settle()

    site.one.leave()

    assert site.two.state.hold("open", 0) == 1


def test_who_joins_later_knows_what_was(site: Site) -> None:
    """Counted as long as for the others, and held; more than one message's worth of it."""
    site.one.state.add("a", 5, 60)
    site.one.state.hold("open", 2)
    for number in range(TOLD_AT_ONCE):
        site.one.other_state.add(str(number), 1, 1000)
    site.settle()
    site.clock.advance(30)
    site.two.state.add("a", 1, 60)
    site.settle()

    three = Process(site)

    assert three.state.read("a", 60) == 6
    assert three.state.hold("open", 0) == 2
    assert three.other_state.read("0", 1000) == three.other_state.read(str(TOLD_AT_ONCE - 1), 1000) == 1
    site.clock.advance(31)
    assert three.state.read("a", 60) == site.one.state.read("a", 60) == 1


def test_a_counter_begins_anew_everywhere(site: Site) -> None:
    """What was added before is gone, what is added behind it counts, told together or not."""
    site.one.state.add("a", 5, 60)
    site.one.state.forget("a")
    site.one.state.add("a", 1, 60)
    site.settle()

    assert site.two.state.read("a", 60) == site.one.state.read("a", 60) == 1


def test_what_comes_to_nothing_is_not_told(site: Site) -> None:
    """A connection that came and went meanwhile."""
    told: list[Sequence[Change]] = []
    site.hub.joined(told.append)
    site.one.state.hold("open", 1)
    site.one.state.hold("open", -1)
    site.settle()

    assert not any(told)


def test_out_of_reach_each_counts_alone(site: Site) -> None:
    """Limits go on to hold for what it sees itself."""
    site.one.leave()
    site.one.state.add("a", 1, 60)
    site.two.state.add("a", 1, 60)
    site.settle()

    assert site.one.state.read("a", 60) == site.two.state.read("a", 60) == 1


def test_locks_are_exact(site: Site) -> None:
    """One owner in all processes, at once; where nobody can tell it is "try later"."""
    assert site.one.state.acquire("leader", "a")
    assert site.one.state.acquire("leader", "a")
    assert not site.one.state.acquire("leader", "b")
    assert not site.two.state.acquire("leader", "a")
    site.two.state.release("leader", "a")
    site.one.state.release("leader", "b")
    assert not site.two.state.acquire("leader", "a")
    site.one.state.release("leader", "a")
    assert site.two.state.acquire("leader", "a")
    site.kernel.away = True
    assert not site.one.state.acquire("other", "a")
