"""Counts in sentences."""

import pytest

from mailsuite.counted import counted


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("user",), "0 users"),
        (1, ("user",), "1 user"),
        (2, ("user",), "2 users"),
        (1, ("alias", "aliases"), "1 alias"),
        (2, ("line was", "lines were"), "2 lines were"),
    ],
)
def test_counted(count: int, words: tuple[str, ...], said: str) -> None:
    """One is one; none are several."""
    assert counted(count, *words) == said
