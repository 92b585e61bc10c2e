"""What a claim gives: fair between destinations, one probe where there was trouble, and what has to be reported."""

from collections.abc import Sequence

import pytest

from mailsuite.outcome import DELIVERED, Answer, Deferred, Failed, Outcome
from mailsuite.queue.admin import Administration
from mailsuite.queue.entries import Selection
from mailsuite.queue.store import SqliteQueue
from mailsuite.queued import AS_BEFORE, Job, Settled
from tests.queue.queues import LIFETIME, NOW, WARNING, Queues, names, to

DOWN = Deferred("4.4.1", "no connection", whole=True)


@pytest.fixture
def queue(queues: Queues) -> SqliteQueue:
    """One queue."""
    return queues.open()


def fill(queues: Queues, queue: SqliteQueue, **counts: int) -> None:
    """Accept so many messages for each destination, ``b_example=3``."""
    for name, count in counts.items():
        for index in range(count):
            queues.accept(queue, f"r{index}@{name.replace('_', '.')}")


def destinations(jobs: Sequence[Job]) -> list[str]:
    """The destination of each job."""
    return [job.destination for job in jobs]


class TestFairness:
    """A backlog for one destination delays no other."""

    def test_destinations_have_their_turn(self, queues: Queues, queue: SqliteQueue) -> None:
        """One job of each, then a second one of each that has more."""
        fill(queues, queue, b_example=5, d_example=2, e_example=1)

        assert destinations(queues.claim(queue, room=6)) == [
            "b.example", "d.example", "e.example", "b.example", "d.example", "b.example",
        ]  # fmt: skip

    def test_who_had_its_turn_is_behind_who_had_not(self, queues: Queues, queue: SqliteQueue) -> None:
        """Also from claim to claim, however old the backlog."""
        fill(queues, queue, b_example=9)
        queues.now += 1000
        fill(queues, queue, d_example=9)
        got = []
        for _ in range(6):
            queues.now += 1
            got += destinations(queues.claim(queue, room=1))

        assert got == ["b.example", "d.example"] * 3

    def test_the_oldest_comes_first(self, queues: Queues, queue: SqliteQueue) -> None:
        """Within a destination, what is due the longest time."""
        for _ in range(3):
            queues.now += 10
            queues.accept(queue, f"r{queues.now:.0f}@b.example")
        jobs = queues.claim(queue, room=2)

        assert names(jobs) == [f"r{NOW + 10:.0f}@b.example", f"r{NOW + 20:.0f}@b.example"]

    def test_the_allowance_is_kept(self, queues: Queues, queue: SqliteQueue) -> None:
        """For those that are named, and for the others."""
        fill(queues, queue, b_example=5, d_example=5, e_example=5)
        jobs = queues.claim(queue, default=2, b_example=0, d_example=3)

        assert sorted(destinations(jobs)) == ["d.example"] * 3 + ["e.example"] * 2

    def test_without_a_default_only_those_that_are_named(self, queues: Queues, queue: SqliteQueue) -> None:
        """Nothing of the others is looked at."""
        fill(queues, queue, b_example=5, d_example=5)

        assert destinations(queues.claim(queue, default=0, b_example=0, d_example=1)) == ["d.example"]

    @pytest.mark.parametrize("room", [0, -1])
    def test_no_room(self, queues: Queues, queue: SqliteQueue, room: int) -> None:
        """Nothing is claimed."""
        fill(queues, queue, b_example=1)

        assert queues.claim(queue, room=room) == []

    def test_a_clock_that_is_set_back_holds_nothing_up(self, queues: Queues, queue: SqliteQueue) -> None:
        """New mail for a destination that had its turn in the future is due now."""
        fill(queues, queue, b_example=1)
        queues.done(queue, *queues.claim(queue))
        queues.now -= 100_000
        fill(queues, queue, b_example=1)

        assert len(queues.claim(queue)) == 1


