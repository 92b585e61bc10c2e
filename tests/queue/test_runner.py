"""The runner on fake time, with doubles around it (lessons 20, 25, 26, 32, 34; architecture §4.3)."""

import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred as Later
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from mailsuite.asked import Asked
from mailsuite.outcome import DELIVERED, Answer, Deferred, Delivered, Failed
from mailsuite.queue import destinations
from mailsuite.queue.concluding import BOUNCED, GIVEN_UP, OWN_TROUBLE
from mailsuite.queue.destinations import UNPROVEN_DELIVERIES, Standing
from mailsuite.queue.runner import (
    AT_HAND,
    POLL,
    REPORTS_AT_HAND,
    REPORTS_AT_ONCE,
    UNPROVEN_AT_HAND,
    Limits,
    Runner,
)
from mailsuite.queue.schedule import FIRST_DELIVERIES, Backoff
from mailsuite.queued import AS_BEFORE, LOCAL, Held, Job
from tests.doubles_pop3 import KeptLog
from tests.doubles_queue import DomainRouter, KeptReports, MemoryQueue, ScriptedTarget, job

LATER = Deferred("4.2.0", "come back later", Answer("mx.b.example", 450, "4.2.0", ("busy",)))
DOWN = Deferred("4.4.1", "nobody answers", whole=True)
NEVER = Failed("5.1.1", "no such user", Answer("mx.b.example", 550, "5.1.1", ("unknown",)))


class Running:
    """A runner that runs, at the time 1000."""

    def __init__(self, limits: Limits | None = None, backups: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.queue = MemoryQueue()
        self.target = ScriptedTarget()
        self.reports = KeptReports()
        self.log = KeptLog()
        self.router = DomainRouter(*backups)
        self.runner = Runner(
            self.queue,
            self.target,
            self.reports,
            self.router,
            self.log,
            Backoff(300, 2, 7200),
            60,
            limits or Limits(),
            self.clock,
            self.clock.seconds,
            lambda: 0.5,
        )
        self.runner.start()

    def prove(self, *destinations: str) -> None:
        """Let these be destinations that work."""
        self.runner.begin([job(f"first@{name}", message_id=name) for name in destinations])
        self.target.jobs.clear()
        self.queue.recorded.clear()

    def results(self) -> list[tuple[str, float | None]]:
        """What was recorded: recipients, and when they are due."""
        return [(str(each.recipient.address), each.next_try) for each in self.queue.recorded]

    def deliveries(self) -> list[str]:
        """What the mail log says of deliveries."""
        return [str(fields["result"]) for kind, fields in self.log.records if kind == "delivery"]


def test_new_mail_is_tried_at_once() -> None:
    """Without waiting for a poll; what was delivered leaves the queue, is logged, and reported to who wants it."""
    running = Running()

    running.runner.begin([job("bob@b.example")])

    assert running.results() == [("bob@b.example", None)]
    assert running.deliveries() == ["delivered"]
    assert running.reports.told == [("bob@b.example", DELIVERED)]


def test_due_mail_is_claimed_by_the_poll() -> None:
    """Once a second, at most."""
    running = Running()
    running.queue.due = [job("bob@b.example")]

    running.clock.advance(POLL)

    assert running.results() == [("bob@b.example", None)]


def test_a_deferred_recipient_backs_off() -> None:
    """By its own number of tries, and nobody is told."""
    running = Running()
    running.target.outcomes["bob@b.example"] = LATER
    waiting = job("bob@b.example", "eve@b.example")
    bob, eve = waiting.recipients

    running.runner.begin([replace(waiting, recipients=(replace(bob, tries=2), eve))])

    assert running.results() == [("bob@b.example", 1000 + 1200), ("eve@b.example", None)]
    assert running.queue.recorded[0].outcome == LATER
    assert running.reports.told == [("eve@b.example", DELIVERED)]
    assert running.queue.put_offs == []


def test_a_failure_is_reported_then_recorded() -> None:
    """Where the report cannot be kept the recipient stays, to be tried again."""
    running = Running()
    running.target.outcomes["bob@b.example"] = NEVER
    running.reports.trouble = OSError("full")

    running.runner.begin([job("bob@b.example")])
    assert running.results() == [("bob@b.example", 1000 + OWN_TROUBLE)]

    running.reports.trouble = None
    running.runner.begin([job("bob@b.example")])
    assert running.results()[1:] == [("bob@b.example", None)]
    assert running.reports.told == [("bob@b.example", NEVER)]


def test_no_second_copy_for_the_sake_of_a_report() -> None:
    """What was delivered leaves the queue even where a report on it cannot be kept."""
    running = Running()
    running.reports.trouble = OSError("full")

    running.runner.begin([job("bob@b.example")])

    assert running.results() == [("bob@b.example", None)]


def test_an_exception_does_not_stop_the_runner() -> None:
    """The message is tried again later, the next one now."""
    running = Running()
    running.target.outcomes["bob@b.example"] = ValueError("a fault of ours")

    running.runner.begin([job("bob@b.example"), job("eve@b.example", message_id="m2")])

    assert running.results() == [("bob@b.example", 1000 + OWN_TROUBLE), ("eve@b.example", None)]


def test_a_destination_that_is_down_is_put_off_as_a_whole() -> None:
    """What is claimed for it goes back untried, and no new mail is claimed for it."""
    running = Running(Limits(destination_deliveries=1))
    running.target.outcomes["b.example"] = DOWN
    running.target.holding = True
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(3)])

    running.target.let_go()

    assert [destination for destination, _, _ in running.queue.put_offs] == ["b.example"]
    assert running.queue.put_offs[0][1] == 1000 + 300
    assert running.results() == [(f"u{n}@b.example", AS_BEFORE) for n in (1, 2, 0)]
    assert all(settled.outcome is None for settled in running.queue.recorded)
    assert not running.runner.admits("b.example")
    assert running.runner.admits("c.example")
    assert len(running.target.jobs) == 1


