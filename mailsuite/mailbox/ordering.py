"""Puts many names in order a piece at a time, so that other threads have their turn in between.

`list.sort` of half a million names would hold the interpreter for most of a second, and the reactor with it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

# So many names are sorted at once.
PIECE = 4096
# So many names of each sorted run are looked at to find where the pieces meet.
_SAMPLE = 16


def in_order(names: Sequence[bytes], key: Callable[[bytes], bytes] | None = None) -> Iterator[list[bytes]]:
    """Yield *names* in the order of *key*, in pieces, none of them empty; what has the same key is in one piece."""
    runs = [sorted(names[start : start + PIECE], key=key) for start in range(0, len(names), PIECE)]
    sample = sorted(
        name if key is None else key(name) for run in runs for name in run[:: -(-len(run) // _SAMPLE)]
    )
    begun = [0] * len(runs)
    for meeting in sample[_SAMPLE::_SAMPLE]:
        ends = [bisect_right(run, meeting, start, key=key) for run, start in zip(runs, begun, strict=True)]
        piece = _merged(runs, begun, ends, key)
        if piece:
            yield piece
        begun = ends
    rest = _merged(runs, begun, [len(run) for run in runs], key)
    if rest:
        yield rest


def _merged(
    runs: list[list[bytes]], starts: list[int], ends: list[int], key: Callable[[bytes], bytes] | None
) -> list[bytes]:
    piece: list[bytes] = []
    for run, start, end in zip(runs, starts, ends, strict=True):
        piece += run[start:end]
    # What is in order run by run is merged, and not sorted anew.
    piece.sort(key=key)
    return piece
