"""Puts many names in order a piece at a time, so that other threads have their turn in between.

`list.sort` of half a million names would hold the interpreter for most of a second, and the reactor with it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator

# About so many names are sorted at once.
PIECE = 2048
# So many names of each piece are looked at beforehand, to find where the pieces meet.
_SAMPLE = 8


def in_order(names: list[bytes], key: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    """Yield *names* in the order of *key*, in pieces, none of them empty. The list itself is emptied meanwhile."""
    if len(names) <= 2 * PIECE:
        if names:
            yield sorted(names, key=key)
            names.clear()
        return
    count = len(names) // PIECE
    sample = sorted(map(key, names[:: len(names) // (count * _SAMPLE)]))
    meetings = sample[_SAMPLE::_SAMPLE]
    pieces: list[list[bytes]] = [[] for _ in range(len(meetings) + 1)]
    while names:
        for name in names[-PIECE:]:
            pieces[bisect_right(meetings, key(name))].append(name)
        del names[-PIECE:]
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        if piece:
            piece.sort(key=key)
            yield piece