def test_a_destination_that_stays_down_backs_off() -> None:
    """Looked at by one job at a time, at growing distances."""
    running = Running()
    running.target.outcomes["b.example"] = DOWN
    for _ in range(3):
        running.runner.begin([job("bob@b.example")])
        running.clock.advance(0)
        running.clock.rightNow = running.queue.put_offs[-1][1]

    until = [when for _, when, _ in running.queue.put_offs]

    assert until == [1300, 1900, 3100]


def test_the_primary_that_we_back_up_is_probed() -> None:
    """Never later than the probe interval (issue: mail flows within one when it returns)."""
    running = Running(backups=("b.example",))
    running.target.outcomes["b.example"] = DOWN

    running.runner.begin([job("bob@b.example")])

    assert running.queue.put_offs[0][1] == 1000 + 60


def test_a_destination_that_returns_is_trusted_again() -> None:
    """After one success its messages are claimed as ever."""
    running = Running()
    running.target.outcomes["b.example"] = DOWN
    running.runner.begin([job("bob@b.example")])
    assert not running.runner.admits("b.example")
    running.clock.rightNow = 1300
    running.target.holding = True
    running.queue.due = [job("bob@b.example")]
    running.clock.advance(POLL)
    running.clock.advance(POLL)
    assert running.queue.claims[-1][1]["b.example"] == 0

    del running.target.outcomes["b.example"]
    running.target.let_go()
    running.runner.begin([job("eve@b.example", message_id="m2")])

    assert running.runner.admits("b.example")
    running.clock.advance(POLL)
    assert running.queue.claims[-1][1]["b.example"] > 1


def test_one_outage_is_one_however_many_were_under_way() -> None:
    """Twenty that fail together put the destination off for one step of its back-off, not for twenty."""
    running = Running(Limits(destination_deliveries=20))
    running.prove("b.example")
    running.target.outcomes["b.example"] = DOWN
    running.target.holding = True
    for _ in range(40):
        running.runner._destinations.use("b.example", 1000).concurrency.succeeded()
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(8)])

    running.target.let_go(8)

    assert len(running.target.jobs) == 8
    assert {until for _, until, _ in running.queue.put_offs} == {1000 + 300}


