"""One message on its way out: counts what was given against its size, stuffs dots, ends with the mark."""

from enum import Enum
from typing import Protocol

from mailsuite.wire.dots import DotWriter


class Cut(Protocol):
    """Lets only the beginning of a message through."""

    def take(self, data: bytes) -> tuple[bytes, bool]:
        """Return what of *data* belongs to that beginning, and whether it is now complete."""


class Progress(Enum):
    """How far a message has come."""

    MORE = "more octets are needed"
    WHOLE = "all was sent"
    CUT = "enough was sent; the rest is not wanted"
    DAMAGED = "the message does not have its size"


class Sending:
    """A message of *octets* octets; with a *cut*, its beginning."""

    __slots__ = ("_cut", "_dots", "_left", "progress")

    def __init__(self, octets: int, cut: Cut | None) -> None:
        self._left = octets
        self._cut = cut
        self._dots = DotWriter()
        self.progress = Progress.MORE

    def take(self, data: bytes) -> bytes:
        """Return what *data* puts on the wire; `progress` says what comes next.

        Octets beyond the announced size, or an end before it, are `Progress.DAMAGED`: nothing is returned then, and
        above all no end mark, so that the client cannot take the message for whole (RFC 1939 §11).
        """
        self._left -= len(data)
        if self._left < 0 or (self._left and not data):
            self.progress = Progress.DAMAGED
            return b""
        complete = False
        if self._cut is not None:
            data, complete = self._cut.take(data)
        if not self._left:
            self.progress = Progress.WHOLE
        elif complete:
            self.progress = Progress.CUT
        wire = self._dots.write(data)
        return wire if self.progress is Progress.MORE else wire + self._dots.end()
