"""The maildrop as its session sees it: numbers that never shift, sizes, unique ids, marks (RFC 1939 §4, §5)."""

from collections.abc import Iterator, Sequence

from mailsuite.pop3.responses import BAD_NUMBER, MARKED_ALREADY, NO_SUCH_MESSAGE, Response

# Rows of a listing that are made at a time.
_ROWS = 1000
# Digits of the longest number that anybody has a use for.
_DIGITS = 19


def number(word: bytes) -> int | None:
    """Return the number that *word* is: decimal digits and nothing else, of a sane length."""
    return int(word) if len(word) <= _DIGITS and word.isdigit() else None


class Drop:
    """One snapshot. *sizes* and *unique_ids* are the respondent's own, shared and not copied."""

    __slots__ = ("_marks", "count", "octets", "sizes", "unique_ids")

    def __init__(self, sizes: Sequence[int], unique_ids: Sequence[str]) -> None:
        self.sizes = sizes
        self.unique_ids = unique_ids
        self._marks = bytearray(len(sizes))
        # RFC 1939 §5: marked messages are in neither total.
        self.count = len(sizes)
        self.octets = sum(sizes)

    def find(self, word: bytes) -> int | Response:
        """Return the index of the message whose number is *word*, or why there is none to be had."""
        wanted = number(word)
        if wanted is None:
            return BAD_NUMBER
        if not 1 <= wanted <= len(self.sizes):
            return NO_SUCH_MESSAGE
        return MARKED_ALREADY if self._marks[wanted - 1] else wanted - 1

    def mark(self, index: int) -> None:
        """Mark an unmarked message to be deleted."""
        self._marks[index] = 1
        self.count -= 1
        self.octets -= self.sizes[index]

    def unmark_all(self) -> None:
        """Forget all marks."""
        if self.count < len(self.sizes):
            self._marks = bytearray(len(self.sizes))
            self.count = len(self.sizes)
            self.octets = sum(self.sizes)

    def marked(self) -> list[int]:
        """Return the indexes of the marked messages."""
        return [index for index, mark in enumerate(self._marks) if mark]

    def rows(self, values: Sequence[object]) -> Iterator[bytes]:
        """Yield a listing of *values*, one row for each message that is not marked, in large pieces."""
        for start in range(0, len(values), _ROWS):
            stop = min(start + _ROWS, len(values))
            rows = [f"{index + 1} {values[index]}\r\n" for index in range(start, stop) if not self._marks[index]]
            yield "".join(rows).encode("ascii")


# What a session has before it has logged in; no command that could change it is legal then.
NO_DROP = Drop((), ())