def test_a_primary_that_returns_gets_all_its_mail() -> None:
    """Also what waits for a time of its own; a destination that we are no backup of is left to its times."""
    for backups in ((), ("b.example",)):
        running = Running(backups=backups)
        running.target.outcomes["b.example"] = DOWN
        running.runner.begin([job("bob@b.example")])
        running.target.outcomes.clear()
        running.clock.advance(70)
        running.runner.begin([job("bob@b.example")])
        running.runner.begin([job("eve@b.example", message_id="m2")])

        assert running.queue.flushed == list(backups)


def test_a_primary_that_returns_after_our_restart_gets_all_its_mail() -> None:
    """What the queue knows of the destination comes with the job; once is enough."""
    running = Running(backups=("b.example",))
    probe = job("bob@b.example")
    probe = replace(probe, recipients=(replace(probe.recipients[0], last=DOWN),))

    running.runner.begin([probe])
    running.runner.begin([probe])

    assert running.queue.flushed == ["b.example"]


def test_one_that_was_down_is_probed_by_one_job() -> None:
    """When the queue gives one: it knows until when the destination is put off, and whether that was lifted."""
    running = Running()
    running.target.outcomes["b.example"] = DOWN
    running.runner.begin([job("bob@b.example")])

    running.target.holding = True
    running.queue.due = [job("bob@b.example"), job("eve@b.example", message_id="m2")]
    running.clock.advance(POLL)
    assert len(running.target.held) == 1
    running.clock.advance(POLL)
    assert running.queue.claims[-1][1]["b.example"] == 0


def test_one_bad_connection_beside_good_ones() -> None:
    """Does not put the destination off: that message backs off, and fewer are sent at a time."""
    running = Running()
    running.target.holding = True
    running.target.outcomes["u0@b.example"] = DOWN
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(FIRST_DELIVERIES)])

    running.target.let_go()

    assert running.queue.put_offs == []
    assert running.results() == [("u0@b.example", 1300)]


def test_limits() -> None:
    """So many deliveries at a time, to one destination and in all."""
    running = Running(Limits(deliveries=8, destination_deliveries=3))
    running.prove("b.example", *(f"d{n}.example" for n in range(10)))
    running.target.holding = True
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(10)])
    assert len(running.target.held) == 3

    running.runner.begin([job(f"u@d{n}.example", message_id=f"n{n}") for n in range(10)])
    assert len(running.target.held) == 8

    running.target.let_go()
    assert len(running.target.held) == 8


def test_fairness() -> None:
    """A long row for one destination delays no other."""
    running = Running(Limits(deliveries=4, destination_deliveries=20))
    running.target.holding = True
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(100)])
    running.runner.begin([job("u@c.example", message_id="n")])

    running.target.let_go(2)

    assert "c.example" in [each.destination for each in running.target.jobs]


def test_new_mail_is_not_held_in_memory_without_end() -> None:
    """Past a number of jobs of one destination, and of the window, new mail waits in the queue."""
    running = Running(Limits(window=2 * AT_HAND))
    running.prove("b.example", "c.example")
    running.target.holding = True
    under_way = FIRST_DELIVERIES
    running.runner.begin([job("u@b.example", message_id=f"m{n}") for n in range(under_way + AT_HAND)])
    assert not running.runner.admits("b.example")
    assert running.runner.admits("c.example")

    running.runner.begin([job("u@c.example", message_id=f"n{n}") for n in range(AT_HAND - under_way)])
    assert not running.runner.admits("c.example")
    assert not running.runner.admits("d.example")


def test_what_was_admitted_counts_before_it_comes() -> None:
    """A message for a thousand destinations does not overshoot the window."""
    running = Running(Limits(window=20))

    assert sum(running.runner.admits(f"d{n}.example") for n in range(100)) == 15
    running.clock.advance(POLL)
    assert running.runner.admits("d.example")


