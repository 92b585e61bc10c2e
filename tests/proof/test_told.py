"""`docs/reliability.rst` is true: what it names is there."""

import re
from pathlib import Path

from tests.proof.breaks import BREAKS
from tests.proof.disk import MANNERS
from tests.proof.kit import PARTS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.rst").read_text()
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def test_files() -> None:
    """Each test that is named exists; a file without a folder lies in that of the one before."""
    folder = ROOT
    named = re.findall(r"``((?:[a-z_]+/)*[a-z_0-9]+\.py|(?:tests|docs)/[a-z_/.]*)``", TEXT)
    assert len(named) > 10
    for name in named:
        path = ROOT / name if "/" in name else folder / name
        assert path.exists(), name
        folder = path if path.is_dir() else path.parent


def test_numbers() -> None:
    """So many products are broken, in so many manners the power goes."""
    flat = " ".join(TEXT.split())
    assert f"{_NUMBERS[len(BREAKS)]} copies of the product, each broken on purpose" in flat
    assert f"{_NUMBERS[len(MANNERS)]} manners for each moment" in flat


def test_figures() -> None:
    """The last figures have a line for each part."""
    figures = TEXT.partition("The last figures")[2]
    for part in PARTS:
        assert part in figures
