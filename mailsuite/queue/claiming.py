"""What is due, claimed: fair between destinations, at a cost that does not grow with what waits.

No row is looked at for a destination that has nothing due, is put off, held, or has no room now.
"""

import sqlite3
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from mailsuite.outcome import Outcome
from mailsuite.queue.due import queue_is_held, refresh
from mailsuite.queue.rows import SELECT_MESSAGE, SELECT_RECIPIENT, as_message, as_outcome, as_recipient
from mailsuite.queue.schedule import FAIR
from mailsuite.queue.unreadable import Part
from mailsuite.queued import Job, Purpose, QueuedMessage, QueuedRecipient

# RFC 6710 §5: priorities, from the highest. A destination's turn that is a multiple of `FAIR` is that of the oldest.
_ABOVE, _BELOW = range(9, 0, -1), range(-1, -10, -1)
# Of what has to be reported, so many recipients are looked at for one claim.
REPORTED_AT_ONCE = 1000

# The index is named where another one would do, too: how a claim is found must not depend on what SQLite guesses.
_DESTINATION = "SELECT number, name, troubled, last FROM destinations "
_DUE = _DESTINATION + "WHERE due <= ? AND held = 0 ORDER BY due"
_NAMED = _DESTINATION + "WHERE name = ? AND due <= ? AND held = 0"
_ORDINARY = """
    FROM recipients INDEXED BY recipients_of_destination WHERE destination = ?1
    AND state = 'waiting' AND owner IS NULL AND priority = 0 AND next_try <= ?2 ORDER BY next_try LIMIT 1"""
_OTHER = """
    FROM recipients INDEXED BY recipients_ranked WHERE destination = ?1
    AND state = 'waiting' AND owner IS NULL AND priority != 0 AND next_try <= ?2 ORDER BY next_try LIMIT 1"""
# What is due of priority 0, which nearly all is; and whether there is anything else.
_FIRST = f"SELECT (SELECT message {_ORDINARY}), EXISTS (SELECT 1 {_OTHER})"
_OLDEST = f"""
    SELECT message FROM (SELECT * FROM (SELECT message, next_try AS at {_ORDINARY})
        UNION ALL SELECT * FROM (SELECT message, next_try {_OTHER})) ORDER BY at LIMIT 1"""  # noqa: S608 (the same)
_OF_PRIORITY = """
    SELECT message FROM recipients INDEXED BY recipients_by_priority WHERE destination = ? AND state = 'waiting'
    AND owner IS NULL AND priority != 0 AND next_try <= ? AND priority = ? ORDER BY next_try LIMIT 1"""
_ITS_RECIPIENTS = SELECT_RECIPIENT + """ INDEXED BY recipients_of_message
    WHERE message = ? AND destination = ? AND state = 'waiting' AND owner IS NULL AND next_try <= ? LIMIT ?"""
_TO_REPORT = SELECT_RECIPIENT + """ INDEXED BY recipients_to_report
    WHERE state IN ('waiting', 'bounce') AND report_at <= ? AND owner IS NULL ORDER BY report_at LIMIT ?"""
_MESSAGE = SELECT_MESSAGE + " WHERE number = ?"
_CLAIM = "UPDATE recipients SET owner = ?, purpose = ? WHERE number = ?"


@dataclass(slots=True)
class _Destination:
    """One that has something due; *left* is for how many more jobs it is good."""

    number: int
    name: str
    troubled: bool
    last: Outcome | None
    left: int = 0


