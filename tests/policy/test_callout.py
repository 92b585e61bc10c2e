"""Call-outs: asked once, remembered, bounded in number, in time and in memory."""

from collections.abc import Awaitable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from mailsuite.address import Address
from mailsuite.maybe import Maybe
from mailsuite.policy.callout import PATIENCE_SECONDS, UNSURE_SECONDS, Callouts, CannotAsk, Lifetimes

LIFETIMES = Lifetimes(yes=100.0, no=10.0)


def at(local: str, domain: str = "a.example") -> Address:
    """Return an address."""
    return Address(local, domain)


class Site:
    """Call-outs with a primary that answers when it is told to."""

    def __init__(self, most: int = 20, waiting: int = 1000, remembered: int = 1000) -> None:
        self.clock = Clock()
        self.asked: list[str] = []
        self.open: dict[str, Deferred[bool | None]] = {}
        self.cancelled: list[str] = []
        self.callouts = Callouts(self.ask, self.clock, most, waiting, remembered)

    def ask(self, domain: str, address: Address) -> Awaitable[bool | None]:
        """Stand for the primary."""
        name = f"{address.local}@{domain}"
        self.asked.append(name)
        self.open[name] = Deferred(lambda _: self.cancelled.append(name))
        return self.open[name]

    def known(self, local: str, domain: str = "a.example") -> list[bool | None]:
        """Ask; the list gets the answer, at once or later."""
        answers: list[bool | None] = []
        answer: Maybe[bool | None] = self.callouts.known(at(local, domain), LIFETIMES)
        if isinstance(answer, Deferred):
            answer.addCallback(answers.append)
        else:
            assert answer is None or isinstance(answer, bool)
            answers.append(answer)
        return answers

    def answers(self, name: str, answer: bool | Exception | None) -> None:
        """Let the primary answer."""
        if isinstance(answer, Exception):
            self.open.pop(name).errback(answer)
        else:
            self.open.pop(name).callback(answer)


@pytest.mark.parametrize(("answer", "seconds"), [(True, 100.0), (False, 10.0), (None, UNSURE_SECONDS)])
def test_an_answer_is_remembered_for_its_time(answer: bool | None, seconds: float) -> None:
    """A yes longer than a no; where the primary does not say, for a moment."""
    site = Site()
    first = site.known("alice")
    site.answers("alice@a.example", answer)
    site.clock.advance(seconds - 0.01)

    assert (first, site.known("alice")) == ([answer], [answer])
    assert site.asked == ["alice@a.example"]

    site.clock.advance(0.01)
    assert site.known("alice") == []
    assert len(site.asked) == 2


def test_the_same_question_is_asked_once() -> None:
    """All who wait get its answer; another spelling of the domain is the same, of the local part another."""
    site = Site()
    waiting = [site.known("alice"), site.known("alice", "A.Example"), site.known("Alice")]

    assert site.asked == ["alice@a.example", "Alice@a.example"]
    site.answers("alice@a.example", False)

    assert waiting == [[False], [False], []]


def test_so_many_are_asked_at_a_time() -> None:
    """The next one when one has its answer; none is lost."""
    site = Site(most=2)
    waiting = [site.known(name) for name in "abcd"]

    assert site.asked == ["a@a.example", "b@a.example"]
    site.answers("b@a.example", True)
    assert site.asked == ["a@a.example", "b@a.example", "c@a.example"]
    for name in "acd":
        site.answers(f"{name}@a.example", True)

    assert waiting == [[True]] * 4


def test_so_many_wait_and_no_more() -> None:
    """At the limit a question waits, past it mail is taken without one."""
    site = Site(most=1, waiting=2)

    assert [site.known(name) for name in "abcd"] == [[], [], [], [None]]
    site.answers("a@a.example", True)
    assert site.known("e") == []


