"""A long queue costs a claim no more than a short one: counted in steps of SQLite's machine, not in time."""

import re
import sqlite3
from collections.abc import Callable

import pytest

from mailsuite.outcome import DELIVERED, Deferred
from mailsuite.queue import claiming, due, entries, flushing
from mailsuite.queue.store import SqliteQueue
from mailsuite.queue.writer import Work
from mailsuite.queued import Job, Settled
from tests.queue.queues import NOW, Queues

LONG = 100_000
# Instructions of SQLite's virtual machine for one claim of ten jobs; measured: about 3,500, however long the queue.
STEPS = 10_000
_GRAIN = 10


def fill(queues: Queues, recipients: int, places: int) -> None:
    """Put *recipients* into the file, each with a message of its own, spread over so many destinations; all due."""
    with queues.sql() as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO destinations (number, name, due) VALUES (?, ?, ?)",
            ((number, f"d{number}.example", NOW - 1) for number in range(1, places + 1)),
        )
        connection.executemany(
            """INSERT INTO messages (number, id, sender_local, sender_domain, arrived, expires, size, body, ret, envid,
            origin, arrived_from, skip) VALUES (?, ?, 'c', 'a.example', ?, ?, 0, '', '', '', '', '', 0)""",
            ((number, f"m{number}", NOW - 1, NOW + 1e6) for number in range(1, recipients + 1)),
        )
        connection.executemany(
            """INSERT INTO recipients (number, message, destination, local, domain, notify, original, added, next_try,
            report_at) VALUES (?, ?, ?, 'r', 'd', '', '', x'', ?, ?)""",
            ((number, number, number % places + 1, NOW - 1, NOW + 1e6) for number in range(1, recipients + 1)),
        )
        connection.execute("COMMIT")


def steps(queues: Queues, queue: SqliteQueue, call: Callable[[Work], object]) -> int:
    """Return how many steps *call* takes, to within a few."""
    count = 0

    def step() -> int:
        nonlocal count
        count += _GRAIN
        return 0

    def counted(work: Work) -> None:
        work.connection.set_progress_handler(step, _GRAIN)
        call(work)
        work.connection.set_progress_handler(None, 0)

    queues.wait(queue._writer.ask(counted))
    return count


def claim_steps(queues: Queues, queue: SqliteQueue, jobs: int = 10, **options: object) -> int:
    """Return the steps of a claim that must give so many jobs."""
    got: list[Job] = []
    arguments = {"room": 10, "reports": 5, "allowances": {}, "default": 10, **options}
    count = steps(queues, queue, lambda work: got.extend(queue._claim(work=work, **arguments)))  # type: ignore[arg-type]

    assert len(got) == jobs
    return count


@pytest.mark.parametrize(
    ("recipients", "places"), [(100, 10), (LONG, 10_000), (LONG, 1)], ids=["short", "many destinations", "one"]
)
def test_a_claim_from_a_long_queue(queues: Queues, recipients: int, places: int) -> None:
    """Ten jobs out of a hundred, or out of a hundred thousand."""
    queue = queues.open()
    fill(queues, recipients, places)

    assert claim_steps(queues, queue) < STEPS


def test_a_destination_that_is_down_costs_nothing(queues: Queues) -> None:
    """A hundred thousand are due there, and none of them is looked at; nor are they when it is full, or held."""
    queue = queues.open()
    fill(queues, LONG, 1)
    queues.accept(queue, "bob@b.example")
    queues.wait(queue.put_off("d1.example", NOW + 1000, Deferred("4.4.1", "down", whole=True)))
    assert claim_steps(queues, queue, jobs=1) < STEPS
    queues.now += 1000
    assert claim_steps(queues, queue, jobs=1) < STEPS
    assert claim_steps(queues, queue, jobs=0) < STEPS


def test_destinations_that_are_full_cost_a_step_each(queues: Queues) -> None:
    """They are stepped over without a look at what waits for them."""
    queue = queues.open()
    fill(queues, LONG, 100)
    full = {f"d{number}.example": 0 for number in range(1, 100)}

    assert claim_steps(queues, queue, allowances=full) < STEPS
    assert claim_steps(queues, queue, allowances={"d7.example": 10}, default=0) < STEPS


def test_recording_costs_what_is_recorded(queues: Queues) -> None:
    """One verdict lets a hundred thousand go, and touches none of them."""
    queue = queues.open()
    fill(queues, LONG, 1)
    queues.wait(queue.put_off("d1.example", NOW, Deferred("4.4.1", "down", whole=True)))
    (job,) = queues.claim(queue)
    settled = [Settled(each, None, DELIVERED) for each in job.recipients]

    assert steps(queues, queue, lambda work: queue._record(settled, work)) < STEPS
    assert claim_steps(queues, queue) < STEPS


@pytest.mark.parametrize(
    "statement",
    [
        claiming._DUE,
        claiming._NAMED,
        claiming._FIRST,
        claiming._OF_PRIORITY,
        claiming._ITS_RECIPIENTS,
        claiming._TO_REPORT,
        claiming._MESSAGE,
        due._FAR,
        due._BRING_BACK,
        due._BRING_RANKED_BACK,
        due._RELEASED,
        "SELECT min(next_try) FROM recipients WHERE state = 'scheduled'",
        *(f"SELECT number{waiting} AND next_try > ?" for waiting in flushing._WAITING),
        "SELECT 1 FROM recipients WHERE destination = ? AND priority != 0",
        due._DUE.replace(":number", "?1"),
        "SELECT 1 FROM recipients WHERE message = ? LIMIT 1",
        "SELECT DISTINCT destination FROM recipients WHERE owner = ?",
        "DELETE FROM recipients WHERE number = ?",
        "SELECT file, number, id FROM messages WHERE file IS NOT NULL",
        f"SELECT r.number {entries._TABLES} WHERE r.number > ? AND r.message IN"
        " (SELECT number FROM messages WHERE id = ?) ORDER BY r.number LIMIT ?",
    ],
)
def test_every_statement_has_its_index(queues: Queues, statement: str) -> None:
    """Nothing is looked through from end to end, and what is due needs no sorting."""
    queues.open()
    values = [1] * (len(set(re.findall(r"\?\d", statement))) or statement.count("?"))
    with queues.sql() as connection:
        plan = _plan(connection, statement, *values)

    scans = [line for line in plan if line.startswith("SCAN") and not _is_bounded(line)]
    assert scans == []
    if "r.number >" not in statement and "DISTINCT" not in statement:
        assert not any("TEMP B-TREE" in line for line in plan)


def test_what_an_operator_lists_is_read_in_order(queues: Queues) -> None:
    """Page after page by number, each from where the last one ended: no page is sorted."""
    queues.open()
    conditions, values = entries.Selection(destination="b.example", sender="@a.example", status="held").conditions()
    where = " AND ".join(["r.number > ?", *conditions])
    with queues.sql() as connection:
        statement = f"SELECT r.number {entries._TABLES} WHERE {where} ORDER BY r.number LIMIT 5"
        plan = _plan(connection, statement, 0, *values)

    assert plan[0].startswith("SEARCH r USING INTEGER PRIMARY KEY")
    assert not any("TEMP B-TREE" in line for line in plan)


def _is_bounded(line: str) -> bool:
    """Whether what is gone through is an index, or the few rows that a part of the statement gives."""
    return "INDEX" in line or "CONSTANT" in line or "(subquery" in line


def _plan(connection: sqlite3.Connection, statement: str, *values: object) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