class TestClock:
    """A clock that is set back, by a day, delays what was put off no longer than anything is put off."""

    def test_what_waits_for_its_own_time(self, queues: Queues) -> None:
        """It is due now, all of it; what is not too far ahead keeps its time."""
        queue = queues.open(longest_wait=7200.0)
        jobs = queues.accept(queue, *(f"r{index}@b.example" for index in range(150)), claim=True)
        late = Deferred("4.2.0", "x")
        queues.record(queue, *(Settled(each, queues.now + 100, late) for job in jobs for each in job.recipients))
        queues.now -= 3600
        assert queues.claim(queue) == []
        queues.now -= 86_400 - 3600

        assert len(names([*queues.claim(queue), *queues.claim(queue)])) == 150

    def test_a_destination_that_is_down(self, queues: Queues) -> None:
        """One message finds out whether it works again, also one that has come since."""
        queue = queues.open(longest_wait=7200.0)
        fill(queues, queue, b_example=1, d_example=1)
        queues.done(queue, *queues.claim(queue))
        queues.wait(queue.put_off("b.example", queues.now + 7200, DOWN))
        queues.now -= 86_400
        fill(queues, queue, b_example=2)

        assert names(queues.claim(queue)) == ["r0@b.example"]

    def test_what_is_put_off_keeps_its_time(self, queues: Queues) -> None:
        """The longest wait, made longer by chance, is no sign of a clock."""
        queue = queues.open(longest_wait=7200.0)
        fill(queues, queue, b_example=1)
        queues.wait(queue.put_off("b.example", queues.now + 7200 * 1.1, DOWN))

        assert queues.claim(queue) == []


class TestGrouping:
    """Recipients of one message that go the same way go together."""

    @pytest.mark.parametrize(("most", "sizes"), [(3, [3]), (2, [2, 1])])
    def test_up_to_the_limit(self, queues: Queues, most: int, sizes: list[int]) -> None:
        """A job has at most so many recipients, claimed now or at once."""
        queue = queues.open(job_recipients=most)
        whom = [f"r{index}@b.example" for index in range(3)]
        at_once = queues.accept(queue, *whom, claim=True)
        queues.accept(queue, *whom)
        later = queues.claim(queue)

        assert [len(job.recipients) for job in at_once] == sizes
        assert [len(job.recipients) for job in later] == sizes
        assert names(at_once) == names(later) == whom

    def test_only_those_that_are_due(self, queues: Queues, queue: SqliteQueue) -> None:
        """One that was deferred waits for its own time."""
        queues.accept(queue, "bob@b.example", "eve@b.example")
        (job,) = queues.claim(queue)
        bob, eve = job.recipients
        queues.record(queue, Settled(bob, NOW + 10, Deferred("4.2.0", "x")), Settled(eve, NOW, Deferred("4.2.0", "x")))

        assert names(queues.claim(queue)) == ["eve@b.example"]


class TestTrouble:
    """A destination that is down is looked at by one job."""

    def down(self, queues: Queues, queue: SqliteQueue, count: int = 3) -> None:
        """Let *count* messages wait for b.example, which is put off for 100 seconds."""
        fill(queues, queue, b_example=count)
        queues.wait(queue.put_off("b.example", queues.now + 100, DOWN))

    def probe(self, queues: Queues, queue: SqliteQueue) -> Job:
        """Let the time of the put-off pass, and return the one job that comes."""
        assert queues.claim(queue) == []
        queues.now += 100
        (job,) = queues.claim(queue)
        assert queues.claim(queue) == []
        return job

    def test_nothing_before_its_time_and_then_one(self, queues: Queues, queue: SqliteQueue) -> None:
        """While it is under way nothing else is claimed, by other processes neither."""
        self.down(queues, queue)
        self.probe(queues, queue)
        other = queues.open()

        assert queues.claim(other) == []

    @pytest.mark.parametrize("verdict", [DELIVERED, Failed("5.1.1", "no such user"), Deferred("4.2.2", "full")])
    def test_a_verdict_lets_all_go(self, queues: Queues, queue: SqliteQueue, verdict: Outcome) -> None:
        """Whatever it says of one recipient, the destination works: the rest is due at its own time, which is now."""
        self.down(queues, queue)
        probe = self.probe(queues, queue)
        next_try = None if not isinstance(verdict, Deferred) else queues.now + 1000
        queues.record(queue, Settled(probe.recipients[0], next_try, verdict))

        assert len(queues.claim(queue)) == 2

    def test_the_same_trouble_again(self, queues: Queues, queue: SqliteQueue) -> None:
        """The destination waits again, and again one job comes first."""
        self.down(queues, queue)
        probe = self.probe(queues, queue)
        queues.wait(queue.put_off("b.example", queues.now + 100, DOWN))
        queues.record(queue, Settled(probe.recipients[0], AS_BEFORE))

        self.probe(queues, queue)

    @pytest.mark.parametrize("outcome", [None, DOWN])
    def test_what_is_no_verdict_lets_one_more_try(
        self, queues: Queues, queue: SqliteQueue, outcome: Outcome | None
    ) -> None:
        """It is not known yet whether it works."""
        self.down(queues, queue)
        probe = self.probe(queues, queue)
        queues.record(queue, Settled(probe.recipients[0], queues.now + 1000, outcome))

        assert len(queues.claim(queue)) == 1

    def test_new_mail_waits_too(self, queues: Queues, queue: SqliteQueue) -> None:
        """It is not claimed past what waits already, also where nobody remembers the trouble but the file."""
        self.down(queues, queue)
        other = queues.open()

        assert queues.accept(other, "new@b.example", claim=True) == []
        assert queues.claim(other) == []

    def test_the_trouble_is_told_where_there_is_no_other_outcome(self, queues: Queues, queue: SqliteQueue) -> None:
        """A sender who is told of the delay hears why."""
        trouble = Deferred("4.4.1", "no connection", Answer("mx.b.example"), whole=True)
        fill(queues, queue, b_example=1)
        queues.wait(queue.put_off("b.example", queues.now + 10 * LIFETIME, trouble))
        queues.now += WARNING
        (job,) = queues.claim(queue)

        assert (job.purpose, job.recipients[0].last) == ("warn", trouble)

    def test_it_is_forgotten_when_nothing_is_left(self, queues: Queues, queue: SqliteQueue) -> None:
        """Flushed, everything is due, and there is no probe."""
        self.down(queues, queue)

        assert queues.wait(queue.flush("b.example")) == 3
        assert len(queues.claim(queue)) == 3


