"""The content of a message as a session takes it, read without keeping the reactor."""

from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.body import WHOLE_OCTETS, Body, ContentTrouble, Stream
from tests.doubles_delivery import Contents, job

SMALL, LARGE = 10, WHOLE_OCTETS + 1


class Threads:
    """Runs each function when it is told to; *asked* are those that were to be run."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.turn: Deferred[None] = Deferred()

    async def run(self, function: Any, argument: Any) -> Any:
        """Wait for the turn, then run *function*."""
        self.asked.append(function.__name__)
        await self.turn
        return function(argument)

    def go(self) -> None:
        """Let one function run."""
        turn, self.turn = self.turn, Deferred()
        turn.callback(None)


def body(contents: Contents, size: int, threads: Threads) -> Body:
    return Body(job("bob@b.example", content=None, size=size), contents, threads.run)


def after(threads: Threads, work: Any, turns: int) -> Any:
    """Return what *work* gives when so many functions had their turn, and no sooner."""
    pending = Deferred.fromCoroutine(work)
    for at in range(turns):
        assert not pending.called
        assert len(threads.asked) == at + 1
        threads.go()
    return SynchronousTestCase().successResultOf(pending)


@pytest.mark.parametrize(("last", "eight"), [(b"text", False), (b"t\xe4xt", True)])
def test_a_large_message_is_scanned_in_a_thread(last: bytes, eight: bool) -> None:
    """A piece a turn; then it is known."""
    threads, contents = Threads(), Contents(b"more", last)
    scanned = body(contents, LARGE, threads)

    assert after(threads, scanned.is_eight_bit(), 3) is eight
    assert threads.asked == ["read"] * 3
    assert after(threads, scanned.is_eight_bit(), 0) is eight
    assert [each.closed for each in contents.opened] == [1]


def test_a_small_message_is_loaded_in_a_thread_once() -> None:
    """Whoever wants it next has it at hand."""
    threads, contents = Threads(), Contents(b"one", b"two")
    loaded = body(contents, SMALL, threads)

    assert after(threads, loaded.at_hand(), 3) == b"onetwo"
    assert loaded.at_hand() == b"onetwo"
    assert len(contents.opened) == 1


def test_a_large_message_is_streamed_from_a_thread() -> None:
    """What is added goes first; then a piece is read for each that is asked for."""
    threads = Threads()
    stream: Stream = after(threads, body(Contents(b"one", b"two"), LARGE, threads).stream(b"added"), 0)

    assert stream.read(9) == b"added"
    assert not threads.asked
    pieces = []
    for _ in range(3):
        threads.asked.clear()
        pieces.append(after(threads, cast(Any, stream.read(9)), 1))
    assert pieces == [b"one", b"two", b""]


def test_what_cannot_be_read_in_the_thread_is_trouble_here() -> None:
    """The same as on the reactor: with a text, and closed."""
    threads, contents = Threads(), Contents(b"half")
    contents.read_trouble = OSError("EIO")
    pending = Deferred.fromCoroutine(body(contents, LARGE, threads).is_eight_bit())
    threads.go()
    threads.go()

    failure = SynchronousTestCase().failureResultOf(pending, ContentTrouble)
    assert str(failure.value) == "EIO"
    assert [each.closed for each in contents.opened] == [1]


def test_a_stream_is_closed_when_the_thread_has_read() -> None:
    """The session may be gone before that; the descriptor must not be another file's while a thread reads from it."""
    threads, contents = Threads(), Contents(b"one")
    stream: Stream = after(threads, body(contents, LARGE, threads).stream(b""), 0)
    pending = Deferred.fromCoroutine(cast(Any, stream.read(9)))

    stream.close()
    assert contents.opened[0].closed == 0
    threads.go()

    assert SynchronousTestCase().successResultOf(pending) == b"one"
    assert contents.opened[0].closed == 1
