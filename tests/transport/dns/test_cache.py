"""Answers are kept for as long as they are good, and no more of them than there is room for."""

from twisted.internet.task import Clock

from mailsuite.dns import MX
from mailsuite.transport.dns.answers import Answer
from mailsuite.transport.dns.cache import KEPT_RECORDS, Cache
from mailsuite.transport.dns.records import A_RECORDS
from tests.transport.dns.questions import question


def known(seconds: int = 60, records: int = 1) -> Answer[MX]:
    """Return an answer."""
    return Answer(True, tuple(MX(number, "mx.example") for number in range(records)), False, "example.org", seconds)


def test_for_its_time() -> None:
    """To the last moment, and no longer."""
    clock = Clock()
    cache = Cache(10, clock.seconds)
    cache.put(question(), known(60))
    clock.advance(59.9)
    assert cache.get(question("EXAMPLE.org")) == known(60)
    clock.advance(0.1)

    assert cache.get(question()) is None


def test_by_name_and_type() -> None:
    """Another question has another answer."""
    cache = Cache(10, Clock().seconds)
    cache.put(question(), known())

    assert cache.get(question("example.net")) is None
    assert cache.get(question(kind=A_RECORDS)) is None


def test_for_no_time() -> None:
    """A TTL of 0 is for the question at hand alone; it also ends what was kept before."""
    cache = Cache(10, Clock().seconds)
    cache.put(question(), known(60))
    cache.put(question(), known(0))

    assert cache.get(question()) is None


def test_room() -> None:
    """What was not used for the longest time gives way."""
    cache = Cache(2, Clock().seconds)
    cache.put(question("a.example"), known())
    cache.put(question("b.example"), known())
    assert cache.get(question("a.example"))
    cache.put(question("c.example"), known())

    assert cache.get(question("a.example"))
    assert cache.get(question("b.example")) is None
    assert cache.get(question("c.example"))


def test_again() -> None:
    """A newer answer to the same question takes no room of another."""
    cache = Cache(2, Clock().seconds)
    cache.put(question("a.example"), known())
    cache.put(question("b.example"), known())
    cache.put(question("b.example"), known(90))

    assert cache.get(question("a.example"))
    assert cache.get(question("b.example")) == known(90)


def test_no_room() -> None:
    """With room for none, none is kept."""
    cache = Cache(0, Clock().seconds)
    cache.put(question(), known())

    assert cache.get(question()) is None


def test_large_answers() -> None:
    """One with more than 100 records is not kept."""
    cache = Cache(10, Clock().seconds)
    cache.put(question("a.example"), known(records=KEPT_RECORDS))
    cache.put(question("b.example"), known(records=KEPT_RECORDS + 1))

    assert cache.get(question("a.example"))
    assert cache.get(question("b.example")) is None