def test_contents_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more is read again when its turn comes."""
    monkeypatch.setattr("mailsuite.queue.runner.CONTENT_OCTETS", 10)
    running = Running()

    for octets in (b"0123456789", b"0"):
        running.runner.begin([job("a@b.example", content=octets)])
    assert [each.content for each in running.target.jobs] == [b"0123456789", b"0"]

    running.target.holding = True
    running.runner.begin([job("a@b.example", content=b"0123456789"), job("c@b.example", content=b"0")])
    assert [each.content for each in running.target.jobs[2:]] == [b"0123456789", None]


def test_expired_mail_is_reported_as_failed() -> None:
    """RFC 3463 X.4.7, with what was said last, and without another try."""
    running = Running()
    waiting = job("bob@b.example", purpose="expire")
    (bob,) = waiting.recipients

    running.runner.begin([replace(waiting, recipients=(replace(bob, last=LATER),))])

    ((_, outcome),) = running.reports.told
    assert isinstance(outcome, Failed)
    assert outcome.status == GIVEN_UP
    assert "come back later" in outcome.reason
    assert running.target.jobs == []
    assert running.results() == [("bob@b.example", None)]


def test_bounced_by_the_administrator() -> None:
    """Reported and gone."""
    running = Running()

    running.runner.begin([job("bob@b.example", purpose="bounce")])

    assert running.reports.told == [("bob@b.example", BOUNCED)]
    assert running.results() == [("bob@b.example", None)]


def test_a_late_message_is_reported_once() -> None:
    """The time of the next try stays as it was."""
    running = Running()

    running.runner.begin([job("bob@b.example", purpose="warn")])

    ((_, outcome),) = running.reports.told
    assert isinstance(outcome, Deferred)
    (settled,) = running.queue.recorded
    assert settled.warned
    assert settled.next_try == AS_BEFORE


def test_a_warning_that_cannot_be_kept_comes_again() -> None:
    """And only then the sender counts as told; of a delay that comes up in a try nobody is told."""
    running = Running()
    running.reports.trouble = OSError("full")
    waiting = job("bob@b.example", purpose="warn")

    running.runner.begin([waiting])
    (settled,) = running.queue.recorded
    assert (settled.warned, settled.next_try, settled.outcome) == (False, 1000 + OWN_TROUBLE, None)

    running.reports.trouble = None
    running.runner.begin([waiting])
    assert running.queue.recorded[1].warned
    running.target.outcomes["bob@b.example"] = LATER
    running.runner.begin([replace(waiting, purpose="try")])
    assert len(running.reports.told) == 1


def test_more_is_claimed_when_it_runs_short() -> None:
    """A long row is worked off without waiting for the poll between."""
    running = Running(Limits(window=4))
    running.queue.due = [job("u@b.example", message_id=f"m{n}") for n in range(20)]

    running.clock.advance(POLL)

    assert len(running.target.jobs) == 20


def test_flush() -> None:
    """ETRN and the administrator: a destination that was put off is looked at now."""
    running = Running()
    running.target.outcomes["b.example"] = DOWN
    running.runner.begin([job("bob@b.example")])
    del running.target.outcomes["b.example"]
    running.queue.due = [job("bob@b.example")]

    count: list[int] = []
    Later.fromCoroutine(running.runner.flush("b.example")).addCallback(count.append)

    assert count == [1]
    assert running.queue.flushed == ["b.example"]
    assert running.results()[-1] == ("bob@b.example", None)


def test_stop_waits_for_what_is_under_way() -> None:
    """And begins nothing more."""
    running = Running(Limits(deliveries=1))
    running.target.holding = True
    running.runner.begin([job("bob@b.example"), job("eve@c.example", message_id="m2")])

    stopped: list[None] = []
    running.runner.stop().addCallback(stopped.append)
    assert len(stopped) == 0

    running.target.let_go()
    assert len(stopped) == 1
    assert running.results() == [("bob@b.example", None)]
    assert not running.runner.admits("d.example")
    assert not running.clock.getDelayedCalls()


def test_wants() -> None:
    """RFC 3461 §4.1: what NOTIFY asks for; without it failure and delay are told."""
    plain = job("bob@b.example").recipients[0]

    assert [plain.wants("SUCCESS"), plain.wants("FAILURE"), plain.wants("DELAY")] == [False, True, True]
    never = replace(plain, notify="NEVER")
    assert not (never.wants("SUCCESS") or never.wants("FAILURE") or never.wants("DELAY"))
    some = replace(plain, notify="SUCCESS,DELAY")
    assert [some.wants("SUCCESS"), some.wants("FAILURE"), some.wants("DELAY")] == [True, False, True]


def test_the_log_has_what_was_said() -> None:
    """One line for each recipient: result, status, the other end's words."""
    running = Running()
    running.target.outcomes["bob@b.example"] = LATER
    running.target.outcomes["eve@b.example"] = Delivered(Answer("mx.b.example", 250, "2.0.0", ("ok",), "TLSv1.3 x"))

    running.runner.begin([job("bob@b.example", "eve@b.example")])

    (bob, eve) = (fields for kind, fields in running.log.records if kind == "delivery")
    assert (bob["result"], bob["status"], bob["reply"]) == ("deferred", "4.2.0", "450 4.2.0 busy")
    assert (eve["result"], eve["host"], eve["tls"]) == ("delivered", "mx.b.example", "TLSv1.3 x")


