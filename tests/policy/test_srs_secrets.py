"""The secrets of return addresses: made once, changed one after the other, kept as long as they are needed."""

import os
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from mailsuite.policy.srs_secrets import OCTETS, BadSecrets, Secrets

TODAY = date(2026, 11, 26)


def test_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    """Random, for the owner alone, and the same for whoever reads it next."""
    one, two = Secrets(str(tmp_path / "one")), Secrets(str(tmp_path / "two"))
    for each in (one, two):
        each.load(TODAY)
    again = Secrets(str(tmp_path / "one"))
    again.load(TODAY + timedelta(9))

    (secret,) = one()
    assert len(secret) == OCTETS
    assert again() == [secret] != two()
    assert stat.S_IMODE(os.stat(tmp_path / "one").st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_new_one_goes_first_and_old_ones_in_time(tmp_path: Path) -> None:
    """One that was in use within so many days, and a day more, proves what was made by it; then it is gone."""
    found = Secrets(str(tmp_path / "secrets"))
    found.load(TODAY)
    (first,) = found()

    assert found.rotate(TODAY + timedelta(100), 21) == 2
    second, kept = found()
    assert kept == first
    assert found.rotate(TODAY + timedelta(122), 21) == 3
    assert found.rotate(TODAY + timedelta(123), 21) == 3
    assert first not in found() and second in found()
    again = Secrets(str(tmp_path / "secrets"))
    again.load(TODAY)
    assert again() == found()


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "5f0c", "2026-11-26 5f0c", "26.11.2026 " + "00" * OCTETS, "2026-11-26 " + "zz" * OCTETS, "\xff"],
)
def test_a_damaged_file_is_said(tmp_path: Path, text: str) -> None:
    """With its path and line; a secret is never made up in the place of one that others may still have. What was read
    before stays."""
    path = tmp_path / "secrets"
    found = Secrets(str(path))
    found.load(TODAY)
    before = found()
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(BadSecrets, match=r"secrets(:1)?"):
        found.load(TODAY)
    assert found() == before
