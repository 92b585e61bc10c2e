"""What a fuzz target is, and what its inputs are made of."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

CORPUS = Path(__file__).parent / "corpus"
TOKENS = Path(__file__).parent / "tokens"
# The octet that stands for the first of a target's choices: "@", then "A", "B", ...
FIRST = 0x40
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """One thing to feed: *run* takes any octets, and raises where a promise is broken.

    Inputs lie in ``corpus/NAME``; *seeds* are more, from elsewhere in the tests. What inputs are made of stands in
    ``tokens/NAME.dict``, in the form that libFuzzer reads.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]] = tuple

    @property
    def folder(self) -> Path:
        """Where its corpus lies."""
        return CORPUS / self.name

    @property
    def dictionary(self) -> Path:
        """The file of its tokens."""
        return TOKENS / f"{self.name}.dict"

    def tokens(self) -> list[bytes]:
        """Return what its inputs are made of."""
        return [_unescaped(line[1:-1]) for line in self.dictionary.read_text(encoding="ascii").splitlines()]

    def inputs(self) -> Iterator[bytes]:
        """Yield its corpus."""
        for path in sorted(self.folder.iterdir()):
            yield path.read_bytes()
        yield from self.seeds()


def choose(data: bytes, index: int, choices: Sequence[T]) -> T:
    """Return the choice that the octet at *index* makes; the first where *data* ends before it."""
    octet = data[index] if index < len(data) else FIRST
    return choices[(octet - FIRST) % len(choices)]


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut *data* into pieces of *size* octets."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def _unescaped(text: str) -> bytes:
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
    return plain.encode("latin-1")