def test_the_log_of_a_job_for_several_destinations() -> None:
    """Each line names the destination of its own recipient; that of our mailboxes is none."""
    running = Running()
    given_up = job("bob@b.example", "eve@c.example", "alice@example.org", purpose="expire")
    bob, eve, alice = given_up.recipients
    told = (bob, replace(eve, destination="c.example"), replace(alice, destination=LOCAL))

    running.runner.begin([replace(given_up, recipients=told)])

    vias = [(fields["to"], fields["via"]) for kind, fields in running.log.records if kind == "delivery"]
    assert vias == [("bob@b.example", "b.example"), ("eve@c.example", "c.example"), ("alice@example.org", None)]


def test_a_long_row_that_ends_at_once() -> None:
    """Thousands of jobs without a wait between them nest nowhere."""
    running = Running(Limits(window=5000))

    running.runner.begin([job("bob@b.example", message_id=f"m{n}", purpose="expire") for n in range(3000)])

    assert len(running.queue.recorded) == 3000


def test_hosts_that_say_nothing_do_not_take_all_there_is() -> None:
    """Of new ones three quarters, of what waits in the queue one half; the rest is for those that work."""
    running = Running(Limits(deliveries=16, window=40))
    running.prove("works.example")
    running.target.holding = True
    running.queue.due = [job(f"u@old{n}.example", message_id=f"o{n}") for n in range(100)]
    running.clock.advance(POLL)
    assert len(running.target.held) == 8
    assert running.runner._destinations.room(Standing.DOUBTFUL) == 0

    running.runner.begin([job(f"u@new{n}.example", message_id=f"n{n}") for n in range(10)])
    assert len(running.target.held) == 12

    assert running.runner.admits("works.example")
    running.queue.due = [job("w1@works.example", message_id="w1")]
    running.runner.begin([job("w0@works.example", message_id="w0")])
    running.clock.advance(POLL)
    assert [each.message.id for each in running.target.jobs[12:]] == ["w0", "w1"]
    assert "works.example" in running.queue.claims[-1][1]
    assert running.queue.claims[-1][2] == 0


def test_who_has_shown_nothing_yet_gets_little() -> None:
    """Two deliveries, and little new mail in memory, until one of them comes to a verdict."""
    running = Running()
    running.target.holding = True
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(2 + UNPROVEN_AT_HAND)])
    assert len(running.target.held) == UNPROVEN_DELIVERIES
    assert not running.runner.admits("b.example")

    running.target.let_go()

    assert len(running.target.held) == FIRST_DELIVERIES
    assert running.runner.admits("b.example")


def test_new_mail_and_old_mail_have_turns() -> None:
    """A steady stream of new mail for a destination does not keep back what waits for it in the queue."""
    running = Running(Limits(destination_deliveries=1))
    running.target.holding = True
    running.runner.begin([job("u@b.example", message_id=f"new{n}") for n in range(50)])
    running.queue.due = [job("u@b.example", message_id="old")]

    running.clock.advance(POLL)
    running.target.let_go()
    running.target.let_go()

    assert "old" in [each.message.id for each in running.target.jobs]


