"""The threads for passwords: work leaves the reactor thread, and the queue before them is bounded."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.directory.threads import BoundedThreads, TooBusy


@implementer(IReactorFromThreads)
class Calls:
    """Takes calls from threads, to be made when the test says so."""

    def __init__(self) -> None:
        self._calls: queue.Queue[Callable[[], object]] = queue.Queue()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """See `IReactorFromThreads.callFromThread`."""
        self._calls.put(lambda: callable(*args, **kwargs))

    def make_one(self) -> None:
        """Make the next call, waiting for a thread to ask for it."""
        self._calls.get(timeout=30)()


@pytest.fixture
def calls() -> Calls:
    """The reactor's side."""
    return Calls()


@pytest.fixture
def threads(calls: Calls) -> Iterator[BoundedThreads]:
    """One thread, with two places to wait."""
    threads = BoundedThreads(calls, 1, waiting=2)
    threads.start()
    yield threads
    threads.stop()


def test_the_double_is_a_reactor_for_threads(calls: Calls) -> None:
    """The double provides what it stands for."""
    assert verifyObject(IReactorFromThreads, calls)


def test_work_is_done_in_another_thread(calls: Calls, threads: BoundedThreads) -> None:
    """The answer comes back on the reactor's side."""
    answers: list[str] = []
    threads.run(lambda: threading.current_thread().name).addCallback(answers.append)

    assert answers == []
    calls.make_one()

    assert len(answers) == 1
    assert answers[0] != threading.current_thread().name


def test_beyond_the_queue_work_is_refused_until_some_is_done(calls: Calls, threads: BoundedThreads) -> None:
    """One at work and two that wait; the fourth is told at once to come back."""
    go = threading.Event()
    answers: list[bool] = []
    for _ in range(3):
        threads.run(lambda: go.wait(30)).addCallback(answers.append)

    with pytest.raises(TooBusy, match="3 passwords"):
        threads.run(lambda: True)

    go.set()
    calls.make_one()
    threads.run(lambda: True).addCallback(answers.append)
    for _ in range(3):
        calls.make_one()

    assert answers == [True] * 4


def test_failed_work_frees_its_place(calls: Calls, threads: BoundedThreads) -> None:
    """An exception comes back as such, and counts no longer."""
    failures: list[Failure] = []
    for _ in range(5):
        threads.run(lambda: 1 // 0).addErrback(failures.append)
        calls.make_one()

    assert [failure.type for failure in failures] == [ZeroDivisionError] * 5
