"""One message into the queue: its rows, and the jobs of what is claimed in the same breath."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from mailsuite.outcome import Deferred
from mailsuite.queue.due import number_of, queue_is_held, refresh
from mailsuite.queue.files import Placed
from mailsuite.queue.rows import as_text, asked_as_text
from mailsuite.queued import Job, QueuedMessage, QueuedRecipient

_MESSAGE = """
    INSERT INTO messages (id, sender_local, sender_domain, arrived, expires, size, body, ret, envid, origin,
        arrived_from, smtputf8, asked, file, skip)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_RECIPIENT = """
    INSERT INTO recipients (message, destination, local, domain, mailbox_id, mailbox_path, notify, original, added,
        tries, next_try, report_at, warned, last, owner, purpose, priority, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# What is held, or was down and is not yet up again, gets no new mail past what waits already.
_PLACE = """
    SELECT number, NOT (held OR troubled OR EXISTS (SELECT 1 FROM meta WHERE name = 'held'))
    FROM destinations WHERE name = ?"""


@dataclass(frozen=True, slots=True)
class Accepting:
    """How messages come in: *owner* claims, at the time *now*; a sender is told of a delay after *delay_warning*.

    0 means never. A job has at most *most* recipients.
    """

    connection: sqlite3.Connection
    owner: int
    now: float
    delay_warning: float
    most: int

    def accept(
        self, message: QueuedMessage, recipients: Sequence[QueuedRecipient], placed: Placed, wanted: Collection[str]
    ) -> list[Job]:
        """Insert *message*; claim what is for the destinations *wanted*, unless they are held or in trouble.

        What is to be released later, or is held, is not claimed.
        """
        if message.asked.release > self.now or message.hold:
            wanted = ()
        message = replace(message, size=placed.size, number=self._insert_message(message, placed))
        jobs: list[Job] = []
        for name, group in _by_destination(recipients).items():
            destination, free = self._place(name)
            claimed = name in wanted and free
            numbered = self._insert_recipients(message, destination, group, claimed)
            if claimed:
                jobs += [Job(message, part, content=placed.octets) for part in _parts(numbered, self.most)]
            else:
                refresh(self.connection, destination, self.now)
        return jobs

    def _insert_message(self, message: QueuedMessage, placed: Placed) -> int:
        sender = message.reverse_path
        cursor = self.connection.execute(
            _MESSAGE,
            (
                message.id, sender and sender.local, sender and sender.domain, message.arrived, message.expires,
                placed.size, message.body, message.ret, message.envid, message.origin, message.arrived_from,
                message.smtputf8, asked_as_text(message.asked), placed.file, placed.skip,
            ),
        )  # fmt: skip
        number = int(cursor.lastrowid or 0)
        if placed.octets is not None:
            self.connection.execute("INSERT INTO contents VALUES (?, ?)", (number, placed.octets))
        return number

    def _place(self, name: str) -> tuple[int, bool]:
        """Return the destination's number, and whether its mail may be claimed at once."""
        row = self.connection.execute(_PLACE, (name,)).fetchone()
        if row is None:
            return number_of(self.connection, name), not queue_is_held(self.connection)
        return row[0], bool(row[1])

    def _insert_recipients(
        self, message: QueuedMessage, destination: int, group: Sequence[QueuedRecipient], claimed: bool
    ) -> list[QueuedRecipient]:
        owner, purpose = (self.owner, "try") if claimed else (None, None)
        asked = message.asked
        # RFC 4865 §4.2 (5), (6): what is to wait is not even looked at before.
        state = "held" if message.hold else "scheduled" if asked.release > self.now else "waiting"
        held = as_text(Deferred("4.7.0", message.hold)) if message.hold else None
        begin = max(message.arrived, asked.release)
        numbered: list[QueuedRecipient] = []
        for each in group:
            inserted = self.connection.execute(
                _RECIPIENT,
                (
                    message.number, destination, each.address.local, each.address.domain,
                    each.mailbox and each.mailbox.id, each.mailbox and each.mailbox.path, each.notify, each.original,
                    each.added, each.tries, begin, self._report_at(message, each, begin), each.warned,
                    held or (each.last and as_text(each.last)), owner, purpose, asked.priority, state,
                ),
            )  # fmt: skip
            if claimed:
                numbered.append(replace(each, number=int(inserted.lastrowid or 0)))
        return numbered

    def _report_at(self, message: QueuedMessage, recipient: QueuedRecipient, begin: float) -> float:
        at = message.expires
        if message.reverse_path is None or recipient.warned or not recipient.wants("DELAY"):
            return at
        if message.asked.by_mode == "N":
            # RFC 2852 §4.1.3
            at = min(at, message.asked.by)
        return min(begin + self.delay_warning, at) if self.delay_warning > 0 else at


def _by_destination(recipients: Sequence[QueuedRecipient]) -> dict[str, list[QueuedRecipient]]:
    groups: dict[str, list[QueuedRecipient]] = {}
    for recipient in recipients:
        groups.setdefault(recipient.destination, []).append(recipient)
    return groups


def _parts(recipients: Sequence[QueuedRecipient], most: int) -> Iterator[tuple[QueuedRecipient, ...]]:
    for begin in range(0, len(recipients), most):
        yield tuple(recipients[begin : begin + most])
