"""Leases: one process at a time has a recipient, whatever becomes of processes and clocks."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mailsuite.outcome import DELIVERED, Deferred
from mailsuite.queue import admin, chores
from mailsuite.queue.claiming import Claim
from mailsuite.queue.entries import Selection
from mailsuite.queue.process import started, this_process, uptime
from mailsuite.queue.schema import connect
from mailsuite.queue.store import SqliteQueue
from mailsuite.queued import AS_BEFORE, Job, Settled
from tests.queue.queues import NOW, Queues, names

LEASE = 60.0


def test_what_one_has_claimed_no_other_gets(queues: Queues) -> None:
    """Two processes share the work."""
    one, two = queues.open(), queues.open()
    for index in range(10):
        queues.accept(one, f"r{index}@b.example")
    first, second = queues.claim(one, room=6), queues.claim(two)

    assert sorted(names([*first, *second])) == [f"r{index}@b.example" for index in range(10)]


def test_a_lease_that_is_renewed_holds(queues: Queues) -> None:
    """By any work of the process, however long its claim lasts."""
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    (job,) = queues.accept(one, "bob@b.example", claim=True)
    for _ in range(20):
        queues.uptime += LEASE / 2
        queues.claim(one, room=0)
        assert queues.claim(two) == []
    queues.done(one, job)


def test_a_lease_that_has_run_out_is_taken_over(queues: Queues) -> None:
    """Its former owner must not touch what is another one's now: neither record, nor read to deliver."""
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    queues.accept(one, "bob@b.example")
    (mine,) = queues.claim(one)
    queues.uptime += LEASE - 1
    assert queues.claim(two) == []
    queues.uptime += 1
    queues.wait(two.flush("nothing"))
    queues.uptime += 1
    (theirs,) = queues.claim(two)
    assert names([theirs]) == ["bob@b.example"]
    queues.done(one, mine)
    queues.record(one, Settled(mine.recipients[0], NOW + 5))
    with pytest.raises(OSError, match="not claimed any more"):
        queues.content(one, mine)
    assert queues.claim(one) == []
    assert queues.content(two, theirs)
    queues.done(two, theirs)

    assert queues.ask("SELECT count(*) FROM messages") == [(0,)]


def test_who_was_given_up_goes_on(queues: Queues) -> None:
    """It has a lease again, and claims anew; but not what it still has in its hands from before."""
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    (old,) = queues.accept(one, "bob@b.example", "ben@b.example", claim=True)
    queues.uptime += LEASE + 1
    queues.claim(two, room=0)
    queues.accept(one, "eve@d.example")
    assert names(queues.claim(one)) == ["eve@d.example"]
    queues.record(one, *(Settled(each, AS_BEFORE) for each in old.recipients))

    assert names(queues.claim(one)) == ["bob@b.example", "ben@b.example"]
    assert queues.claim(two) == []


def test_what_was_done_meanwhile_counts_where_nobody_has_begun_anew(queues: Queues) -> None:
    """Given up, and nothing claimed since: what it delivered leaves the queue, what it deferred waits as it says."""
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    (job,) = queues.accept(one, "bob@b.example", "ben@b.example", claim=True)
    queues.uptime += LEASE + 1
    queues.claim(two, room=0)
    bob, ben = job.recipients
    queues.record(one, Settled(bob, None, DELIVERED), Settled(ben, NOW + 9, Deferred("4.2.0", "x")))
    assert queues.ask("SELECT local, tries, next_try, report_at > ? FROM recipients", NOW + 9) == [
        ("ben", 1, NOW + 9, 1)
    ]
    # A second word is none.
    queues.record(one, Settled(ben, None, DELIVERED))
    queues.now += 9

    assert names(queues.claim(two)) == ["ben@b.example"]


def test_a_lease_that_could_not_be_taken_anew_is_none(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk: it is taken with the next transaction, and nothing is claimed under a number of nobody."""
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    queues.accept(one, "bob@b.example")
    queues.uptime += LEASE + 1
    queues.claim(two, room=0)
    number = one._lease.number
    with monkeypatch.context() as patch:
        patch.setattr(Claim, "jobs", _rolled_back)
        with pytest.raises(OSError):
            queues.claim(one)
    assert one._lease.number == number
    assert names(queues.claim(one)) == ["bob@b.example"]

    assert queues.ask("SELECT count(*) FROM recipients r JOIN owners o ON o.number = r.owner") == [(1,)]


def test_a_transaction_that_cannot_begin_takes_no_lease_away(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was renewed before stays so."""
    monkeypatch.setattr(chores, "connect", partial(connect, wait=0.0))
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    queues.uptime += LEASE + 1
    queues.claim(two, room=0)
    queues.claim(one, room=0)
    number = one._lease.number
    with queues.sql() as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError):
            queues.claim(one)
        connection.execute("ROLLBACK")

    assert one._lease.number == number


