"""A loop that is always the same work, to tell a slow machine from slow code."""

import time


def calibrate() -> float:
    """Return the seconds of CPU that one turn takes: pure Python, calls, attributes, dicts and octets, no system."""
    began = time.process_time()
    for _ in range(_TURNS):
        _turn()
    return (time.process_time() - began) / _TURNS


_TURNS = 2000


class _Counter:
    """Something with an attribute and a method."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int) -> None:
        self.count += number


def _turn() -> int:
    counter = _Counter()
    found: dict[bytes, int] = {}
    text = b"MAIL FROM:<somebody@client.example> SIZE=4096\r\n" * 4
    for line in text.split(b"\r\n"):
        verb, _, rest = line.partition(b" ")
        found[verb] = found.get(verb, 0) + len(rest)
        counter.add(len(line))
    return counter.count + sum(found.values())
