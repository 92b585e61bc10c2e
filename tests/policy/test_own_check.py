"""A check of the site's own: whatever it does, the session has an answer in time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.envelope import Peer
from mailsuite.interfaces import IPolicyCheck
from mailsuite.maybe import value_of
from mailsuite.meaning import Foreign, Mailbox, Mailboxes
from mailsuite.policy.checks import Checks
from mailsuite.policy.own_check import OwnCheck
from mailsuite.policy.relay import SubmissionRelay
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.verdict import Verdict

GO_AWAY = Reply(550, "5.7.1", "Go away")
REFUSED = Verdict(GO_AWAY, "a bad day")
LIKED = Verdict(None, "a good day")
OURS = Mailboxes((Mailbox(1, "b.example/alice"),))


@implementer(IPolicyCheck)
class Asked:
    """Says what *answer* returns or raises."""

    name = "asked"

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.times = 0

    def judge(self, case: Case) -> Any:
        """See `IPolicyCheck.judge`."""
        self.times += 1
        return self.answer()


def case(local: str = "alice", ours: bool = True) -> Case:
    """Return a case."""
    to = Address(local, "b.example")
    return Case(Peer("192.0.2.7", 25), "mx", None, Address("bob", "example.net"), to, OURS if ours else Foreign())


def judged(check: OwnCheck, of: Case | None = None) -> list[Any]:
    """Return a list in which the verdict is as soon as there is one."""
    found: list[Any] = []
    verdict = check.judge(of or case())
    if isinstance(verdict, Verdict):
        return [verdict]
    Deferred.fromCoroutine(waited(verdict)).addBoth(found.append)
    return found


async def waited(verdict: Awaitable[Verdict]) -> Verdict:
    """Return the verdict when it is there."""
    return await verdict


def raises(error: Exception) -> Callable[[], Any]:
    """Return what raises *error*."""

    def answer() -> Any:
        raise error

    return answer


def told(events: Sequence[LogEvent]) -> list[str]:
    """Return the errors among *events*, in words."""
    return [formatEvent(event) for event in events if event["log_level"] == LogLevel.error]


def test_what_it_says_holds() -> None:
    """At once where it is at hand; a refusal goes by the check's table, or by the rule that it names."""
    own = Asked(lambda: REFUSED)
    check = OwnCheck("check.day", own, 5.0, False, Clock())
    (verdict,) = judged(check)
    assert (verdict.refusal, verdict.reason, verdict.rule) == (GO_AWAY, "a bad day", "check.day")
    own.answer = lambda: Verdict(GO_AWAY, "listed", "list.7")
    assert judged(check)[0].rule == "list.7"
    own.answer = lambda: LIKED
    assert judged(check) == [LIKED]
    assert check.name == "check.day"


def test_it_is_waited_for() -> None:
    """For its budget; what comes in time holds, and leaves no timer."""
    clock, answer = Clock(), Deferred[Verdict]()
    found = judged(OwnCheck("check.day", Asked(lambda: answer), 5.0, False, clock))
    clock.advance(4.9)
    assert found == []
    answer.callback(REFUSED)
    assert [each.refusal for each in found] == [GO_AWAY]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(("passes", "refusal"), [(False, replies.TROUBLE), (True, None)])
def test_no_session_waits_longer(passes: bool, refusal: Reply | None) -> None:
    """What is late is cancelled, and its answer is worth nothing; the recipient is deferred, or passes."""
    clock, cancelled = Clock(), list[object]()
    answer: Deferred[Verdict] = Deferred(cancelled.append)
    check = OwnCheck("check.day", Asked(lambda: answer), 5.0, passes, clock)
    with capturedLogs() as events:
        found = judged(check)
        clock.advance(5.0)
    assert [each.refusal for each in found] == [refusal]
    assert cancelled == [answer]
    assert len(told(events)) == 1
    assert "check.day has failed, 1 time since this was told last: there was no answer within 5 s" in told(events)[0]


def test_what_ignores_that_it_is_cancelled_is_left_alone() -> None:
    """It goes on for itself, and its session does not."""
    clock, second = Clock(), Deferred[Verdict]()

    async def stubborn() -> Verdict:
        try:
            return await Deferred[Verdict]()
        except CancelledError:
            return await second

    found = judged(OwnCheck("check.day", Asked(stubborn), 1.0, False, clock))
    clock.advance(1.0)
    assert [each.refusal for each in found] == [replies.TROUBLE]
    second.callback(LIKED)
    assert len(found) == 1


@pytest.mark.parametrize(
    "answer",
    [
        raises(ValueError("broken")),
        lambda: None,
        lambda: Verdict(cast(Reply, "550 no"), "x"),
        lambda: Verdict(replies.OK, "x"),
    ],
    ids=["raises", "no verdict", "no reply", "no refusal"],
)
def test_a_check_that_fails(answer: Callable[[], Any]) -> None:
    """Now or later, that is the same as one that is late, and the log has what went wrong."""

    async def later() -> Any:
        return answer()

    for each in (answer, later):
        with capturedLogs() as events:
            assert [said.refusal for said in judged(OwnCheck("check.day", Asked(each), 5.0, False, Clock()))] == [
                replies.TROUBLE
            ]
            assert [said.refusal for said in judged(OwnCheck("check.day", Asked(each), 5.0, True, Clock()))] == [None]
        assert len(told(events)) == 2
        assert all("log_failure" in event for event in events)


def test_the_log_is_not_filled() -> None:
    """It is told at once, then once a minute with how many times it was; each time that it works says nothing."""
    clock = Clock()
    check = OwnCheck("check.day", Asked(raises(ValueError("broken"))), 5.0, False, clock)
    with capturedLogs() as events:
        for _ in range(120):
            judged(check)
            clock.advance(1.0)
        judged(check)
    times = [text.partition(" since")[0].partition(", ")[2] for text in told(events)]
    assert times == ["1 time", "60 times", "60 times"]


def test_postmaster_and_abuse_are_reached() -> None:
    """Of our own domains (RFC 5321 §4.5.1), whatever the check would say."""
    own = Asked(lambda: REFUSED)
    check = OwnCheck("check.day", own, 5.0, False, Clock())
    for local in ("Postmaster", "abuse"):
        assert judged(check, case(local))[0].refusal is None
    assert own.times == 0
    assert judged(check, case("postmaster", ours=False))[0].refusal == GO_AWAY


def test_behind_it_the_policy_goes_on() -> None:
    """What passes is judged by the checks behind it, what is deferred is not."""
    clock = Clock()
    for passes, refusal in ((True, replies.AUTH_REQUIRED), (False, replies.TROUBLE)):
        check = OwnCheck("check.day", Asked(lambda: Deferred()), 5.0, passes, clock)
        found: list[Any] = []
        verdict = Checks(check, SubmissionRelay()).judge(case())
        Deferred.fromCoroutine(value_of(verdict)).addBoth(found.append)
        clock.advance(5.0)
        assert [each.refusal for each in found] == [refusal]
