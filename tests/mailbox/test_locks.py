"""Locks on maildrops: within a process, between processes, and at a process's end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailsuite.mailbox import locks as module
from mailsuite.mailbox.locks import FILES, Locks

CHILD = """
import sys
from mailsuite.mailbox.locks import Locks
locks = Locks(sys.argv[1])
print(locks.acquire("/mail/a"), flush=True)
sys.stdin.read()
"""


def test_one_owner(tmp_path: Path) -> None:
    """A name is taken once; another name is another lock; what was given back can be taken."""
    locks = Locks(str(tmp_path / "locks"))
    assert locks.acquire("/mail/a")
    assert not locks.acquire("/mail/a")
    assert locks.acquire("/mail/b")
    locks.release("/mail/a")

    assert locks.acquire("/mail/a")
    assert not locks.acquire("/mail/b")


def test_shared_locks(tmp_path: Path) -> None:
    """Several share a lock, in one process and in several; alone is only who is alone."""
    ours, theirs = Locks(str(tmp_path)), Locks(str(tmp_path))
    assert ours.acquire("/mail/a", shared=True)
    assert ours.acquire("/mail/a", shared=True)
    assert theirs.acquire("/mail/a", shared=True)
    assert not ours.acquire("/mail/a")
    assert not theirs.acquire("/mail/a")
    theirs.release("/mail/a")
    ours.release("/mail/a")
    assert not theirs.acquire("/mail/a")
    ours.release("/mail/a")

    assert theirs.acquire("/mail/a")
    assert not ours.acquire("/mail/a", shared=True)
    assert not theirs.acquire("/mail/a", shared=True)


def test_giving_back_twice(tmp_path: Path) -> None:
    """The second time nothing happens, also when another has the lock by now."""
    ours, theirs = Locks(str(tmp_path)), Locks(str(tmp_path))
    assert ours.acquire("/mail/a")
    ours.release("/mail/a")
    assert theirs.acquire("/mail/a")
    ours.release("/mail/a")

    assert not ours.acquire("/mail/a")


def test_another_process(tmp_path: Path) -> None:
    """Another open file description shuts out, and ends with its process, however that ends."""
    locks = Locks(str(tmp_path))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "True\n"
        assert not locks.acquire("/mail/a")
        assert locks.acquire("/mail/b")
        child.send_signal(signal.SIGKILL)
        child.wait(10)

        assert locks.acquire("/mail/a")


def test_all_at_the_end(tmp_path: Path) -> None:
    """Closing gives everything back; a session that ends after that does no harm."""
    ours, theirs = Locks(str(tmp_path)), Locks(str(tmp_path))
    assert ours.acquire("/mail/a")
    ours.close()

    assert theirs.acquire("/mail/a")
    ours.release("/mail/a")
    assert not ours.acquire("/mail/a")


def test_no_file_for_each_mailbox(tmp_path: Path) -> None:
    """A thousand mailboxes leave a few empty files, that nobody else can read."""
    locks = Locks(str(tmp_path))
    for number in range(1000):
        assert locks.acquire(f"/mail/{number}")
    files = list(tmp_path.iterdir())

    assert len(files) <= FILES
    assert {(path.stat().st_size, path.stat().st_mode & 0o777) for path in files} == {(0, 0o600)}


def test_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """Trouble is not taken for a lock of somebody else."""
    (tmp_path / "locks").touch()

    with pytest.raises(FileExistsError):
        Locks(str(tmp_path / "locks")).acquire("/mail/a")


def test_system_without_such_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a process knows its own sessions alone."""
    monkeypatch.setattr(module, "_SET", None)
    locks = Locks(str(tmp_path / "locks"))
    assert locks.acquire("/mail/a")
    assert not locks.acquire("/mail/a")
    locks.release("/mail/a")

    assert locks.acquire("/mail/a")
    assert not os.path.exists(tmp_path / "locks")
