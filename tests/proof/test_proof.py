"""The kit in short: a few of each kind of crash, power cut and fault; ``make proof`` does all of them."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.proof import kit
from tests.proof.kit import PARTS, Part, Rows
from tests.proof.ptrace import SUPPORTED, WHY_NOT

pytestmark = [pytest.mark.system, pytest.mark.skipif(not SUPPORTED, reason=WHY_NOT)]

# For each of both ways to the disk.
SHORT: dict[Part, int] = {"crashes": 20, "recoveries": 6, "power cuts": 22, "faults": 8, "imports": 9}


def run(counts: dict[Part, int]) -> Rows:
    """Do so many of each; MAILSUITE_TEST_SEED repeats a run."""
    seed = int(os.environ.get("MAILSUITE_TEST_SEED") or secrets.randbelow(1 << 31))
    print(f"MAILSUITE_TEST_SEED={seed}")
    return kit.run(counts, seed)


@pytest.fixture(scope="module")
def rows() -> Iterator[Rows]:
    """Run the kit once."""
    yield run(SHORT)


@pytest.mark.parametrize("part", PARTS)
def test_every_promise_is_kept(rows: Rows, part: Part) -> None:
    """Whatever happens, and wherever: nothing acknowledged is lost, nothing else delivered, nothing served by half."""
    of_part = rows.of(part)
    assert [loss for row in of_part for loss in row.losses] == []
    assert sum(row.hit for row in of_part) > SHORT[part]
    # Threads take turns by chance: a point may be missed, but not many.
    assert sum(row.missed for row in of_part) <= sum(row.hit for row in of_part) / 5
    assert sum(row.kept for row in of_part) > SHORT[part]


def test_every_area_is_met(rows: Rows) -> None:
    """Crashes befall intake, mailboxes, queue and removals, each of them."""
    assert {row.area: row.hit > 0 for row in rows.of("crashes")} == dict.fromkeys(
        ("POP3", "intake", "mailbox", "queue", "start and stop"), True
    )
    assert {row.area: row.hit > 0 for row in rows.of("power cuts")} == dict.fromkeys(
        ("loose names", "ordered names"), True
    )
    assert {row.area: row.hit > 0 for row in rows.of("imports")} == dict.fromkeys(
        ("crashes", "faults", "power cuts"), True
    )


def test_all_calls_are_known(rows: Rows) -> None:
    """What a life does is found in hundreds of places."""
    assert sum(row.found for row in rows.of("crashes")) > 2000
    assert sum(row.found for row in rows.of("power cuts")) > 8000


@pytest.mark.slow
def test_often() -> None:
    """The same, hundreds of times."""
    found = run(dict.fromkeys(PARTS, 250))
    assert found.losses == []
    assert all(row.hit > row.missed for row in found)
