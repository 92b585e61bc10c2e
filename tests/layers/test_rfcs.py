"""`docs/rfcs.rst` is true: every RFC that the code cites has a row, and every row's files cite it."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATUSES = {"yes", "partial", "noted"}


def rows() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each row's number, status and files."""
    text = (ROOT / "docs" / "rfcs.rst").read_text()
    for row in re.split(r"^   \* - ", text, flags=re.M)[2:]:
        number, _title, status, files, _deviations = re.split(r"^     -\s?", row, flags=re.M)
        yield number.strip(), status.strip(), [file.strip() for file in files.split(",")]


def cited() -> dict[str, set[str]]:
    """Return the RFCs that each source file cites."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "mailsuite").rglob("*.py"):
        for number in re.findall(r"RFC (\d+)", path.read_text()):
            found.setdefault(number, set()).add(str(path.relative_to(ROOT / "mailsuite")))
    return found


def test_every_cited_rfc_has_a_row() -> None:
    """A reader who meets an RFC in the code finds its status in the docs."""
    assert set(cited()) == {number for number, _, _ in rows()}


def test_every_rfc_that_is_kept_has_tests_that_name_it() -> None:
    """Whoever asks whether a section holds looks for its number among the tests."""
    tests = [path for path in (ROOT / "tests").rglob("*") if path.suffix in (".py", ".txt")]
    tested = {number for path in tests for number in re.findall(r"RFC (\d+)", path.read_text(errors="replace"))}

    assert {number for number, status, _ in rows() if status != "noted"} <= tested


def test_every_row_names_files_that_cite_it() -> None:
    """A reader of the docs finds the place in the code."""
    citations = cited()

    wrong = [(number, file) for number, _, files in rows() for file in files if file not in citations[number]]

    assert not wrong


def test_every_status_is_one_of_three() -> None:
    """No row hides what it says."""
    assert {status for _, status, _ in rows()} == STATUSES
