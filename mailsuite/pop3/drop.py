"""The maildrop as its session sees it: numbers that never shift, sizes, unique ids, marks (RFC 1939 §4, §5)."""

from collections.abc import Iterator, Sequence

from mailsuite.pop3.events import Rows
from mailsuite.pop3.responses import BAD_NUMBER, MARKED_ALREADY, NO_SUCH_MESSAGE, Response

# Rows of a listing that are sent at a time.
_ROWS = 2048
# RFC 1939 §3: an argument has up to so many characters.
_DIGITS = 40


def number(word: bytes) -> int | None:
    """Return the number that *word* is: decimal digits and nothing else, of a sane length."""
    return int(word) if len(word) <= _DIGITS and word.isdigit() else None


def rows_of(values: Sequence[object]) -> Rows:
    """Return what makes rows of *values* when they are asked for."""

    def made(start: int, stop: int) -> bytes:
        return "".join([f"{index + 1} {values[index]}\r\n" for index in range(start, stop)]).encode("ascii")

    return made


class Drop:
    """One snapshot. What it is made of is the respondent's own, shared and not copied: *sizes* and their sum *octets*,
    *unique_ids*, and the rows that LIST and UIDL send."""

    __slots__ = ("_all_octets", "_marks", "count", "id_rows", "octets", "size_rows", "sizes", "unique_ids")

    def __init__(
        self,
        sizes: Sequence[int],
        unique_ids: Sequence[str],
        octets: int | None = None,
        size_rows: Rows | None = None,
        id_rows: Rows | None = None,
    ) -> None:
        self.sizes = sizes
        self.unique_ids = unique_ids
        self.size_rows = size_rows or rows_of(sizes)
        self.id_rows = id_rows or rows_of(unique_ids)
        self._marks = bytearray(len(sizes))
        self._all_octets = sum(sizes) if octets is None else octets
        # RFC 1939 §5: marked messages are in neither total.
        self.count = len(sizes)
        self.octets = self._all_octets

    def find(self, word: bytes) -> int | Response:
        """Return the index of the message whose number is *word*, or why there is none to be had."""
        wanted = number(word)
        if wanted is None:
            return BAD_NUMBER
        if not 1 <= wanted <= len(self.sizes):
            return NO_SUCH_MESSAGE
        return MARKED_ALREADY if self._marks[wanted - 1] else wanted - 1

    def has(self, index: int) -> bool:
        """Say whether there is a message *index*, not marked."""
        return index < len(self._marks) and not self._marks[index]

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
            self.octets = self._all_octets

    def marked(self) -> list[int]:
        """Return the indexes of the marked messages."""
        found: list[int] = []
        # From mark to mark: a session that ends looks at no other message of a large mailbox.
        index = self._marks.find(1)
        while index >= 0:
            found.append(index)
            index = self._marks.find(1, index + 1)
        return found

    def rows(self, made: Rows) -> Iterator[bytes]:
        """Yield a listing, one row for each message that is not marked, in large pieces."""
        for start in range(0, len(self.sizes), _ROWS):
            stop = min(start + _ROWS, len(self.sizes))
            rows = made(start, stop)
            if self._marks.find(1, start, stop) >= 0:
                marked = self._marks[start:stop]
                each = rows.splitlines(keepends=True)
                rows = b"".join([row for row, mark in zip(each, marked, strict=True) if not mark])
            yield rows


# What a session has before it has logged in; no command that could change it is legal then.
NO_DROP = Drop((), ())