class TestFlush:
    """All that waits for a destination, due now."""

    @pytest.mark.parametrize("by_command", [False, True])
    def test_while_one_finds_out_whether_it_works(
        self, queues: Queues, queue: SqliteQueue, by_command: bool
    ) -> None:
        """That one may hang: nothing waits for it any more."""
        fill(queues, queue, b_example=3)
        queues.wait(queue.put_off("b.example", queues.now + 100, DOWN))
        queues.now += 100
        (probe,) = queues.claim(queue)
        assert queues.claim(queue) == []
        if by_command:
            with Administration.open(str(queues.path), lambda: queues.now) as admin:
                admin.retry(Selection(id="m3"))
        else:
            queues.wait(queue.flush("b.example"))
        assert len(queues.claim(queue)) == 2
        queues.done(queue, probe)

        assert queues.ask("SELECT count(*) FROM recipients") == [(2,)]

    def test_what_waits_for_its_own_time_too(self, queues: Queues, queue: SqliteQueue) -> None:
        """More than one piece of it; other destinations are left alone; what is claimed is not counted."""
        whom = [f"r{index}@b.example" for index in range(1001)]
        jobs = queues.accept(queue, *whom, "eve@d.example", claim=True)
        late = [Settled(each, NOW + 5000, Deferred("4.2.0", "x")) for job in jobs for each in job.recipients]
        queues.record(queue, *late)
        fill(queues, queue, b_example=1)

        assert queues.wait(queue.flush("b.example")) == 1002
        assert sum(len(job.recipients) for job in queues.claim(queue)) == 1002
        assert queues.wait(queue.flush("b.example")) == 0

    def test_nothing_waits(self, queues: Queues, queue: SqliteQueue) -> None:
        """A destination that nobody knows."""
        assert queues.wait(queue.flush("b.example")) == 0