def test_reports_have_a_lane_of_their_own() -> None:
    """A backlog that has to be reported neither takes the window nor the deliveries, nor is done all at once."""
    running = Running(Limits(window=10))
    running.target.holding = True
    running.reports.waiting = Later()
    running.queue.due = [
        job("u@dead.example", message_id=f"m{n}", purpose="warn") for n in range(2 * REPORTS_AT_HAND)
    ]

    running.clock.advance(POLL)

    assert len(running.reports.begun) == REPORTS_AT_ONCE
    assert running.queue.reports_wanted[-1] == REPORTS_AT_HAND
    assert running.runner.admits("b.example")
    running.runner.begin([job("bob@b.example", message_id="n")])
    assert len(running.target.held) == 1
    running.clock.advance(POLL)
    assert running.queue.reports_wanted[-1] == 0


def test_a_queue_that_cannot_be_written_stops_the_deliveries() -> None:
    """What is begun then would be done once more; when it can be written again all goes on, told once."""
    running = Running(Limits(destination_deliveries=1))
    running.target.holding = True
    running.runner.begin([job("u@b.example", message_id=f"m{n}") for n in range(3)])
    running.queue.broken = OSError("read-only")

    with capturedLogs() as told:
        running.target.let_go()
        for _ in range(5):
            running.clock.advance(POLL)
        # (One more had begun before the first could not be recorded.)
        running.target.let_go()
        running.clock.advance(POLL)
        assert len(running.target.jobs) == 2
        assert not running.runner.admits("c.example")
        running.queue.broken = None
        running.clock.advance(POLL)

    assert len(running.target.jobs) == 3
    assert running.runner.admits("c.example")
    assert len(told) == 2


