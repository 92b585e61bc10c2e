"""docs/rfc2505.rst: every recommendation has its row, and what a row names is there."""

import re
from collections.abc import Sequence

import pytest

from mailsuite.config.expected import keys
from mailsuite.config.settings import Settings
from tests.commands import DOCUMENTS

LITERAL = re.compile(r"``(.*?)``")
# Those of RFC 2505 §2, and what it says behind them of patterns.
NUMBERS = ["1", "2", "3", "4", "5", "6a", "6b", "7a", "7b", "8", "9", "10", "11", "12", "13", "14"]


def rows() -> list[Sequence[str]]:
    """Return the cells of each row, each on one line."""
    text = (DOCUMENTS / "docs/rfc2505.rst").read_text()
    _, *found = re.split(r"^   \* - ", text.partition("\nBeyond it")[0], flags=re.M)
    return [[" ".join(cell.split()) for cell in re.split(r"^     - ", row, flags=re.M)] for row in found[1:]]


def settings() -> set[str]:
    """Return all keys, with NAME for names that are free."""
    found: set[str] = set()
    for key in keys(Settings):
        section = key.section or key.entries
        name = key.entry if key.entries is not None else key.name
        found |= {f"{name}.{each.name}" for each in keys(section)} if section is not None else {name}
    return found


def test_every_recommendation_has_its_row() -> None:
    """In their order, each with a status that the document explains."""
    assert [row[0] for row in rows()] == NUMBERS
    assert {row[2] for row in rows()} <= {"yes", "partial", "no"}
    assert all(len(row) == 6 for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row[0]))
def test_what_a_row_names_is_there(row: Sequence[str]) -> None:
    """Settings are keys of the configuration; what is there has a test."""
    named = LITERAL.findall(row[4])
    assert named or row[4] == "none"
    assert set(named) <= settings()

    tests = LITERAL.findall(row[5])
    assert bool(tests) is (row[2] != "no")
    for test in tests:
        path, _, name = test.partition("::")
        assert re.search(rf"^ *def {name}\(", (DOCUMENTS / path).read_text(), re.M), test
