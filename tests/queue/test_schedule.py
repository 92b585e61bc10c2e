"""When something is tried again, and how much at a time (RFC 5321 §4.5.4.1; performance of destinations)."""

from hypothesis import given
from hypothesis import strategies as st

from mailsuite.queue.schedule import FAILURES_IN_A_ROW, FIRST_DELIVERIES, JITTER, Backoff, Concurrency


def test_waits_grow_up_to_the_cap() -> None:
    """In the middle of the jitter a wait is exactly what the settings say."""
    backoff = Backoff(300, 2, 7200)

    assert [backoff.wait(tries, 0.5) for tries in range(1, 8)] == [300, 600, 1200, 2400, 4800, 7200, 7200]


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True), st.floats(1, 10))
def test_a_wait_is_never_out_of_bounds(tries: int, chance: float, factor: float) -> None:
    """However often something was tried, and whatever chance says."""
    wait = Backoff(10, factor, 1000).wait(tries, chance)

    assert 10 * (1 - JITTER) <= wait <= 1000 * (1 + JITTER)


def test_concurrency_grows_on_success() -> None:
    """As many successes as may be under way make it one more, up to the most."""
    concurrency = Concurrency(FIRST_DELIVERIES + 1)

    for _ in range(FIRST_DELIVERIES + 1):
        concurrency.succeeded()
    assert concurrency.limit == FIRST_DELIVERIES + 1
    for _ in range(100):
        concurrency.succeeded()
    assert concurrency.limit == FIRST_DELIVERIES + 1


def test_concurrency_shrinks_on_trouble() -> None:
    """But never to nothing."""
    concurrency = Concurrency(20)

    for _ in range(50):
        concurrency.failed(1)
    assert concurrency.limit == 1


def test_down_when_nothing_else_goes() -> None:
    """The only delivery under way that fails says it all."""
    assert Concurrency(20).failed(others=0)


def test_down_after_some_in_a_row() -> None:
    """Beside others a failure is one of many, unless several come in a row."""
    concurrency = Concurrency(20)

    told = [concurrency.failed(others=4) for _ in range(FAILURES_IN_A_ROW)]

    assert told == [False] * (FAILURES_IN_A_ROW - 1) + [True]


def test_a_success_between_counts() -> None:
    """In a row means in a row."""
    concurrency = Concurrency(20)

    for _ in range(10):
        assert not concurrency.failed(others=4)
        concurrency.succeeded()
