"""What parent and workers tell each other: that a worker is ready, and changes of the shared state."""

import socket
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from mailsuite.policy.shared_state import Change
from mailsuite.transport.frames import connect


def pair() -> tuple[int, int]:
    """Return the descriptors of two new ends."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return one.detach(), other.detach()


class Message(msgspec.Struct, frozen=True, array_like=True):
    """*ready*: the worker that sends this serves from now on."""

    changes: Sequence[Change] = ()
    ready: bool = False


class Channel:
    """One end, on the descriptor *fd* of a pair of sockets. *lost* is called once, when the other end is gone."""

    def __init__(self, reactor: Any, fd: int, received: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._decoder = msgspec.msgpack.Decoder(Message)
        self._encoder = msgspec.msgpack.Encoder()
        self._received = received
        self._frames = connect(reactor, fd, self._take, lost)

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell the other end of *changes*."""
        if changes:
            self.send(Message(changes))

    def send(self, message: Message) -> None:
        """Send *message*; nothing happens where the other end is gone."""
        self._frames.send(self._encoder.encode(message))

    def _take(self, octets: bytes) -> None:
        self._received(self._decoder.decode(octets))
