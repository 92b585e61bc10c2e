"""What senders ask of a message's way (RFC 2852, RFC 4865, RFC 6710, RFC 8689), in the queue."""

from dataclasses import replace

import pytest

from mailsuite.asked import NOTHING_ASKED, Asked
from mailsuite.outcome import DELIVERED, Deferred
from mailsuite.queue import due
from mailsuite.queue.admin import Administration
from mailsuite.queue.entries import Selection
from mailsuite.queue.schedule import FAIR
from mailsuite.queued import AS_BEFORE, Settled
from tests.queue.queues import LIFETIME, NOW, WARNING, Queues, names, to

DAY = 86_400.0


class TestKept:
    """It comes back as it was."""

    @pytest.mark.parametrize(
        "asked",
        [
            NOTHING_ASKED,
            Asked(require_tls=True),
            Asked(tls_optional=True, priority=-9, by=NOW + 7, by_mode="N", traced=True),
            Asked(by=NOW + 99, by_mode="R", release=NOW - 5, hold="for;10", holder="alice@b.example"),
        ],
    )
    def test_it_is_told_with_the_job(self, queues: Queues, asked: Asked) -> None:
        """At once and when it is claimed later."""
        queue = queues.open()
        (at_once,) = queues.accept(queue, "bob@b.example", claim=True, asked=asked, smtputf8=True)
        queues.accept(queue, "dan@d.example", asked=asked)
        (later,) = queues.claim(queue)

        assert (at_once.message.asked, at_once.message.smtputf8) == (asked, True)
        assert (later.message.asked, later.message.smtputf8) == (asked, False)

    def test_nothing_asked_takes_no_place(self, queues: Queues) -> None:
        """As of nearly every message."""
        queues.accept(queues.open(), "bob@b.example")

        assert queues.ask("SELECT asked, smtputf8 FROM messages") == [(None, 0)]

    def test_what_cannot_be_read_is_not_taken_for_nothing(self, queues: Queues) -> None:
        """A message that must not go without TLS does not go since its row is damaged; others do."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", asked=Asked(require_tls=True))
        queues.accept(queue, "dan@d.example")
        with queues.sql() as connection:
            connection.execute("""UPDATE messages SET asked = '{"nonsense": 1}' WHERE number = 1""")

        assert names(queues.claim(queue)) == ["dan@d.example"]


class TestPriority:
    """The higher one first (RFC 6710 §5.1), and none never."""

    def order(self, queues: Queues, *priorities: int, count: int) -> list[int]:
        """Accept one message for each of *priorities*; return those of the first *count* claims."""
        queue = queues.open()
        for priority in priorities:
            queues.accept(queue, "bob@b.example", asked=Asked(priority=priority))
            queues.now += 1
        return [job.message.asked.priority for job in queues.claim(queue, room=count, default=count)]

    def test_the_highest_is_first(self, queues: Queues) -> None:
        """Whatever came before."""
        assert self.order(queues, -4, 0, 4, 9, count=3) == [9, 4, 0]

    def test_the_lowest_wait_for_all_others(self, queues: Queues) -> None:
        """Each of its nineteen levels counts."""
        assert self.order(queues, -9, -1, 0, count=3) == [0, -1, -9]

    def test_none_waits_for_ever(self, queues: Queues) -> None:
        """One turn in so many is the oldest one's."""
        assert self.order(queues, -4, *[9] * FAIR, count=FAIR) == [*[9] * (FAIR - 1), -4]

    def test_what_is_not_due_bars_nobodys_way(self, queues: Queues) -> None:
        """However high it is; and it is found when its time has come."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", asked=Asked(priority=9))
        (job,) = queues.claim(queue)
        queues.record(queue, Settled(job.recipients[0], NOW + 100, Deferred("4.2.0", "later")))
        queues.accept(queue, "eve@b.example")
        assert names(queues.claim(queue)) == ["eve@b.example"]
        assert queues.claim(queue) == []
        queues.now += 100

        assert names(queues.claim(queue)) == ["bob@b.example"]

    def test_all_of_a_destination_is_flushed(self, queues: Queues) -> None:
        """Every priority is due then, and counted."""
        queue = queues.open()
        for priority in (0, 4, -4):
            queues.accept(queue, "bob@b.example", asked=Asked(priority=priority))
        for job in queues.claim(queue):
            queues.record(queue, Settled(job.recipients[0], NOW + 100, Deferred("4.2.0", "later")))

        assert queues.wait(queue.flush("b.example")) == 3
        assert len(queues.claim(queue)) == 3

    def test_a_clock_that_was_set_back(self, queues: Queues) -> None:
        """What is due too late is brought back, of any priority."""
        queue = queues.open(longest_wait=3600.0)
        for priority in (0, 4):
            queues.accept(queue, "bob@b.example", asked=Asked(priority=priority))
        queues.now -= DAY

        assert len(queues.claim(queue)) == 2


class TestScheduled:
    """What its sender wants to go later waits until then, and not a moment less (RFC 4865 §4.2)."""

    HOUR = 3600.0

    def asked(self, queues: Queues, wait: float = HOUR) -> Asked:
        """For so many seconds from now."""
        return Asked(release=queues.now + wait, hold=f"for;{wait:.0f}")

    def test_it_is_not_claimed_before(self, queues: Queues) -> None:
        """Not at once, not by a claim, not by ETRN, not after a restart."""
        queue = queues.open()
        assert queues.accept(queue, "bob@b.example", claim=True, asked=self.asked(queues)) == []
        queues.now += self.HOUR - 1
        assert queues.wait(queue.flush("b.example")) == 0
        assert queues.claim(queue) == []
        queue.stop()
        queue = queues.open()
        assert queues.claim(queue) == []
        queues.now += 1

        assert names(queues.claim(queue)) == ["bob@b.example"]

    def test_a_clock_that_was_set_back_does_not_release_it(self, queues: Queues) -> None:
        """It is to go at that time, and not after so long."""
        queue = queues.open(longest_wait=60.0)
        queues.accept(queue, "bob@b.example", asked=self.asked(queues))
        queues.claim(queue)
        queues.now -= DAY
        assert queues.claim(queue) == []
        queues.now += DAY + self.HOUR

        assert names(queues.claim(queue)) == ["bob@b.example"]

    def test_its_time_begins_when_it_is_released(self, queues: Queues) -> None:
        """Its sender hears of no delay before."""
        queue = queues.open()
        begin = NOW + DAY
        queues.accept(queue, "bob@b.example", asked=self.asked(queues, DAY), expires=begin + LIFETIME)
        times = queues.ask("SELECT state, next_try, report_at FROM recipients")
        assert times == [("scheduled", begin, begin + WARNING)]
        queues.now = begin - 1

        assert queues.claim(queue) == []

    def test_an_operator_may_be_quicker(self, queues: Queues) -> None:
        """Retry tries it now; what was held goes back to its time."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", asked=self.asked(queues))
        queues.accept(queue, "eve@e.example", asked=self.asked(queues))
        with Administration.open(str(queues.path), lambda: queues.now) as admin:
            assert {entry.status for entry in admin.list(Selection())} == {"scheduled"}
            assert admin.retry(Selection(recipient="bob@b.example")).changed == 1
            assert admin.hold(Selection(recipient="eve@e.example")).changed == 1
            assert admin.release(Selection(recipient="eve@e.example")).changed == 1
            (entry,) = admin.list(Selection(status="scheduled"))
        assert (entry.tried_next, entry.next_try) == (NOW + self.HOUR, NOW + self.HOUR)
        assert names(queues.claim(queue)) == ["bob@b.example"]
        queues.now += self.HOUR

        assert names(queues.claim(queue)) == ["eve@e.example"]

    def test_how_much_of_it_is_a_logins(self, queues: Queues) -> None:
        """A message is one, whoever it is for, until its time has come; an index finds it, whatever else waits."""
        queue = queues.open()
        for name, wait in (("alice", self.HOUR), ("alice", DAY), ("bob", DAY)):
            asked = replace(self.asked(queues, wait), holder=f"{name}@b.example")
            queues.accept(queue, "bob@b.example", "eve@e.example", asked=asked)
        queues.accept(queue, "bob@b.example")

        counts = []
        for wait in (0.0, self.HOUR, DAY):
            queues.now = NOW + wait
            counts.append([queues.wait(queue.scheduled(f"{name}@b.example")) for name in ("alice", "bob", "dan")])
        assert counts == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
        plan = queues.ask(f"EXPLAIN QUERY PLAN {due._ON_QUOTA.replace('?', '1')}")
        assert "USING INDEX messages_by_holder" in str(plan)

    def test_it_may_be_removed_or_given_up(self, queues: Queues) -> None:
        """Like all that waits."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", "eve@b.example", asked=self.asked(queues))
        with Administration.open(str(queues.path), lambda: queues.now) as admin:
            assert admin.bounce(Selection(recipient="bob@b.example")).changed == 1
            assert admin.remove(Selection(recipient="eve@b.example")).changed == 1

        assert [(job.purpose, names([job])) for job in queues.claim(queue)] == [("bounce", ["bob@b.example"])]


class TestDeliverBy:
    """The deliver-by-time (RFC 2852 §4.1.3)."""

    def test_return_is_the_end_of_its_time(self, queues: Queues) -> None:
        """Nothing is tried then."""
        queue = queues.open()
        queues.accept(queue, "bob@b.example", asked=Asked(by=NOW + 60, by_mode="R"), expires=NOW + 60)
        queues.now += 60

        assert [job.purpose for job in queues.claim(queue)] == ["expire"]

    def test_notify_tells_the_sender_then(self, queues: Queues) -> None:
        """Also one who was told of the delay before, and only once; it is tried all the same."""
        queue = queues.open()
        by = NOW + 2 * WARNING
        queues.accept(queue, "bob@b.example", asked=Asked(by=by, by_mode="N"))
        (tried,) = queues.claim(queue, reports=0)
        queues.record(queue, Settled(tried.recipients[0], NOW + LIFETIME - 1, Deferred("4.4.1", "no answer")))
        told = []
        for now in (NOW + WARNING, by, by + WARNING):
            queues.now = now
            for job in queues.claim(queue):
                told.append((job.purpose, queues.now))
                queues.record(queue, Settled(job.recipients[0], AS_BEFORE, None, warned=True))

        assert told == [("warn", NOW + WARNING), ("warn", by)]

    def test_a_time_that_has_passed_is_told_after_the_first_try(self, queues: Queues) -> None:
        """§4: zero and less are allowed with N, and say that the time has passed."""
        queue = queues.open()
        asked = Asked(by=NOW - 5, by_mode="N")
        (job,) = queues.accept(queue, "bob@b.example", claim=True, asked=asked)
        assert queues.claim(queue) == []
        queues.record(queue, Settled(job.recipients[0], NOW + 300, Deferred("4.4.1", "no answer")))

        assert [job.purpose for job in queues.claim(queue)] == ["warn"]

    @pytest.mark.parametrize("notify", ["NEVER", "FAILURE", "SUCCESS,FAILURE"])
    def test_who_does_not_want_to_hear_of_it(self, queues: Queues, notify: str) -> None:
        """NOTIFY without DELAY."""
        queue = queues.open()
        asked = Asked(by=NOW + 5, by_mode="N")
        queues.accept(queue, to("bob@b.example", notify=notify), asked=asked)

        assert queues.ask("SELECT report_at FROM recipients") == [(NOW + LIFETIME,)]


def test_a_verdict_on_what_was_asked(queues: Queues) -> None:
    """Whatever was asked, a delivery ends it."""
    queue = queues.open()
    asked = Asked(priority=3, by=NOW + 9, by_mode="N", traced=True)
    (job,) = queues.accept(queue, "bob@b.example", claim=True, asked=asked)
    queues.record(queue, Settled(job.recipients[0], None, DELIVERED))

    assert queues.ask("SELECT count(*) FROM messages") == [(0,)]