class TestReports:
    """What has to be told to senders comes whatever its destination's state."""

    def test_a_late_one_is_warned_of_once(self, queues: Queues, queue: SqliteQueue) -> None:
        """At its time, though its destination is down; its own next try does not move."""
        fill(queues, queue, b_example=1)
        queues.wait(queue.put_off("b.example", NOW + WARNING + 100, DOWN))
        queues.now += WARNING - 1
        assert queues.claim(queue) == []
        queues.now += 1
        (job,) = queues.claim(queue)
        assert (job.purpose, job.recipients[0].warned) == ("warn", False)
        queues.record(queue, Settled(job.recipients[0], AS_BEFORE, warned=True))
        assert queues.claim(queue) == []
        queues.now += 100
        (job,) = queues.claim(queue)

        assert (job.purpose, job.recipients[0].warned, job.recipients[0].tries) == ("try", True, 0)

    @pytest.mark.parametrize(
        ("sender", "notify", "warning"),
        [(None, "", WARNING), ("a", "NEVER", WARNING), ("a", "FAILURE", WARNING), ("a", "DELAY", 0.0)],
    )
    def test_who_does_not_want_to_know(
        self, queues: Queues, sender: str | None, notify: str, warning: float
    ) -> None:
        """RFC 3461 §4.1: NOTIFY without DELAY; a report has no one to tell; and warnings can be off."""
        queue = queues.open(delay_warning=warning)
        fields = {} if sender else {"sender": None}
        queues.accept(queue, to("bob@b.example", notify=notify), **fields)  # type: ignore[arg-type]
        queues.wait(queue.put_off("b.example", NOW + 2 * LIFETIME, DOWN))
        queues.now += LIFETIME - 1

        assert queues.claim(queue) == []

    def test_an_expired_one_is_given_up_and_not_tried(self, queues: Queues, queue: SqliteQueue) -> None:
        """RFC 5321 §4.5.4.1: in its time or never; also where more of them are due than reports have room."""
        whom = [f"r{index}@b.example" for index in range(3)]
        for address in whom:
            queues.accept(queue, address)
        queues.now += LIFETIME
        jobs = queues.claim(queue, room=3)

        assert [job.purpose for job in jobs] == ["expire"] * 3
        assert sorted(names(jobs)) == whom

    def test_an_expired_one_says_nothing_about_its_destination(self, queues: Queues, queue: SqliteQueue) -> None:
        """A report is no sign that a destination works."""
        fill(queues, queue, b_example=2)
        queues.wait(queue.put_off("b.example", NOW + 2 * LIFETIME, DOWN))
        queues.now += LIFETIME
        first, _ = queues.claim(queue)
        queues.record(queue, Settled(first.recipients[0], None, Failed("5.4.7", "expired")))
        queues.accept(queue, "new@b.example")

        assert queues.claim(queue) == []

    @pytest.mark.parametrize("purpose", ["expire", "bounce", "warn"])
    def test_a_report_that_could_not_be_made_comes_again(
        self, queues: Queues, queue: SqliteQueue, purpose: str
    ) -> None:
        """At the time that was recorded, and not before: a full disk makes no busy loop."""
        fill(queues, queue, b_example=1)
        queues.wait(queue.put_off("b.example", NOW + 2 * LIFETIME, DOWN))
        if purpose == "bounce":
            with Administration.open(str(queues.path), lambda: queues.now) as admin:
                admin.bounce(Selection(id="m1"))
        queues.now += {"expire": LIFETIME, "bounce": 0, "warn": WARNING}[purpose]
        (job,) = queues.claim(queue)
        assert job.purpose == purpose
        queues.record(queue, Settled(job.recipients[0], queues.now + 60))
        queues.now += 59
        assert queues.claim(queue) == []
        queues.now += 1
        (job,) = queues.claim(queue)

        assert job.purpose == purpose

    def test_an_expired_one_whose_report_failed_is_not_tried(self, queues: Queues, queue: SqliteQueue) -> None:
        """Though its destination works."""
        fill(queues, queue, b_example=1)
        queues.now += LIFETIME
        (job,) = queues.claim(queue)
        queues.record(queue, Settled(job.recipients[0], queues.now + 60))
        assert queues.claim(queue) == []
        queues.now += 60
        (job,) = queues.claim(queue)

        assert job.purpose == "expire"

    def test_reports_leave_room_for_mail(self, queues: Queues, queue: SqliteQueue) -> None:
        """They have a number of their own, so that a wave of expiries stops nothing."""
        fill(queues, queue, b_example=9)
        queues.now += LIFETIME
        queues.wait(queue.put_off("b.example", queues.now + 100, DOWN))
        fill(queues, queue, d_example=9)

        assert [job.purpose for job in queues.claim(queue, room=5, reports=3)] == ["expire"] * 3 + ["try"] * 5

    @pytest.mark.parametrize("purpose", ["expire", "bounce", "warn"])
    def test_one_report_for_all_destinations(self, queues: Queues, queue: SqliteQueue, purpose: str) -> None:
        """A sender hears once of a message; of each recipient with what is the matter with its own destination."""
        queues.accept(queue, "bob@b.example", "dan@d.example", "eve@e.example")
        queues.accept(queue, "bob@b.example")
        for name in "bd":
            trouble = Deferred("4.4.1", f"{name} is down", whole=True)
            queues.wait(queue.put_off(f"{name}.example", NOW + 2 * LIFETIME, trouble))
        if purpose == "bounce":
            with Administration.open(str(queues.path), lambda: queues.now) as admin:
                admin.bounce(Selection())
        queues.now += {"expire": LIFETIME, "bounce": 0, "warn": WARNING}[purpose]
        jobs = queues.claim(queue, room=0)

        assert [names([job]) for job in jobs] == [
            ["bob@b.example", "dan@d.example", "eve@e.example"], ["bob@b.example"],
        ]  # fmt: skip
        assert {job.purpose for job in jobs} == {purpose}
        reasons = [getattr(each.last, "reason", None) for each in jobs[0].recipients]
        assert reasons == ([None] * 3 if purpose == "bounce" else ["b is down", "d is down", None])
        queues.done(queue, *jobs)

        assert queues.ask("SELECT count(*) FROM messages") == [(0,)]

    def test_recipients_of_a_report_come_together(self, queues: Queues) -> None:
        """Up to the limit of a job."""
        queue = queues.open(job_recipients=2)
        queues.accept(queue, "r0@b.example", "r1@b.example", "r2@b.example")
        queues.wait(queue.put_off("b.example", NOW + 2 * LIFETIME, DOWN))
        queues.now += LIFETIME

        assert [len(job.recipients) for job in queues.claim(queue)] == [2]
        assert [len(job.recipients) for job in queues.claim(queue)] == [1]


