"""Parts of a damaged file that a claim met: passed over for a while, so that they bar the way of nothing else.

After such a meeting SQLite lets nothing be written in the same transaction. So what was met is remembered, the claim
is undone, and the next one begins with passing it over.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from twisted.logger import Logger

from mailsuite.database import primary_code

# What cannot be read is looked at again after so many seconds.
UNREADABLE_SECONDS = 300.0

Kind: TypeAlias = Literal["message", "destination", "report", "reports"]

_MESSAGE = "UPDATE recipients SET next_try = ? WHERE message = ? AND destination = ? AND owner IS NULL"
# `not_before` stands whoever finds `due` anew; that nothing is looked up for it lets it work in any damage.
_DESTINATION = "UPDATE destinations SET not_before = ?1, due = ?1 WHERE number = ?2"
_REPORT = "UPDATE recipients SET report_at = ? WHERE message = ? AND owner IS NULL AND report_at <= ?"

# Such complaints are about what was read; a row that is no text is a general error. Others pass by themselves.
_OF_THE_FILE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_ERROR)


@dataclass(frozen=True, slots=True)
class Part:
    """What a claim looks at: a *message* for a *destination*, or all for that one; a report on a *message*, or all.

    Of all that is to be reported, *readable* rows come before the trouble.
    """

    kind: Kind
    destination: int = 0
    message: int = 0
    readable: int = 0

    @property
    def wider(self) -> "Part | None":
        """What is passed over where this one cannot be."""
        match self.kind:
            case "message":
                return Part("destination", self.destination)
            case "report":
                return Part("reports")
            case _:
                return None


class Unreadable:
    """What could not be read. All but `again` is for the writer's thread."""

    _log = Logger()

    def __init__(self) -> None:
        # Whether another claim may do better than the one that has just failed.
        self.again = False
        self._parts: dict[Part, None] = {}
        # So many rows of what is to be reported can be read, and nothing is reported before that time.
        self._readable: int | None = None
        self._reports_from = 0.0

    def rows(self, most: int, now: float) -> int:
        """Return how many rows of what is to be reported may be looked at: *most*, if they can be read."""
        if self._readable is not None:
            return self._readable
        # A clock that was set back delays no report for longer.
        return 0 if now < self._reports_from <= now + UNREADABLE_SECONDS else most

    def pass_over(self, connection: sqlite3.Connection, now: float, look: Callable[[Part], None]) -> None:
        """Let what was met be looked at later; *look* hears of each before."""
        for part in self._parts:
            look(part)
            later = now + UNREADABLE_SECONDS
            match part.kind:
                case "message":
                    connection.execute(_MESSAGE, (later, part.message, part.destination))
                case "destination":
                    connection.execute(_DESTINATION, (later, part.destination))
                case _:
                    connection.execute(_REPORT, (later, part.message, now))

    def met(self, part: Part, error: Exception) -> None:
        """A claim failed with *error* when it looked at *part*, or passed it over."""
        if isinstance(error, sqlite3.Error) and primary_code(error) not in _OF_THE_FILE:
            return
        self._log.error(
            "The queue's file cannot be read, and is passed over, for {part}: {reason}",
            part=part, reason=repr(error),
        )  # fmt: skip
        wanted: Part | None = part
        if part in self._parts:
            # Nor can it be passed over.
            del self._parts[part]
            wanted = part.wider
        if wanted is None:
            return
        self.again = True
        if wanted.kind == "reports":
            self._readable = wanted.readable if self._readable is None else 0
        else:
            self._parts[wanted] = None

    def passed(self, now: float) -> None:
        """What was passed over is durably so."""
        self._parts.clear()
        if self._readable is not None:
            self._readable = None
            self._reports_from = now + UNREADABLE_SECONDS
