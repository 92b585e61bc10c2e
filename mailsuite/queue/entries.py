"""What an operator sees of the queue: one entry for each recipient, and which of them a request is about."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from mailsuite.address import domain_key, unquoted
from mailsuite.database import LARGEST
from mailsuite.outcome import Outcome
from mailsuite.queue.rows import MESSAGE, RECIPIENT, as_message, as_outcome, as_recipient
from mailsuite.queued import QueuedMessage, QueuedRecipient

State: TypeAlias = Literal["waiting", "scheduled", "held", "bounce", "damaged"]
Status: TypeAlias = Literal["waiting", "scheduled", "held", "claimed", "bounce", "damaged"]

# More rows than a database counts.
# Entries that are read, or changed, in one transaction: neither keeps the server waiting.
PAGE = 500

_OWN = (
    "(SELECT 1 FROM meta WHERE name = 'held'), r.owner, r.next_try, r.report_at,"
    " d.name, d.not_before, d.troubled, d.held, d.last"
)
_OWN_COLUMNS = 9
_MESSAGE_COLUMNS = len(MESSAGE.split(","))
_ADDRESS = re.compile(r"@[^@>]+>?$")
_NO_DOMAIN = re.compile(r"[@\s]")
# Octets of a command line that are no UTF-8: the database cannot even be asked for them.
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
# CROSS JOIN: the recipients come first, in the order of their numbers, whatever else is asked for.
_TABLES = """
    FROM recipients r CROSS JOIN messages m ON m.number = r.message
        CROSS JOIN destinations d ON d.number = r.destination"""


@dataclass(frozen=True, slots=True)
class Place:
    """A destination as a whole: put off until *not_before* (0: it is not) since it is in *trouble*; held by us."""

    name: str
    not_before: float = 0.0
    trouble: Outcome | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One recipient in the queue.

    *claimed*: a process of the server has it in its hands, to try it or to report. *next_try* is its own time,
    *report_at* when its sender is told that it is late or given up. *queue_held*: the whole queue stands still.
    """

    message: QueuedMessage
    recipient: QueuedRecipient
    state: State
    claimed: bool
    next_try: float
    report_at: float
    place: Place
    queue_held: bool

    @property
    def status(self) -> Status:
        """Its state, or that it is claimed."""
        return "claimed" if self.claimed else self.state

    @property
    def tried_next(self) -> float | None:
        """When it is tried next, in POSIX seconds; ``None`` where that takes an operator, or is now."""
        if self.state not in ("waiting", "scheduled") or self.claimed or self.place.held or self.queue_held:
            return None
        return max(self.next_try, self.place.not_before)

    @property
    def last(self) -> Outcome | None:
        """What was said last: to its destination as a whole where it waits for that, else to it, or why it is held."""
        if self.state in ("waiting", "scheduled"):
            return self.place.trouble or self.recipient.last
        return self.recipient.last or self.place.trouble


