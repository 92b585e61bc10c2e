"""The versions of a database: how it becomes one of the next version, or of the one before, step by step.

The version is SQLite's ``user_version``. A step is never changed once it has been released: it knows the file as it
was then, and not as it is now.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mailsuite.counted import counted

Change: TypeAlias = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True, slots=True)
class Step:
    """The way *up* from one version to the next, and *down* again.

    *lost* says, before the way down, what the older version cannot hold: each in words, nothing where all fits.
    """

    up: Change
    down: Change
    lost: Callable[[sqlite3.Connection], Sequence[str]]


# From each older version to the one after it.
Steps: TypeAlias = Mapping[int, Step]


class WouldLose(Exception):
    """An older version cannot hold what is in *lost*."""

    def __init__(self, lost: Sequence[str]) -> None:
        super().__init__(", ".join(lost))
        self.lost = tuple(lost)


def upgrade(connection: sqlite3.Connection, steps: Steps) -> int:
    """Bring the file as far up as *steps* lead, and return the version that it was of. Within a transaction."""
    before = version = version_of(connection)
    while version in steps:
        steps[version].up(connection)
        version += 1
    _set_version(connection, version)
    return before


def downgrade(connection: sqlite3.Connection, steps: Steps, version: int, lossy: bool = False) -> int:
    """Bring the file down to *version*, and return the one that it was of. Within a transaction.

    Raises `WouldLose` where that loses something, unless it may be *lossy*.
    """
    before = version_of(connection)
    for number in range(before - 1, version - 1, -1):
        lost = steps[number].lost(connection)
        if lost and not lossy:
            raise WouldLose(lost)
        steps[number].down(connection)
    _set_version(connection, version)
    return before


def run(connection: sqlite3.Connection, *statements: str) -> None:
    """Execute *statements*, one after the other."""
    for statement in statements:
        connection.execute(statement)


def present(connection: sqlite3.Connection, questions: Sequence[tuple[str, str, str]]) -> Sequence[str]:
    """Return how many there are of each thing, as ``3 frozen logins``; a question is what one and what several are
    called, and a table with its condition. What there is none of is left out."""
    found = []
    for one, several, rows in questions:
        (count,) = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()  # noqa: S608 (our own words)
        if count:
            found.append(counted(count, one, several))
    return found


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _set_version(connection: sqlite3.Connection, version: int) -> None:
    connection.execute(f"PRAGMA user_version = {version}")
