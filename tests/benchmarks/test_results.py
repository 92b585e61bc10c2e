"""Medians, ratios, and the file that figures are kept in."""

from pathlib import Path

import pytest

from benchmarks.results import BadResults, Results, Sample, Spread, best, ratios, read, spread
from tests.benchmarks.examples import results, rounds

CASE = "4 KiB, 20 new"


def test_a_spread_has_the_ends_too() -> None:
    """The median alone hides how far rounds differ."""
    assert spread([3.0, 1.0, 8.0]) == Spread(3.0, 1.0, 8.0)


def test_there_is_none_of_nothing() -> None:
    """A case that nobody measured."""
    assert spread([]) is None


def test_ratios_are_those_of_one_round() -> None:
    """A round in which everything was slow by half says the same as the others."""
    assert ratios({0: 200.0, 1: 100.0}, {0: 100.0, 1: 50.0}) == Spread(2.0, 2.0, 2.0)


def test_a_round_that_one_has_not_is_left_out() -> None:
    """As is a divisor of 0, which short runs have where the clock is coarse."""
    assert ratios({0: 200.0, 1: 100.0, 2: 1.0}, {0: 100.0, 2: 0.0}) == Spread(2.0, 2.0, 2.0)
    assert ratios({0: 200.0}, {1: 100.0}) is None


@pytest.mark.parametrize(("figure", "expected"), [("rate", "postfix"), ("cpu", "exim")])
def test_the_best_is_who_has_the_most_or_the_least(figure: str, expected: str) -> None:
    """By medians, so that one lucky round makes nobody the best."""
    found = results(
        *rounds(CASE, "postfix", figure, 5.0, 6.0, 5.0),
        *rounds(CASE, "exim", figure, 1.0, 90.0, 2.0),
    )
    assert best(found, "inbound", CASE, figure, ["postfix", "exim", "absent"]) == expected


def test_nobody_is_the_best_of_none() -> None:
    """No peer had the case."""
    assert best(results(), "inbound", CASE, "rate", ["postfix"]) is None


def test_ours_comes_first() -> None:
    """Whoever began the round."""
    found = results(Sample("inbound", CASE, "exim", 0, {}), Sample("inbound", CASE, "mailsuite", 0, {}))
    assert found.peers("inbound") == ["mailsuite", "exim"]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """All of it, and nothing else is left in the folder."""
    kept = results(*rounds(CASE, "mailsuite", "rate", 1.5))
    kept.write(tmp_path / "figures.json")

    assert read(tmp_path / "figures.json") == kept
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"made": 1}', '{"samples": [{}]}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """The error names it."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(BadResults, match=r"other\.json"):
        read(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """Figures that mean something else are not to be taken for these."""
    Results("", {}, {}, format=2).write(tmp_path / "figures.json")
    with pytest.raises(BadResults, match="format 2"):
        read(tmp_path / "figures.json")
