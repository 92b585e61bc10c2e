"""Many short texts in one piece of memory: no object for each, and any run of them is one slice."""

from array import array
from collections.abc import Sequence

# The place of each so-many-th text is known; the others are found from there.
STEP = 16


class Packed:
    """Texts by index, each followed by *end*, which no text holds. Only ever added to."""

    __slots__ = ("_end", "_octets", "_starts", "count")

    def __init__(self, end: bytes) -> None:
        self._end = end
        self._octets = bytearray()
        self._starts = array("Q")
        self.count = 0

    def extend(self, texts: Sequence[bytes]) -> None:
        """Add *texts* after all others."""
        end = self._end
        at = 0
        while at < len(texts):
            room = STEP - self.count % STEP
            if room == STEP:
                self._starts.append(len(self._octets))
            some = texts[at : at + room]
            self._octets += end.join(some) + end
            self.count += len(some)
            at += room

    def text(self, index: int) -> bytes:
        """Return text *index*."""
        block, within = divmod(index, STEP)
        starts = self._starts
        stop = starts[block + 1] if block + 1 < len(starts) else len(self._octets)
        return bytes(self._octets[starts[block] : stop].split(self._end, within + 1)[within])

    def run(self, start: int, stop: int) -> bytes:
        """Return the texts from *start* to before *stop*, each with its end."""
        # A slice of the bytearray would be a copy of its own.
        with memoryview(self._octets) as octets:
            return bytes(octets[self._place(start) : self._place(stop)])

    def settle(self) -> None:
        """Give memory back that was taken for more texts to come."""
        self._octets = bytearray(self._octets)

    def memory(self) -> int:
        """Return the octets of memory that this takes."""
        return self._octets.__sizeof__() + self._starts.__sizeof__()

    def _place(self, index: int) -> int:
        """Return where text *index* begins; of the one after the last, where it would."""
        if index >= self.count:
            return len(self._octets)
        block, within = divmod(index, STEP)
        place = self._starts[block]
        for _ in range(within):
            place = self._octets.index(self._end, place) + len(self._end)
        return place