@pytest.mark.parametrize("part", ["put_off", "route"])
def test_a_trouble_of_ours_does_not_keep_a_job_claimed(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a destination that is down cannot be put off, or not be looked up: all is given back, and goes on."""
    running = Running(Limits(destination_deliveries=1))
    running.target.outcomes["b.example"] = DOWN

    async def fails(*arguments: object) -> None:
        raise OSError("busy")

    def raises(*arguments: object) -> None:
        raise sqlite3.OperationalError("locked")

    if part == "put_off":
        monkeypatch.setattr(running.queue, "put_off", fails)
    else:
        monkeypatch.setattr(running.router, "route", raises)
    running.target.holding = True
    running.runner.begin([job(f"u{n}@b.example", message_id=f"m{n}") for n in range(3)])
    running.target.let_go()
    running.clock.advance(POLL)

    assert sorted(running.results()) == [(f"u{n}@b.example", AS_BEFORE) for n in range(3)]


def test_what_our_stop_cuts_off_was_not_tried() -> None:
    """No destination is put off for it, and no try is counted; what the other end has said holds."""
    running = Running()
    running.target.holding = True
    running.target.outcomes |= {"u0@b.example": DOWN, "u1@b.example": LATER}
    running.runner.begin([job("u0@b.example"), job("u1@b.example", message_id="m2")])

    running.runner.stop()
    running.target.let_go(2)

    assert running.queue.put_offs == []
    assert running.results() == [("u0@b.example", AS_BEFORE), ("u1@b.example", 1300)]
    assert [each.outcome for each in running.queue.recorded] == [None, LATER]


def test_what_is_held_is_let_go_of() -> None:
    """What waits here when an operator holds its destination, or the queue, goes back untried."""
    running = Running(Limits(destination_deliveries=1))
    running.target.holding = True
    running.runner.begin([job(f"u{n}@{d}.example", message_id=f"{d}{n}") for d in "bc" for n in range(2)])

    running.queue.holds = Held(destinations=frozenset({"b.example"}))
    running.clock.advance(POLL)
    assert running.results() == [("u1@b.example", AS_BEFORE)]

    running.queue.holds = Held(queue=True)
    running.clock.advance(POLL)
    assert running.results()[1:] == [("u1@c.example", AS_BEFORE)]
    assert len(running.target.jobs) == 2


def test_a_refusal_that_cannot_be_reported_is_not_asked_for_again() -> None:
    """It is kept as given up, and only the report is made again."""
    running = Running()
    running.target.outcomes["bob@b.example"] = NEVER
    running.reports.trouble = OSError("full")
    running.runner.begin([job("bob@b.example")])
    (settled,) = running.queue.recorded
    assert (settled.next_try, settled.outcome) == (1000 + OWN_TROUBLE, NEVER)

    running.reports.trouble = None
    waiting = job("bob@b.example", purpose="bounce")
    running.queue.due = [replace(waiting, recipients=(replace(waiting.recipients[0], last=NEVER),))]
    running.clock.advance(POLL)

    assert len(running.target.jobs) == 1
    assert running.reports.told == [("bob@b.example", NEVER)]


def test_our_own_disk_is_looked_at_every_minute() -> None:
    """Local mail is not put off for hours since there was no room for some of it."""
    running = Running()
    running.target.outcomes[LOCAL] = DOWN
    waiting = job("bob@b.example")
    local = replace(waiting, recipients=(replace(waiting.recipients[0], destination=LOCAL),))

    running.runner.begin([local])

    assert running.queue.put_offs[0][1] == 1000 + OWN_TROUBLE


def test_what_is_known_of_destinations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last used are remembered, for a time, and only those with work are told of in a claim."""
    monkeypatch.setattr(destinations, "KNOWN", 10)
    running = Running()
    running.prove(*(f"d{n}.example" for n in range(30)))
    running.target.holding = True
    running.runner.begin([job("bob@d29.example")])

    running.clock.advance(POLL)
    assert list(running.queue.claims[-1][1]) == ["d29.example"]
    assert running.runner._destinations.get("d19.example") is None
    assert running.runner._destinations.get("d20.example") is not None
    running.clock.advance(destinations.REMEMBERED)
    running.clock.advance(POLL)
    assert running.runner._destinations.get("d28.example") is None
    assert running.runner._destinations.get("d29.example") is not None


class TestAsked:
    """What senders ask of a message's way."""

    def asking(self, message_id: str, **asked: Any) -> Job:
        """Return a job of which this is asked."""
        made = job("bob@b.example", message_id=message_id)
        return replace(made, message=replace(made.message, asked=Asked(**asked)))

    def test_the_highest_priority_is_first(self) -> None:
        """Of what is at hand for a destination, one turn in four apart (RFC 6710 §5.1)."""
        running = Running(Limits(deliveries=1))
        running.target.holding = True
        priorities = {"a": 0, "b": 0, "c": -4, "d": 4, "e": 9, "f": 4}
        running.runner.begin([self.asking(name, priority=priority) for name, priority in priorities.items()])
        for _ in priorities:
            running.target.let_go()

        assert [each.message.id for each in running.target.jobs] == ["e", "d", "f", "c", "a", "b"]

    def test_what_is_too_late_is_not_tried(self) -> None:
        """RFC 2852 §4.1.3: also where its time was over while it waited for its turn here."""
        running = Running()
        late, early = (self.asking(name, by=by, by_mode="R") for name, by in (("late", 1000.0), ("early", 1001.0)))
        running.runner.begin([late, early])

        assert [each.message.id for each in running.target.jobs] == ["early"]
        ((_, failed), (_, delivered)) = running.reports.told
        assert isinstance(failed, Failed)
        assert (failed.status, delivered) == (GIVEN_UP, DELIVERED)
        assert "by the time that its sender has set" in failed.reason
        assert running.results() == [("bob@b.example", None), ("bob@b.example", None)]

    @pytest.mark.parametrize(("by", "status"), [(1000.0, "4.4.7"), (1001.0, "4.2.0")])
    def test_a_delay_beyond_the_time(self, by: float, status: str) -> None:
        """RFC 2852 §4.1.3: it has a status of its own; before it, a delay is one like others."""
        running = Running()
        late = replace(self.asking("late", by=by, by_mode="N"), purpose="warn")
        late = replace(late, recipients=tuple(replace(each, last=LATER) for each in late.recipients))
        running.runner.begin([late])

        ((_, told), *_) = running.reports.told
        assert isinstance(told, Deferred)
        assert told.status == status
