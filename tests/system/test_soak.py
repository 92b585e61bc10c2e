"""All manners of clients at once, for long: no message is lost, made up or altered, and nothing grows."""

import os
import secrets
import time
from collections import Counter

import pytest

from tests.system.site import DOMAIN, Site
from tests.system.soak import Book, at_work, everybody, left_over, settle, use_at_rest

pytestmark = pytest.mark.system

_USERS = ("alice", "bob", "carol", "dora")
# They send more in an hour than people do.
_OPTIONS = {"limits": {"login_messages": 0, "login_recipients": 0}}


def traffic(book: Book, phase: str, seconds: float, seed: int) -> None:
    """Let all clients work for some time; nothing of the unfinished is left when they have gone."""
    with at_work(everybody(book, phase, seed)):
        time.sleep(seconds)
    assert not book.complaints, "\n".join([*book.complaints, book.site.log[-5000:]])


def soak(warm_up: float, seconds: float, growth: int) -> str:
    """Run traffic, look, run more, and look again: memory may grow by *growth* KiB. MAILSUITE_TEST_SEED repeats.

    Return the figures.
    """
    seed = int(os.environ.get("MAILSUITE_TEST_SEED") or secrets.randbelow(1 << 31))
    print(f"MAILSUITE_TEST_SEED={seed}")
    with Site(_OPTIONS, _USERS) as site:
        book = Book(site, tuple(f"{user}@{DOMAIN}" for user in _USERS))
        traffic(book, "a", warm_up, seed)
        before = use_at_rest(site)
        traffic(book, "b", seconds, seed)
        after = use_at_rest(site)
        ends = settle(book)
        figures = f"{dict(ends)}; visits: {dict(sorted(kinds(book).items()))}; {before} -> {after}"
        print(figures)
        assert left_over(site) == []
        assert ends["acknowledged"] > 10 * seconds
        assert ends["taken"] > 5 * seconds
        assert after.descriptors <= before.descriptors
        assert after.memory <= before.memory + growth
    return figures


def kinds(book: Book) -> Counter[str]:
    """Return how often clients of each kind have visited."""
    counts: Counter[str] = Counter()
    for name, visits in book.visits.items():
        counts[name.rpartition("-")[2]] += visits
    return counts


def test_soak() -> None:
    """After two minutes of mixed traffic every mailbox holds what it should, and the server is as lean as before."""
    soak(30, 90, 16_384)


@pytest.mark.slow
def test_soak_long() -> None:
    """The same after minutes."""
    soak(60, 240, 16_384)
