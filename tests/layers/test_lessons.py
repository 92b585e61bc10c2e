"""docs/lessons.rst: every lesson that a test or a comment names is told there, and is held to by something."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# As in a docstring, "lessons 1, 2, 4 and 5" or "lessons 1 to 5", and as in the name of a test.
NAMED = re.compile(r"lessons?[ _](\d+(?:(?:, | and | to |_and_)\d+)*)")


def named() -> Iterator[int]:
    """Yield each number that code or tests name."""
    for folder in ("mailsuite", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for numbers in NAMED.findall(path.read_text()) if path != Path(__file__) else ():
                first, *rest = map(int, re.findall(r"\d+", numbers))
                yield from range(first, rest[0] + 1) if " to " in numbers else (first, *rest)


def told() -> list[int]:
    """Return the numbers of the list."""
    text = (ROOT / "docs" / "lessons.rst").read_text()
    return [int(number) for number in re.findall(r"^(\d+)\. ", text, flags=re.M)]


def test_the_list_has_what_is_named_in_order() -> None:
    """Nobody who meets a number has to ask what it means."""
    assert told() == sorted(set(named()))
