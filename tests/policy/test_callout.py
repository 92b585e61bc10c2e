"""Call-outs: asked once, remembered, bounded in number, in time and in memory."""

from collections.abc import Awaitable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from mailsuite.address import Address
from mailsuite.maybe import Maybe
from mailsuite.meaning import Known
from mailsuite.policy.callout import (
    ASKING_SECONDS,
    BURST,
    PATIENCE_SECONDS,
    RATE,
    UNSURE_SECONDS,
    Callouts,
    CannotAsk,
    Lifetimes,
)

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

    def known(self, local: str, domain: str = "a.example") -> list[Known]:
        """Ask; the list gets the answer, at once or later."""
        answers: list[Known] = []
        answer: Maybe[Known] = self.callouts.known(at(local, domain), LIFETIMES)
        if isinstance(answer, Deferred):
            answer.addCallback(answers.append)
        else:
            assert answer is None or isinstance(answer, bool | str)
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
    """At the limit a question waits; past it the sender is to come again, and nothing is taken unasked."""
    site = Site(most=1, waiting=2)

    assert [site.known(name) for name in "abcd"] == [[], [], [], ["later"]]
    site.answers("a@a.example", True)
    assert site.known("e") == []


def test_nobody_waits_for_ever() -> None:
    """After the time mail is taken; the question is called back, and its domain left alone for a moment."""
    site = Site()
    waiting = site.known("alice")
    site.clock.advance(ASKING_SECONDS / 2)
    late = site.known("alice")
    site.clock.advance(ASKING_SECONDS / 2 - 0.01)
    assert waiting == late == []

    site.clock.advance(0.01)

    assert waiting == late == [None]
    assert site.cancelled == ["alice@a.example"]
    assert site.known("bob") == [None]
    assert site.known("bob", "b.example") == []
    site.clock.advance(UNSURE_SECONDS)
    assert site.known("bob") == []


def test_who_waits_for_a_turn_does_not_wait_longer() -> None:
    """The time counts from its own beginning, and that it had no turn says nothing about the domain."""
    site = Site(most=1)
    site.known("slow", "slow.example")
    site.known("slow", "slower.example")
    waiting, domain = site.known("alice"), site.known("bob")
    site.clock.advance(ASKING_SECONDS)
    site.clock.advance(PATIENCE_SECONDS - ASKING_SECONDS)

    assert waiting == domain == ["later"]
    assert len(site.asked) == 2
    site.clock.advance(ASKING_SECONDS)
    assert site.known("alice") == []
    assert site.asked[2:] == ["alice@a.example"]


def test_who_waits_in_vain_finds_the_answer_when_they_come_again() -> None:
    """A question that had its turn late goes on without them, and its domain is not taken for silent meanwhile."""
    site = Site(most=1)
    site.known("slow", "slow.example")
    site.clock.advance(0.1)
    waiting = site.known("alice")
    site.clock.advance(ASKING_SECONDS - 0.1)
    assert (waiting, site.asked[1:]) == ([], ["alice@a.example"])

    site.clock.advance(PATIENCE_SECONDS - ASKING_SECONDS + 0.1)

    assert waiting == ["later"]
    assert site.cancelled == ["slow@slow.example"]
    again = site.known("alice")
    assert again == []
    site.answers("alice@a.example", False)
    assert again == site.known("alice") == [False]
    assert site.clock.getDelayedCalls() == []


def test_who_made_addresses_up_does_not_set_the_pace() -> None:
    """A domain is asked so many questions in a row, then so many a second; other domains have theirs."""
    site = Site(most=10 * BURST)
    site.clock.advance(1e6 / 7)
    asked = [site.known(f"x{number}") for number in range(2 * BURST)]

    assert asked == [[]] * BURST + [["later"]] * BURST
    assert site.known("alice", "b.example") == []
    site.clock.advance(1 / RATE)
    assert [site.known("y"), site.known("z")] == [[], ["later"]]

    for name in list(site.open):
        site.answers(name, False)
    site.clock.advance(2 * BURST / RATE)
    assert [site.known(f"z{number}") for number in range(BURST + 1)] == [[]] * BURST + [["later"]]


def test_what_is_remembered_costs_nothing() -> None:
    """Known answers, questions under way and silent domains are not counted."""
    site = Site()
    site.known("alice")
    site.answers("alice@a.example", True)
    site.known("bob")
    for _ in range(2 * BURST):
        site.known("alice")
        site.known("bob")
    assert site.known("carol") == []
    site.answers("carol@a.example", None)
    site.answers("bob@a.example", CannotAsk("no host"))
    for number in range(2 * BURST):
        assert site.known(f"x{number}") == [None]
    site.clock.advance(UNSURE_SECONDS)

    assert site.known("dave") == []


def test_a_flood_takes_nothing_past_a_primary_that_is_well() -> None:
    """Of thousands of made-up recipients none is taken, and a question after them is answered as ever."""
    clock = Clock()

    def ask(domain: str, address: Address) -> Deferred[bool | None]:
        """Say no, after half a second."""
        answer: Deferred[bool | None] = Deferred()
        clock.callLater(0.5, answer.callback, False)
        return answer

    callouts = Callouts(ask, clock)
    answers: list[object] = []
    for number in range(3000):
        known = callouts.known(at(f"nobody{number}"), LIFETIMES)
        if isinstance(known, Deferred):
            known.addCallback(answers.append)
        else:
            answers.append(known)
    clock.pump([0.1] * 400)

    assert [answers.count(each) for each in (False, "later", None)] == [BURST, 3000 - BURST, 0]
    last = callouts.known(at("one-more"), LIFETIMES)
    clock.advance(0.5)
    assert isinstance(last, Deferred)
    assert last.result is False


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
    # As many domains, since none is asked so much.
    names = ["first", *map(str, range(3000))]
    waiting = [callouts.known(at(name, f"{name}.example"), LIFETIMES) for name in names]
    first.callback(True)

    assert all(isinstance(each, Deferred) and each.result is True for each in waiting)
