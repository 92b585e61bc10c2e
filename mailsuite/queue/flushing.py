"""All that waits for a destination, due at once: in pieces that are short transactions."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from mailsuite.queue.due import lift, refresh

# Recipients that are made due in one transaction.
PIECE = 1000

# Each finds its index by what it says of the priority.
_WAITING = tuple(
    f" FROM recipients WHERE destination = ? AND state = 'waiting' AND owner IS NULL AND priority {which}"
    for which in ("= 0", "!= 0")
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a destination: *count* recipients, and in *pieces* the numbers of those that are not yet due."""

    destination: int = 0
    count: int = 0
    pieces: Sequence[Sequence[int]] = ()


def find_waiting(connection: sqlite3.Connection, name: str, now: float) -> Waiting:
    """Forget the trouble of the destination *name*, and find what waits for it.

    What `make_due` gets is settled here: each is made due once, though it may be tried and wait again meanwhile.
    """
    row = connection.execute("SELECT number FROM destinations WHERE name = ?", (name,)).fetchone()
    if row is None:
        return Waiting()
    lift(connection, row[0])
    refresh(connection, row[0], now)
    count = sum(connection.execute("SELECT count(*)" + waiting, row).fetchone()[0] for waiting in _WAITING)
    numbers = [
        number
        for waiting in _WAITING
        for (number,) in connection.execute("SELECT number" + waiting + " AND next_try > ?", (*row, now))
    ]
    pieces = [numbers[begin : begin + PIECE] for begin in range(0, len(numbers), PIECE)]
    return Waiting(row[0], count, pieces)


def make_due(connection: sqlite3.Connection, destination: int, numbers: Sequence[int], now: float) -> None:
    """Make the recipients *numbers* of *destination* due, where they still wait."""
    connection.executemany(
        "UPDATE recipients SET next_try = ? WHERE number = ? AND state = 'waiting' AND owner IS NULL AND next_try > ?",
        [(now, number, now) for number in numbers],
    )
    refresh(connection, destination, now)
