"""Policies that outlive a restart: the cache in memory and its file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from mailsuite.delivery.mta_sts_cache import WRITE_SECONDS, KeptPolicy, PolicyCache
from mailsuite.delivery.mta_sts_policy import MAX_AGE, Policy
from tests.delivery.chains import result

POLICY = Policy("enforce", ("mx.b.example", "*.b.example"), 1000)


class Threads:
    """Runs work at once, or when it is told to."""

    def __init__(self) -> None:
        self.held = False
        self.works: list[tuple[Callable[[], None], Deferred[None]]] = []
        self.runs = 0

    def __call__(self, work: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.works.append((work, done))
        if not self.held:
            self.run()
        return done

    def run(self) -> None:
        work, done = self.works.pop(0)
        self.runs += 1
        try:
            work()
        except OSError:
            done.errback()
        else:
            done.callback(None)


class Kept:
    """A cache with its clock, its file and its threads."""

    def __init__(self, path: Path, most: int = 100) -> None:
        self.path = path
        self.clock = Clock()
        self.threads = Threads()
        self.cache = PolicyCache(str(path), self.clock, self.threads, most)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "mta-sts.json")


def again(kept: Kept, now: float) -> PolicyCache:
    """Return the cache of a process that starts at *now*."""
    cache = Kept(kept.path).cache
    cache.load(now)
    return cache


def test_a_policy_holds_for_its_time(kept: Kept) -> None:
    """Up to max_age after it was fetched, and no longer."""
    kept.cache.put("b.example", KeptPolicy(POLICY, "1", 500.0))

    assert kept.cache.get("b.example", 1499.9) == KeptPolicy(POLICY, "1", 500.0)
    assert kept.cache.get("b.example", 1500.0) is None
    assert kept.cache.domains() == ()
    assert kept.cache.get("c.example", 0.0) is None


def test_a_restart_forgets_nothing(kept: Kept) -> None:
    """Every field of every policy comes back."""
    kept.cache.put("b.example", KeptPolicy(POLICY, "1", 500.5))
    kept.cache.put("c.example", KeptPolicy(Policy("none", (), MAX_AGE), "x2", 600.0))
    kept.clock.advance(WRITE_SECONDS)

    cache = again(kept, 700.0)

    assert cache.get("b.example", 700.0) == KeptPolicy(POLICY, "1", 500.5)
    assert cache.get("c.example", 700.0) == KeptPolicy(Policy("none", (), MAX_AGE), "x2", 600.0)
    assert os.listdir(kept.path.parent) == [kept.path.name]


def test_what_is_over_does_not_come_back(kept: Kept) -> None:
    """Its time goes on while we are away."""
    kept.cache.put("b.example", KeptPolicy(POLICY, "1", 500.0))
    kept.clock.advance(WRITE_SECONDS)

    assert again(kept, 1500.0).domains() == ()


def test_a_clock_that_was_wrong(kept: Kept) -> None:
    """A policy from the future is taken for a new one: nobody gets more than max_age."""
    kept.cache.put("b.example", KeptPolicy(POLICY, "1", 10_000.0))
    kept.clock.advance(WRITE_SECONDS)

    assert again(kept, 700.0).get("b.example", 700.0) == KeptPolicy(POLICY, "1", 700.0)


def test_changes_are_written_together(kept: Kept) -> None:
    """A little later, once."""
    for name in ("a", "b", "c"):
        kept.cache.put(name, KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS - 0.1)
    assert kept.threads.runs == 0

    kept.clock.advance(0.1)
    kept.clock.advance(100.0)

    assert kept.threads.runs == 1
    assert again(kept, 1.0).domains() == ("a", "b", "c")


def test_a_change_while_it_is_written(kept: Kept) -> None:
    """It is written after that, never beside it."""
    kept.threads.held = True
    kept.cache.put("a", KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)
    kept.cache.put("b", KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)
    assert len(kept.threads.works) == 1

    kept.threads.run()
    assert again(kept, 1.0).domains() == ("a",)
    kept.threads.run()

    assert again(kept, 1.0).domains() == ("a", "b")


def test_stopping_writes_what_is_left(kept: Kept) -> None:
    """At once; without a change nothing is written."""
    kept.cache.put("a", KeptPolicy(POLICY, "1", 0.0))
    result(kept.cache.stop())
    assert again(kept, 1.0).domains() == ("a",)
    assert not kept.clock.getDelayedCalls()

    result(kept.cache.stop())
    assert kept.threads.runs == 1


def test_stopping_waits_for_what_is_under_way(kept: Kept) -> None:
    """And then writes what came since."""
    kept.threads.held = True
    kept.cache.put("a", KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)
    kept.cache.put("b", KeptPolicy(POLICY, "1", 0.0))
    ended: list[None] = []
    Deferred.fromCoroutine(kept.cache.stop()).addCallback(ended.append)

    kept.threads.run()
    assert not ended
    kept.threads.run()

    assert ended
    assert again(kept, 1.0).domains() == ("a", "b")
    assert not kept.clock.getDelayedCalls()


def test_a_disk_that_says_no(kept: Kept) -> None:
    """It is told; the policy holds in memory, and the next change tries again."""
    kept.path.mkdir()
    with capturedLogs() as events:
        kept.cache.put("a", KeptPolicy(POLICY, "1", 0.0))
        kept.clock.advance(WRITE_SECONDS)
    assert [event["path"] for event in events] == [str(kept.path)]
    assert kept.cache.get("a", 1.0) is not None

    kept.path.rmdir()
    kept.cache.put("b", KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)

    assert again(kept, 1.0).domains() == ("a", "b")


def test_the_limit(tmp_path: Path) -> None:
    """Beyond it the one that was used longest ago goes, after a restart too."""
    kept = Kept(tmp_path / "policies", most=3)
    for name in ("a", "b", "c"):
        kept.cache.put(name, KeptPolicy(POLICY, "1", 0.0))
    assert kept.cache.domains() == ("a", "b", "c")

    kept.cache.get("a", 1.0)
    kept.cache.put("d", KeptPolicy(POLICY, "1", 0.0))
    assert kept.cache.domains() == ("c", "a", "d")
    result(kept.cache.stop())

    small = Kept(tmp_path / "policies", most=2).cache
    small.load(1.0)
    assert small.domains() == ("a", "d")


def test_no_file(kept: Kept) -> None:
    """A new site has none, and nothing is said of it."""
    with capturedLogs() as events:
        assert again(kept, 0.0).domains() == ()
    assert not events


def test_a_file_that_cannot_be_read(kept: Kept) -> None:
    """It is told, and we go on without."""
    kept.path.mkdir()
    with capturedLogs() as events:
        assert again(kept, 0.0).domains() == ()
    assert [event["path"] for event in events] == [str(kept.path)]


@pytest.mark.parametrize(
    "damage",
    [
        b"nonsense\n",
        b'{"domain": "x.example"}\n',
        b'{"domain":"x.example","id":"1","mode":"maybe","mx":[],"max_age":1000,"fetched":0}\n',
        b'{"domain":"x.example","id":"1","mode":"none","mx":[1],"max_age":1000,"fetched":0}\n',
        b"\xff\xfe\n",
        b"\n",
        b"x" * 200_000 + b"\n",
    ],
)
def test_a_damaged_line_costs_one_policy(kept: Kept, damage: bytes) -> None:
    """The others come back."""
    for name in ("a", "b"):
        kept.cache.put(name, KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)
    head, first, second = kept.path.read_bytes().splitlines(True)
    kept.path.write_bytes(head + first + damage + second)

    assert again(kept, 1.0).domains() == ("a", "b")


def test_a_file_of_another_form(kept: Kept) -> None:
    """A form that we do not know is not guessed at."""
    kept.cache.put("a", KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)
    assert again(kept, 1.0).domains() == ("a",)
    kept.path.write_bytes(kept.path.read_bytes().replace(b'"mta-sts": 1', b'"mta-sts": 2'))

    assert again(kept, 1.0).domains() == ()


def test_it_is_not_for_everybody(kept: Kept) -> None:
    """Whom we write to is nobody else's business."""
    kept.cache.put("a", KeptPolicy(POLICY, "1", 0.0))
    kept.clock.advance(WRITE_SECONDS)

    assert kept.path.stat().st_mode & 0o007 == 0
