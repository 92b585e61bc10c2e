"""Messages over a pair of sockets: whole, in order, and bounded where nobody reads."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mailsuite.transport import frames
from mailsuite.transport.frames import Frames, connect
from tests.transport.loop import reactor, until


class End:
    """One end, and what it has received."""

    def __init__(self, fd: int) -> None:
        self.received: list[bytes] = []
        self.losses = 0
        self.frames: Frames = connect(reactor, fd, self.received.append, self._lose)

    def _lose(self) -> None:
        self.losses += 1

    def close(self) -> None:
        """Be gone."""
        transport: Any = self.frames.transport
        transport.abortConnection()
        until(lambda: self.losses)


@pytest.fixture
def ends() -> Iterator[tuple[End, End]]:
    """Give both ends."""
    one, other = (End(each.detach()) for each in socket.socketpair())
    yield one, other
    for end in (one, other):
        if not end.losses:
            end.close()


def test_messages_are_whole_and_in_order(ends: tuple[End, End]) -> None:
    """Empty ones and long ones too."""
    one, other = ends
    sent = [b"first", b"", b"x" * 1_000_000, b"last"]
    for message in sent:
        one.frames.send(message)
    until(lambda: len(other.received) == len(sent))
    assert other.received == sent


def test_the_end_is_told_once(ends: tuple[End, End]) -> None:
    """What is sent after it goes nowhere."""
    one, other = ends
    other.close()
    until(lambda: one.losses)
    one.frames.send(b"to nobody")
    assert one.losses == other.losses == 1


def test_a_message_that_is_too_long_is_the_end(monkeypatch: pytest.MonkeyPatch, ends: tuple[End, End]) -> None:
    """At the limit it is taken."""
    one, other = ends
    monkeypatch.setattr(Frames, "MAX_LENGTH", 5)
    one.frames.send(b"12345")
    until(lambda: other.received)
    one.frames.send(b"123456")
    until(lambda: one.losses and other.losses)
    assert other.received == [b"12345"]


def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """When more waits for it than may, and not before."""
    monkeypatch.setattr(frames, "UNREAD_OCTETS", 2_000_000)
    ours, theirs = socket.socketpair()
    with theirs:
        end = End(ours.detach())
        end.frames.send(b"x" * 1_000_000)
        end.frames.send(b"x" * 1_000_000)
        end.frames.send(b"x" * 1_000_000)
        assert not end.losses
        end.frames.send(b"x")
        until(lambda: end.losses)