class TestHolds:
    """What an operator holds is neither claimed nor reported."""

    def test_a_held_recipient(self, queues: Queues, queue: SqliteQueue) -> None:
        """It grows older than its lifetime, and nothing happens."""
        fill(queues, queue, b_example=1)
        with Administration.open(str(queues.path), lambda: queues.now) as admin:
            admin.hold(Selection(id="m1"))
        queues.now += 2 * LIFETIME

        assert queues.claim(queue) == []

    def test_a_held_destination(self, queues: Queues, queue: SqliteQueue) -> None:
        """Nothing for it is tried, new mail neither; it is given up in its time."""
        fill(queues, queue, b_example=1, d_example=1)
        with Administration.open(str(queues.path)) as admin:
            admin.hold_destination("b.example", True)
        assert queues.accept(queue, "new@b.example", claim=True) == []
        assert destinations(queues.claim(queue)) == ["d.example"]
        with Administration.open(str(queues.path)) as admin:
            admin.hold_destination("b.example", False)
        assert destinations(queues.claim(queue)) == ["b.example"] * 2

    def test_the_whole_queue(self, queues: Queues, queue: SqliteQueue) -> None:
        """Nothing is claimed, for whatever; what comes is accepted and waits."""
        fill(queues, queue, b_example=1)
        with Administration.open(str(queues.path)) as admin:
            admin.hold_queue(True)
            admin.hold_queue(True)
        assert queues.accept(queue, "new@d.example", claim=True) == []
        queues.now += LIFETIME
        assert queues.claim(queue) == []
        with Administration.open(str(queues.path)) as admin:
            admin.hold_queue(False)
        assert len(queues.claim(queue)) == 2


def test_what_failed_and_could_not_be_reported_is_only_reported(queues: Queues) -> None:
    """With what the other end has said, whatever became of its destination since."""
    queue = queues.open()
    queues.accept(queue, "bob@b.example", "eve@b.example")
    (waiting,) = queues.claim(queue)
    failed = Failed("5.1.1", "no such user", Answer("mx.b.example", 550, "5.1.1", ("unknown",)))
    bob, eve = waiting.recipients
    queues.record(queue, Settled(bob, queues.now + 60, failed), Settled(eve, queues.now + 60, failed))
    queues.wait(queue.put_off("b.example", queues.now + 5000, Deferred("4.4.1", "down", whole=True)))
    assert queues.claim(queue) == []

    queues.now += 60
    (told,) = queues.claim(queue)

    assert told.purpose == "bounce"
    assert [recipient.last for recipient in told.recipients] == [failed, failed]
    queues.done(queue, told)
    assert queues.ask("SELECT count(*) FROM messages") == [(0,)]