class Selection(Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries a request is about: those that all of this is true of; without any of it, all.

    *sender* and *recipient* are addresses, ``@domain``, or (*sender*) ``<>``; *domain* is the recipient's. *before*
    and *since* bound the time of arrival. *limit* ends it after so many. Raises `ValueError` for what no mail can
    have: an empty text is more likely one that was forgotten.
    """

    id: str | None = None
    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    destination: str | None = None
    before: float | None = None
    since: float | None = None
    status: Status | None = None
    limit: Annotated[int, Meta(ge=1, le=LARGEST)] | None = None

    def __post_init__(self) -> None:
        for text in (self.id, self.sender, self.recipient, self.domain, self.destination):
            if text is not None and _NO_TEXT.search(text):
                raise ValueError(f"{text!r} is not UTF-8, so no mail can have it")
        for text in (self.sender if self.sender != "<>" else None, self.recipient):
            if text is not None and not _ADDRESS.search(text):
                raise ValueError(f"{text!r} is no address; expected one such as a@example.org, or @example.org")
        if self.domain is not None and (not self.domain or _NO_DOMAIN.search(self.domain)):
            raise ValueError(f"{self.domain!r} is no domain; expected one such as example.org")

    @property
    def names_nothing(self) -> bool:
        """Whether it is about the whole queue, or the first of it."""
        return all(getattr(self, name) is None for name in Selection.__struct_fields__ if name != "limit")

    def conditions(self) -> tuple[list[str], list[object]]:
        """Return SQL conditions on the tables m, r and d, and the values that they bind."""
        parts = [
            _equal("r.message IN (SELECT number FROM messages WHERE id = ?)", self.id),
            _address("m.sender_local", "m.sender_domain", self.sender),
            _address("r.local", "r.domain", self.recipient),
            _domain("r.domain", self.domain),
            _destination(self.destination),
            ("m.arrived <= ?", [self.before]) if self.before is not None else None,
            ("m.arrived >= ?", [self.since]) if self.since is not None else None,
            _status(self.status),
        ]
        chosen = [part for part in parts if part is not None]
        return [condition for condition, _ in chosen], [value for _, values in chosen for value in values]


def pages(connection: sqlite3.Connection, selection: Selection, after: int = 0) -> Iterator[list[Entry]]:
    """Yield what is selected in the order of arrival, page by page; between two pages it may be changed.

    It begins behind the recipient whose number is *after*.
    """
    conditions, values = selection.conditions()
    left = selection.limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        where = " AND ".join(["r.number > ?", *conditions])
        rows = connection.execute(
            f"SELECT {_OWN}, {MESSAGE}, {RECIPIENT} {_TABLES} WHERE {where} ORDER BY r.number LIMIT ?",
            (after, *values, size),
        )
        page = [_as_entry(row) for row in rows]
        if page:
            after = page[-1].recipient.number
            yield page
        if len(page) < size:
            return
        left = None if left is None else left - len(page)


def count(connection: sqlite3.Connection, selection: Selection) -> tuple[int, int]:
    """Return how many recipients, and of how many messages, are selected."""
    conditions, values = selection.conditions()
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if selection.limit is not None:
        where += " LIMIT ?"
        values.append(selection.limit)
    recipients, messages = connection.execute(
        f"SELECT count(*), count(DISTINCT message) FROM (SELECT r.message {_TABLES}{where})",  # noqa: S608
        values,
    ).fetchone()
    return recipients, messages


def _as_entry(row: Sequence[Any]) -> Entry:
    queue_held, owner, next_try, report_at, name, not_before, troubled, held, last = row[:_OWN_COLUMNS]
    message = as_message(row[_OWN_COLUMNS : _OWN_COLUMNS + _MESSAGE_COLUMNS])
    columns = row[_OWN_COLUMNS + _MESSAGE_COLUMNS :]
    place = Place(name, not_before, as_outcome(last) if troubled else None, bool(held))
    recipient = as_recipient(columns, name)
    return Entry(message, recipient, columns[2], owner is not None, next_try, report_at, place, bool(queue_held))


_Part: TypeAlias = tuple[str, Sequence[object]] | None


def _equal(condition: str, text: str | None) -> _Part:
    return None if text is None else (condition, [text])


def _destination(name: str | None) -> _Part:
    """The name of a route is taken as it is, a domain however it is written."""
    return None if name is None else ("d.name IN (?, ?)", [name, domain_key(name)])


def _domain(column: str, text: str | None) -> _Part:
    """Domains match without regard to case (RFC 5321 §2.4), however an international one is written."""
    return None if text is None else (f"{column} COLLATE NOCASE IN (?, ?)", [text, domain_key(text)])


def _address(local: str, domain: str, text: str | None) -> _Part:
    if text is None:
        return None
    if text == "<>":
        return f"{local} IS NULL", []
    name, _, host = text.removeprefix("<").removesuffix(">").rpartition("@")
    part = _domain(domain, host)
    assert part is not None
    if not name:
        return part
    return f"{local} = ? COLLATE NOCASE AND {part[0]}", [unquoted(name), *part[1]]


def _status(status: Status | None) -> _Part:
    if status is None:
        return None
    if status == "claimed":
        return "r.owner IS NOT NULL", []
    return "r.state = ? AND r.owner IS NULL", [status]
