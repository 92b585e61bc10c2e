"""What became of claimed recipients, and how a message leaves the queue."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from mailsuite.asked import Asked
from mailsuite.outcome import Deferred, Failed, Outcome
from mailsuite.queue.due import lift, refresh
from mailsuite.queue.files import ContentFolder
from mailsuite.queue.rows import as_asked, as_text
from mailsuite.queue.writer import Work
from mailsuite.queued import AS_BEFORE, Settled

# What a recipient may be claimed for so that its outcome says something about its destination.
_TRIED = ("try", "probe")

# Numbers come as one JSON array: one statement for however many there are.
_CLAIMED = """
    SELECT r.number, r.owner, r.message, r.destination, d.troubled, r.purpose, r.next_try, r.report_at, r.warned,
        m.expires, m.asked
    FROM recipients r JOIN messages m ON m.number = r.message JOIN destinations d ON d.number = r.destination
    WHERE r.number IN (SELECT value FROM json_each(?))"""
_LEAVE = "DELETE FROM recipients WHERE number IN (SELECT value FROM json_each(?))"
_EMPTIED = """
    DELETE FROM messages WHERE number IN (SELECT value FROM json_each(?))
        AND NOT EXISTS (SELECT 1 FROM recipients WHERE message = messages.number)
    RETURNING number, file"""
_FORGET = "DELETE FROM contents WHERE message IN (SELECT value FROM json_each(?))"
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
    found = _claimed(connection, owner, [each.recipient.number for each in settled], stale)
    leaving: list[int] = []
    emptied: dict[int, None] = {}
    # With whether each turns out to work again.
    touched: dict[int, bool] = {}
    lost = 0
    for each in settled:
        number = each.recipient.number
        row = found.pop(number, None)
        if row is None:
            lost += 1
            continue
        message, destination, troubled, purpose, *times = row
        works = bool(troubled) and purpose in _TRIED and _is_verdict(each.outcome)
        touched[destination] = touched.get(destination, False) or works
        if each.next_try is None:
            leaving.append(number)
            emptied[message] = None
        else:
            _keep(connection, each, each.next_try, purpose, *times)
    if leaving:
        connection.execute(_LEAVE, (_array(leaving),))
        remove_emptied(work, emptied, folder)
    for destination, works in touched.items():
        if works:
            lift(connection, destination)
        refresh(connection, destination, now)
    return lost


def remove_emptied(work: Work, messages: Iterable[int], folder: ContentFolder) -> None:
    """Remove those of *messages* that have no recipient any more, with their content."""
    inline: list[int] = []
    for number, name in work.connection.execute(_EMPTIED, (_array(messages),)).fetchall():
        if name is None:
            inline.append(number)
        else:
            work.after.append(partial(folder.remove, name))
    if inline:
        work.connection.execute(_FORGET, (_array(inline),))


def _claimed(
    connection: sqlite3.Connection, owner: int, numbers: Sequence[int], stale: Collection[int]
) -> dict[int, tuple[Any, ...]]:
    """Return the rows of those of *numbers* that are still claimed by *owner*, by number."""
    rows = connection.execute(_CLAIMED, (_array(numbers),))
    return {
        number: tuple(row)
        for number, holder, *row in rows
        if holder == owner or (holder is None and number in stale)
    }


def _array(numbers: Iterable[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"


def _is_verdict(outcome: Outcome | None) -> bool:
    """Whether *outcome* shows that the destination works: it said something about this message or recipient."""
    return outcome is not None and not (isinstance(outcome, Deferred) and outcome.whole)


def _told_again_at(asked: Asked, told_at: float, expires: float) -> float:
    """RFC 2852 §4.1.3: that the deliver-by-time has come is news also to who was told of the delay before."""
    return asked.by if asked.by_mode == "N" and told_at < asked.by < expires else expires


def _keep(connection: sqlite3.Connection, settled: Settled, next_try: float, purpose: str | None, *times: Any) -> None:
    before, report_at, warned, expires, asked = times
    due = before if next_try == AS_BEFORE else next_try
    if settled.warned:
        warned, report_at = True, expires if asked is None else _told_again_at(as_asked(asked), report_at, expires)
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
