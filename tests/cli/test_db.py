"""``mailsuite db``: versions told, brought up and down with a snapshot, and never under a running server."""

import json
import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from mailsuite.cli.databases import PostgresDatabase
from mailsuite.mailbox.run_mark import RunMark
from tests.cli.site import edit, new_site, run

OLD = Path(__file__).parents[1]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A site whose accounts and queue an older version has left."""
    config = new_site(tmp_path / "site")
    accounts, queue = files(config)
    accounts.unlink()
    queue.parent.mkdir(exist_ok=True)
    for path, example in ((accounts, "directory"), (queue, "queue")):
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript((OLD / example / "version_1.sql").read_text())
    return config


def files(config: Path) -> tuple[Path, Path]:
    """Return where the two databases are."""
    return config.parent / "accounts.sqlite", config.parent / "queue" / "queue.sqlite"


def versions(config: Path) -> dict[str, tuple[int | None, str]]:
    """Return what the command says of each."""
    told = json.loads(run("db", "status", "--json", "-c", config).output)
    return {each["database"]: (each["version"], each["state"]) for each in told}


def snapshots(path: Path) -> list[Path]:
    """Return the snapshots of a database."""
    return sorted(path.parent.glob(f"{path.name}.v*"))


def test_up_with_a_snapshot_and_down_again(config: Path) -> None:
    """The command that the refusal names is all there is to do; what was before lies beside it."""
    assert "older" in run("db", "status", "-c", config).output
    refused = run("user", "list", "-c", config)
    assert refused.exit_code == 1
    assert "mailsuite db upgrade" in refused.output
    assert {line.split()[1] for line in run("check", "-c", config).output.splitlines() if "db upgrade" in line} == {
        "directory.path:", "queue.path:",
    }  # fmt: skip

    upgraded = run("db", "upgrade", "-c", config)

    assert upgraded.exit_code == 0, upgraded.output
    assert versions(config) == {"accounts": (2, "up to date"), "queue": (2, "up to date")}
    assert "alice@example.com" in run("user", "list", "-c", config).output
    assert "bob@b.example" in run("queue", "list", "-c", config).output
    for path in files(config):
        (snapshot,) = snapshots(path)
        assert snapshot.name.startswith(f"{path.name}.v1-2") and str(snapshot) in upgraded.output
        assert stat.S_IMODE(os.stat(snapshot).st_mode) == 0o600
        with closing(sqlite3.connect(snapshot)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (1,)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    again = run("db", "upgrade", "-c", config)
    assert again.output.count("up to date") == 2
    down = run("db", "downgrade", "queue", "-c", config)
    assert down.exit_code == 0, down.output
    assert versions(config)["queue"] == (1, "older")
    assert len(snapshots(files(config)[1])) == 2


def test_down_only_where_nothing_is_lost(config: Path) -> None:
    """It says what would be, changes nothing and leaves no snapshot; --force loses it."""
    run("db", "upgrade", "-c", config)
    accounts, _ = files(config)
    with closing(sqlite3.connect(accounts)) as connection, connection:
        connection.execute("UPDATE logins SET frozen = 1")

    refused = run("db", "downgrade", "accounts", "-c", config)
    assert refused.exit_code == 1
    assert "3 frozen logins" in refused.output
    assert versions(config)["accounts"] == (2, "up to date")
    assert len(snapshots(accounts)) == 1
    forced = run("db", "downgrade", "accounts", "--to", "1", "--force", "-c", config)
    assert forced.exit_code == 0, forced.output
    assert versions(config)["accounts"] == (1, "older")


def test_never_beside_a_server(config: Path) -> None:
    """Whose statements would not fit any more."""
    mark = RunMark(str(config.parent), time.monotonic)
    mark.take()
    for command in (["upgrade"], ["downgrade", "queue"]):
        refused = run("db", *command, "-c", config)
        assert refused.exit_code == 1
        assert "stop that one first" in refused.output
    mark.release()

    assert versions(config) == {"accounts": (1, "older"), "queue": (1, "older")}


def test_a_newer_one_is_left(config: Path) -> None:
    """Only who knows it can bring it down; the message says where."""
    for path in files(config):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 9")

    assert versions(config) == {"accounts": (9, "newer"), "queue": (9, "newer")}
    assert "with the newer mailsuite run" in run("db", "upgrade", "-c", config).output
    refused = run("db", "downgrade", "queue", "-c", config)
    assert refused.exit_code == 1
    assert "only a mailsuite that knows it" in refused.output


def test_a_snapshot_that_finds_no_place_leaves_all_as_it_was(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no change without one, and no half of one left."""

    def full(path: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mailsuite.cli.databases.fsync_path", full)
    refused = run("db", "upgrade", "-c", config)

    assert refused.exit_code == 1
    assert "No space left on device; nothing was changed" in " ".join(refused.output.split())
    assert versions(config)["accounts"] == (1, "older")
    assert snapshots(files(config)[0]) == []


def test_what_is_not_there_or_not_ours(config: Path) -> None:
    """A missing queue is made by the server; another's file stays as it is."""
    accounts, queue = files(config)
    queue.unlink()
    assert versions(config)["queue"] == (None, "missing")
    assert "there is no" in run("db", "downgrade", "queue", "-c", config).output
    assert "queue: there is none yet" in run("db", "upgrade", "-c", config).output
    assert "no way down to 2" in run("db", "downgrade", "accounts", "--to", "2", "-c", config).output
    with closing(sqlite3.connect(accounts)) as connection:
        connection.execute("PRAGMA application_id = 7")
    assert "is not the accounts database" in run("db", "status", "-c", config).output


def test_no_password_is_told(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of accounts in PostgreSQL the command says where the configuration has them."""
    monkeypatch.setattr(PostgresDatabase, "version", lambda self: 2)
    with open(config, "a") as file:
        file.write('\n[postgresql]\ndsn = "host=127.0.0.1 password=hush"\n')
    edit(config, "[directory]\n", '[directory]\nbackend = "postgresql"\n')

    for options in ([], ["--json"]):
        told = run("db", "status", *options, "-c", config).output
        assert "the database of [postgresql] dsn" in told
        assert "hush" not in told