def test_nobody_waits_for_ever() -> None:
    """After the time mail is taken; the question is called back, and its domain left alone for a moment."""
    site = Site()
    waiting = site.known("alice")
    site.clock.advance(PATIENCE_SECONDS / 2)
    late = site.known("alice")
    site.clock.advance(PATIENCE_SECONDS / 2 - 0.01)
    assert waiting == late == []

    site.clock.advance(0.01)

    assert waiting == late == [None]
    assert site.cancelled == ["alice@a.example"]
    assert site.known("bob") == [None]
    assert site.known("bob", "b.example") == []
    site.clock.advance(UNSURE_SECONDS)
    assert site.known("bob") == []


def test_who_waits_for_a_turn_does_not_wait_longer() -> None:
    """The time counts from the question; one that had no turn says nothing about its domain."""
    site = Site(most=1)
    site.known("slow", "slow.example")
    site.clock.advance(1.0)
    waiting = site.known("alice")
    site.clock.advance(PATIENCE_SECONDS - 1.0)
    assert (waiting, site.asked[1:]) == ([], ["alice@a.example"])

    site.known("next", "next.example")
    site.clock.advance(1.0)

    assert waiting == [None]


@pytest.mark.parametrize("trouble", [CannotAsk("no host"), ZeroDivisionError()])
def test_a_domain_that_cannot_be_asked_is_left_alone_for_a_moment(trouble: Exception) -> None:
    """While the primary is away no session waits for it, nor do those whose turn had not come."""
    site = Site(most=1)
    waiting = [site.known("alice"), site.known("bob"), site.known("carol", "c.example")]
    site.answers("alice@a.example", trouble)

    assert waiting == [[None], [None], []]
    assert site.known("dave") == [None]
    assert site.asked == ["alice@a.example", "carol@c.example"]
    site.answers("carol@c.example", True)
    site.clock.advance(UNSURE_SECONDS)
    assert site.known("dave") == []



def test_an_address_that_the_primary_puts_off_says_nothing_of_the_others() -> None:
    """Greylisting, say."""
    site = Site()
    site.known("alice")
    site.answers("alice@a.example", None)

    assert site.known("bob") == []


def test_memory_is_bounded() -> None:
    """What was not asked for longest is forgotten first."""
    site = Site(remembered=2)
    for name in "ab":
        site.known(name)
        site.answers(f"{name}@a.example", True)
    site.known("a")
    site.known("c")
    site.answers("c@a.example", True)

    assert site.known("a") == [True]
    assert site.known("b") == []


def test_domains_that_are_silent_are_bounded_too() -> None:
    """One more, and the first may be asked again."""
    site = Site(remembered=2)
    for name in ("x.example", "y.example", "z.example"):
        site.known("a", name)
        site.answers(f"a@{name}", CannotAsk("no host"))

    assert site.known("a", "z.example") == [None]
    assert site.known("a", "x.example") == []


def test_who_gives_up_takes_nobody_with_them() -> None:
    """A session that is gone does not end the question for the others."""
    site = Site()
    gone = site.callouts.known(at("alice"), LIFETIMES)
    waiting = site.known("alice")
    assert isinstance(gone, Deferred)
    gone.addErrback(lambda failure: failure.trap(CancelledError))
    gone.cancel()

    site.answers("alice@a.example", True)

    assert waiting == [True]


def test_a_stop_answers_all() -> None:
    """Nobody is left waiting, and no timer runs on."""
    site = Site(most=1)
    waiting = [site.known("alice"), site.known("bob")]
    site.callouts.stop()

    assert waiting == [[None], [None]]
    assert site.cancelled == ["alice@a.example"]
    assert site.clock.getDelayedCalls() == []


def test_answers_that_come_at_once_need_no_depth() -> None:
    """A long queue is a loop, not a recursion."""
    clock = Clock()
    first: Deferred[bool | None] = Deferred()

    async def ask(domain: str, address: Address) -> bool | None:
        """Answer at once, but the first time."""
        return await first if address.local == "first" else True

    callouts = Callouts(ask, clock, most=1, waiting=5000)
    waiting = [callouts.known(at(name), LIFETIMES) for name in ["first", *map(str, range(3000))]]
    first.callback(True)

    assert all(isinstance(each, Deferred) and each.result is True for each in waiting)