def test_what_nobody_is_known_to_have_claimed_is_free_at_a_start(queues: Queues) -> None:
    """It would wait for ever."""
    one = queues.open()
    queues.accept(one, "bob@b.example", claim=True)
    with queues.sql() as connection:
        connection.execute("UPDATE recipients SET owner = 77")
    two = queues.open()

    assert names(queues.claim(two)) == ["bob@b.example"]


def test_a_command_gives_up_nobody_who_lives(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose machine slept for longer than its lease is still at work; another server may take over."""
    monkeypatch.setattr(admin, "uptime", lambda: queues.uptime)
    one = queues.open(lease=LEASE)
    queues.accept(one, "bob@b.example", claim=True)
    queues.uptime += LEASE + 1
    with admin.Administration.open(str(queues.path), lambda: queues.now) as operator:
        assert operator.hold(Selection()).busy == 1
        with queues.sql() as connection:
            connection.execute("UPDATE owners SET node = 'elsewhere'")
        assert operator.retry(Selection()).changed == 1


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_setting_the_clock_frees_nothing(queues: Queues, jump: float) -> None:
    """Leases run on the time since boot."""
    one, two = queues.open(), queues.open()
    (job,) = queues.accept(one, "bob@b.example", claim=True, expires=1e12)
    queues.wait(two.put_off("b.example", 0, Deferred("4.4.1", "x", whole=True)))
    queues.now += jump

    assert queues.claim(two) == []
    queues.done(one, job)


@pytest.mark.parametrize("clean", [True, False])
def test_who_stops_gives_back(queues: Queues, clean: bool) -> None:
    """At once, and leaves no row behind; a new start makes no difference to who lives."""
    one = queues.open()
    queues.accept(one, "bob@b.example", claim=True)
    queues.accept(one, "eve@d.example")
    if clean:
        queues.claim(one)
    one.stop()
    assert queues.ask("SELECT count(*) FROM owners") == [(0,)]
    two = queues.open()

    assert names(queues.claim(two)) == ["bob@b.example", "eve@d.example"]


@pytest.mark.parametrize(
    "change",
    [
        "boot = 'an earlier one'",
        "boot = 'an earlier one', node = 'under another name', until = until + 1e9",
        "started = started - 1",
        "pid = {dead}",
    ],
)
@pytest.mark.parametrize("at_start", [True, False])
def test_what_the_dead_had_claimed_is_free(queues: Queues, change: str, at_start: bool) -> None:
    """Of an earlier boot, of a process that is no more or another one by now: at a start, and within a second."""
    one = queues.open()
    two = one if at_start else queues.open()
    queues.accept(one, "bob@b.example", claim=True)
    with queues.sql() as connection:
        connection.execute(f"UPDATE owners SET {change.format(dead=_dead_pid())} WHERE number = 1")
    if at_start:
        two = queues.open()
    queues.uptime += 1

    assert names(queues.claim(two)) == ["bob@b.example"]


def test_what_only_looks_dead_from_here_is_not(queues: Queues) -> None:
    """A process of another container cannot be looked at: only its lease tells."""
    one, two = queues.open(lease=LEASE), queues.open(lease=LEASE)
    queues.accept(one, "bob@b.example", claim=True)
    with queues.sql() as connection:
        connection.execute(f"UPDATE owners SET node = 'elsewhere', pid = {_dead_pid()} WHERE number = 1")
    queues.uptime += LEASE - 1
    assert queues.claim(two) == []
    queues.uptime += 2

    assert names(queues.claim(two)) == ["bob@b.example"]


def test_a_probe_of_the_dead_blocks_nothing(queues: Queues) -> None:
    """A destination whose probe was in the hands of a process that died gets another one."""
    one, two = queues.open(), queues.open()
    queues.accept(one, "bob@b.example")
    queues.wait(one.put_off("b.example", NOW + 10, Deferred("4.4.1", "x", whole=True)))
    queues.now += 10
    assert len(queues.claim(one)) == 1
    assert queues.claim(two) == []
    with queues.sql() as connection:
        connection.execute("UPDATE owners SET started = -1 WHERE number = 1")
    queues.uptime += 1

    assert len(queues.claim(two)) == 1


class TestProcess:
    """How a process is known."""

    def test_this_one(self) -> None:
        """It lives, and every look gives the same."""
        process = this_process()

        assert process == this_process()
        assert process.pid == os.getpid()
        assert started(process.pid) == process.started
        assert 0 < process.started / os.sysconf("SC_CLK_TCK") < uptime()

    def test_a_dead_one(self) -> None:
        """It is not there."""
        assert started(_dead_pid()) is None

    def test_one_that_nobody_has_asked_after(self) -> None:
        """A zombie does nothing any more."""
        child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
        assert child.stdout is not None
        # Its end of the pipe is closed when it ends; the state follows at once.
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert started(child.pid) is None
        child.stdout.close()
        child.wait()

    def test_a_name_with_anything_in_it(self, tmp_path: Path) -> None:
        """A program may call itself what it likes."""
        program = tmp_path / "a) R 1 2 (b"
        program.symlink_to("/bin/sleep")
        child = subprocess.Popen([program, "30"])
        try:
            assert (started(child.pid) or 0) >= (started(os.getpid()) or 0)
        finally:
            child.kill()
            child.wait()


class Several(RuleBasedStateMachine):
    """Processes that come, claim, record, are late, die and stop, in any order: none has what another one has."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.queues = Queues(Path(self.folder.name) / "queue")
        self.held: dict[SqliteQueue, list[Job]] = {}
        self.start()

    def teardown(self) -> None:
        """End them all."""
        self.queues.stop()
        self.folder.cleanup()

    def pick(self, index: int) -> SqliteQueue:
        """Return one of those that run."""
        return list(self.held)[index % len(self.held)]

    def may_deliver(self, queue: SqliteQueue) -> list[Job]:
        """Return the jobs that the queue would give the content of."""
        allowed = []
        for job in self.held[queue]:
            with suppress(OSError):
                self.queues.content(queue, replace(job, content=None))
                allowed.append(job)
        return allowed

    @rule()
    def start(self) -> None:
        """One more process, up to three."""
        if len(self.held) < 3:
            self.held[self.queues.open(lease=LEASE)] = []

    @rule(index=st.integers(0, 2), claim=st.booleans(), domain=st.sampled_from("bde"))
    def accept(self, index: int, claim: bool, domain: str) -> None:
        """A message comes in."""
        queue = self.pick(index)
        whom = f"r{self.queues.count}@{domain}.example"
        self.held[queue] += self.queues.accept(queue, whom, claim=claim, expires=1e12)

    @rule(index=st.integers(0, 2), room=st.integers(1, 5))
    def claim(self, index: int, room: int) -> None:
        """A process takes what is due."""
        queue = self.pick(index)
        self.held[queue] += self.queues.claim(queue, room=room)

    @rule(index=st.integers(0, 2), keep=st.booleans())
    def record(self, index: int, keep: bool) -> None:
        """A process is done with all it has."""
        queue = self.pick(index)
        jobs, self.held[queue] = self.held[queue], []
        later = self.queues.now if keep else None
        self.queues.record(queue, *(Settled(each, later) for job in jobs for each in job.recipients))

    @rule(seconds=st.sampled_from([1.0, 30.0, LEASE + 1]), jump=st.sampled_from([0.0, 3600.0, -3600.0]))
    def wait(self, seconds: float, jump: float) -> None:
        """Time goes by, and somebody sets the clock."""
        self.queues.uptime += seconds
        self.queues.now += seconds + jump

    @rule(index=st.integers(0, 2))
    def stop(self, index: int) -> None:
        """A process stops."""
        if len(self.held) > 1:
            queue = self.pick(index)
            queue.stop()
            del self.held[queue]

    @invariant()
    def each_has_its_own(self) -> None:
        """No recipient is delivered by two, and none is twice in the hands of one."""
        allowed = [numbers(self.may_deliver(queue)) for queue in self.held]
        in_hand = [numbers(jobs) for jobs in self.held.values()]

        for each in (*in_hand, [number for numbers in allowed for number in numbers]):
            assert len(each) == len(set(each))


TestSeveral = Several.TestCase
TestSeveral.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def _rolled_back(claim: Claim, *_: object) -> list[Job]:
    """Be a claim in which SQLite undoes the whole transaction, as it may on a full disk."""
    claim._connection.execute("ROLLBACK")
    raise sqlite3.OperationalError("database or disk is full")


def numbers(jobs: list[Job]) -> list[int]:
    """Return the numbers of all recipients of *jobs*."""
    return [recipient.number for job in jobs for recipient in job.recipients]


def _dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid
