"""Users moved in, and users who log in again: what is measured is done, a little of it."""

from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.results import UNITS
from benchmarks.workloads import known_logins
from benchmarks.workloads.imports import Imports
from benchmarks.workloads.known_logins import KnownLogins
from benchmarks.workloads.workload import Scale, Setting
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.schema import connect
from tests.directory.servers import open_folder, postgres_binaries


def test_imports() -> None:
    """In each form, into each database that there is."""
    work = Imports(Setting(1, Scale.FULL, 0.0002))
    assert len(work.cases) == (2 if postgres_binaries() is None else 3)
    with open_folder() as folder, work.stage(folder, ()) as (peer,):
        for case in work.cases:
            figures = work.measure(peer, case, 0)
            assert figures.keys() <= UNITS.keys()
            assert min(figures.values()) > 0


def test_known_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are kept by a hash that is slow to check, and a session costs something with it and without."""
    monkeypatch.setattr(known_logins, "_USERS", ["u0", "u1"])
    monkeypatch.setattr(known_logins, "_A_MINUTE", 60_000)
    work = KnownLogins(Setting(1, Scale.FULL, 0.001))
    with work.stage(tmp_path, ()) as (peer,):
        (case,) = work.cases
        figures = work.measure(peer, case, 0)
        with closing(connect(str(peer.folder / "accounts.sqlite"))) as accounts:
            kept = {stored for (stored,) in accounts.execute("SELECT stored FROM credentials")}
    assert {each.startswith("$argon2") for each in kept} == {True}
    assert Passwords().check("all-have-this-one", kept.pop()).right
    assert figures.keys() == {"without", "cpu", "core"} <= UNITS.keys()
