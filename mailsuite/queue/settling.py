"""What became of claimed recipients, and how a message leaves the queue."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from mailsuite.outcome import Deferred, Failed, Outcome
from mailsuite.queue.due import lift, refresh
from mailsuite.queue.files import ContentFolder
from mailsuite.queue.rows import as_text
from mailsuite.queue.writer import Work
from mailsuite.queued import AS_BEFORE, Settled

# What a recipient may be claimed for so that its outcome says something about its destination.
_TRIED = ("try", "probe")

_CLAIMED = """
    SELECT r.message, r.destination, d.troubled, r.purpose, r.next_try, r.report_at, r.warned, m.expires
    FROM recipients r JOIN messages m ON m.number = r.message JOIN destinations d ON d.number = r.destination
    WHERE r.number = ?1 AND (r.owner = ?2 OR ?3 AND r.owner IS NULL)"""
_EMPTIED = """
    DELETE FROM messages WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM recipients WHERE message = ?1)
    RETURNING file"""
_KEEP = """
    UPDATE recipients SET owner = NULL, purpose = NULL, next_try = ?, report_at = ?, warned = ?, tries = tries + ?,
        last = coalesce(?, last), state = CASE WHEN ? THEN 'bounce' ELSE state END
    WHERE number = ?"""


def settle(
    work: Work, owner: int, settled: Sequence[Settled], folder: ContentFolder, now: float, stale: Collection[int] = ()
) -> int:
    """Keep what became of what *owner* has claimed; return how many are not its own any more, and stay as they are.

    What it had claimed before it was given up, *stale*, is still its own where nobody else has claimed it since.
    """
    connection = work.connection
    emptied: dict[int, None] = {}
    # With whether each turns out to work again.
    touched: dict[int, bool] = {}
    lost = 0
    for each in settled:
        number = each.recipient.number
        row = connection.execute(_CLAIMED, (number, owner, number in stale)).fetchone()
        if row is None:
            lost += 1
            continue
        message, destination, troubled, purpose, *times = row
        works = bool(troubled) and purpose in _TRIED and _is_verdict(each.outcome)
        touched[destination] = touched.get(destination, False) or works
        if each.next_try is None:
            connection.execute("DELETE FROM recipients WHERE number = ?", (number,))
            emptied[message] = None
        else:
            _keep(connection, each, each.next_try, purpose, *times)
    remove_emptied(work, emptied, folder)
    for destination, works in touched.items():
        if works:
            lift(connection, destination)
        refresh(connection, destination, now)
    return lost


def remove_emptied(work: Work, messages: Iterable[int], folder: ContentFolder) -> None:
    """Remove those of *messages* that have no recipient any more, with their content."""
    for message in messages:
        for (name,) in work.connection.execute(_EMPTIED, (message,)).fetchall():
            if name is None:
                work.connection.execute("DELETE FROM contents WHERE message = ?", (message,))
            else:
                work.after.append(partial(folder.remove, name))


def _is_verdict(outcome: Outcome | None) -> bool:
    """Whether *outcome* shows that the destination works: it said something about this message or recipient."""
    return outcome is not None and not (isinstance(outcome, Deferred) and outcome.whole)


def _keep(connection: sqlite3.Connection, settled: Settled, next_try: float, purpose: str | None, *times: Any) -> None:
    before, report_at, warned, expires = times
    due = before if next_try == AS_BEFORE else next_try
    if settled.warned:
        warned, report_at = True, expires
    elif purpose is not None and purpose not in _TRIED and next_try != AS_BEFORE:
        # The report could not be made, and comes again then. A warning changes nothing about the next try.
        report_at = next_try
        due = before if purpose == "warn" else next_try
    outcome = settled.outcome
    given_up = isinstance(outcome, Failed)
    if given_up:
        # Only its sender is still to be told.
        report_at = next_try
    connection.execute(
        _KEEP,
        (
            due, report_at, warned, outcome is not None, outcome and as_text(outcome), given_up,
            settled.recipient.number,
        ),
    )  # fmt: skip