class Claim:
    """One claim by *owner* at the time *now*; a job has at most *most* recipients, and none of those in *stale*.

    *at* is what it looks at just now: where it fails, that cannot be read. Of what has to be reported it looks at
    *rows* at most. *turns* counts on from claim to claim.
    """

    def __init__(
        self, connection: sqlite3.Connection, owner: int, now: float, most: int, stale: Collection[int] = (),
        rows: int = REPORTED_AT_ONCE, turns: Iterator[int] | None = None,
    ) -> None:
        self._connection = connection
        self._owner = owner
        self._stale = stale
        self._now = now
        self._most = most
        self._messages: dict[int, QueuedMessage] = {}
        self.at: Part | None = None
        self._readable = rows
        self._turns = count(1) if turns is None else turns

    def jobs(self, room: int, reports: int, allowances: Mapping[str, int], default: int) -> list[Job]:
        """See `IQueue.claim`."""
        if queue_is_held(self._connection):
            return []
        told = self._reports(reports) if reports > 0 else []
        return told + (self._tries(room, allowances, default) if room > 0 else [])

    def look(self, part: Part) -> None:
        """Say what is looked at now."""
        self.at = part

    # What is to be tried

    def _tries(self, room: int, allowances: Mapping[str, int], default: int) -> list[Job]:
        self.at = None
        found = list(self._destinations(room, allowances, default))
        row = deque(found)
        jobs: list[Job] = []
        while row and len(jobs) < room:
            destination = row.popleft()
            job = self._try(destination)
            if job is None:
                continue
            jobs.append(job)
            destination.left -= 1
            if destination.left:
                row.append(destination)
        self._had_their_turn(found)
        return jobs

    def _destinations(self, room: int, allowances: Mapping[str, int], default: int) -> Iterator[_Destination]:
        """Yield at most *room* destinations, those first that were due or had their turn the longest time ago."""
        for row in self._rows(allowances, default):
            if room <= 0:
                return
            number, name, troubled, last = row
            allowance = allowances.get(name, default)
            if allowance > 0:
                room -= 1
                # One that was down is looked at with one job first.
                left = 1 if troubled else allowance
                yield _Destination(number, name, bool(troubled), as_outcome(last), left)

    def _rows(self, allowances: Mapping[str, int], default: int) -> Iterable[Sequence[Any]]:
        if default > 0:
            # Those that are full are stepped over: no more than the caller knows by name.
            return self._connection.execute(_DUE, (self._now,))
        names = [name for name, allowance in allowances.items() if allowance > 0]
        return [row for name in names for row in self._connection.execute(_NAMED, (name, self._now))]

    def _try(self, destination: _Destination) -> Job | None:
        self.look(Part("destination", destination.number))
        first, ranked = self._connection.execute(_FIRST, (destination.number, self._now)).fetchone()
        if ranked:
            first = self._by_priority(destination.number, first)
        if first is None:
            return None
        self.look(Part("message", destination.number, first))
        rows = self._connection.execute(_ITS_RECIPIENTS, (first, destination.number, self._now, self._most))
        recipients = self._fresh(as_recipient(row, destination.name) for row in rows)
        if not recipients:
            # What we let go of any moment now bars the way.
            return None
        message = self._message(first)
        if message.expires <= self._now:
            return self._job(message, recipients, "expire", [destination])
        return self._job(message, recipients, "try", [destination])

    def _by_priority(self, destination: int, ordinary: int | None) -> int | None:
        """Return the next message where there is more than the *ordinary* one, that of priority 0 (RFC 6710 §5.1)."""
        place = (destination, self._now)
        if next(self._turns) % FAIR == 0:
            return int(self._connection.execute(_OLDEST, place).fetchone()[0])
        return self._highest(place, _ABOVE) or ordinary or self._highest(place, _BELOW)

    def _highest(self, place: tuple[int, float], priorities: Iterable[int]) -> int | None:
        for priority in priorities:
            found = self._connection.execute(_OF_PRIORITY, (*place, priority)).fetchone()
            if found is not None:
                return int(found[0])
        return None

    def _had_their_turn(self, destinations: Sequence[_Destination]) -> None:
        for destination in destinations:
            self.look(Part("destination", destination.number))
            self._connection.execute(
                "UPDATE destinations SET served = ? WHERE number = ?", (self._now, destination.number)
            )
            refresh(self._connection, destination.number, self._now)

    # What is to be reported

    def _reports(self, room: int) -> list[Job]:
        # All of a message at once, whatever their destinations: its sender gets one report.
        groups: dict[tuple[int, str], list[Sequence[Any]]] = {}
        self.look(Part("reports"))
        found = self._connection.execute(_TO_REPORT, (self._now, min(self._readable, REPORTED_AT_ONCE)))
        for readable, row in enumerate(found, start=1):
            self.look(Part("reports", readable=readable))
            message, _, state = row[:3]
            groups.setdefault((message, state), []).append(row)
        jobs: list[Job] = []
        for (number, state), rows in list(groups.items())[:room]:
            self.look(Part("report", message=number))
            message = self._message(number)
            places = {place: self._destination(place) for _, place, *_ in rows[: self._most]}
            recipients = self._fresh(as_recipient(row, places[row[1]].name) for row in rows[: self._most])
            if recipients:
                jobs.append(self._job(message, recipients, self._why(message, state), places.values()))
                for place in places:
                    refresh(self._connection, place, self._now)
        return jobs

    def _why(self, message: QueuedMessage, state: str) -> Purpose:
        if state == "bounce":
            return "bounce"
        return "expire" if message.expires <= self._now else "warn"

    def _destination(self, number: int) -> _Destination:
        row = self._connection.execute(_DESTINATION + "WHERE number = ?", (number,)).fetchone()
        return _Destination(row[0], row[1], bool(row[2]), as_outcome(row[3]))

    # Both

    def _fresh(self, recipients: Iterable[QueuedRecipient]) -> list[QueuedRecipient]:
        return [recipient for recipient in recipients if recipient.number not in self._stale]

    def _message(self, number: int) -> QueuedMessage:
        found = self._messages.get(number)
        if found is None:
            found = as_message(self._connection.execute(_MESSAGE, (number,)).fetchone())
            self._messages[number] = found
        return found

    def _job(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        purpose: Purpose,
        destinations: Collection[_Destination],
    ) -> Job:
        # What holds them up is the destination's trouble; their own last try tells less, or there was none.
        troubles = {each.name: each.last for each in destinations if each.last is not None}
        probe = purpose == "try" and any(each.troubled for each in destinations)
        self._connection.executemany(
            _CLAIM, [(self._owner, "probe" if probe else purpose, recipient.number) for recipient in recipients]
        )
        if purpose != "bounce":
            recipients = [replace(each, last=troubles.get(each.destination, each.last)) for each in recipients]
        return Job(message, tuple(recipients), purpose)
