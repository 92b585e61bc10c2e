"""Commands of root go on as the site's owner where Python itself lies in a folder of root's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailsuite.cli.checks.program import program
from tests.cli.site import new_site, run
from tests.kept_out import hand_over, kept_out, open_folder
from tests.queue.queues import Queues

# A command that is root by its own word; from when it becomes the owner on, the standard library is closed to it.
AS_ROOT = """
import os, sys

class Closed:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}")

os.geteuid = lambda: 0
os.setgroups = os.setgid = lambda value: None
os.setuid = lambda uid: sys.meta_path.insert(0, Closed())
from mailsuite.cli import main
main()
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a site whose queue has a message, and whose owner is not root."""
    made = new_site(tmp_path_factory.mktemp("owned") / "site", "--unprivileged", "--interface", "127.0.0.1")
    queues = Queues(made.parent / "queue")
    queues.accept(queues.open(), "bob@example.com", id="4fk2m9a1-1")
    queues.stop()
    assert run("user", "add", "alice@example.org", "--no-password", "-c", made).exit_code == 0
    if os.geteuid() == 0:
        hand_over(made.parent)
    return made


def as_root(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``mailsuite`` with *command* so."""
    return subprocess.run(
        [sys.executable, "-c", AS_ROOT, *command], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ["queue", "hold", "--destination", "example.com"],
        ["queue", "release", "--destination", "example.com"],
        ["queue", "show", "4fk2m9a1-1"],
        ["explain", "rcpt", "alice@example.org", "--peer", "192.0.2.1"],
        ["domain", "add", "bücher.example"],
        ["user", "app-password", "add", "alice@example.org", "--label", "phone"],
        ["backup-mx", "export", "example.org"],
        ["check"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_all_that_a_command_needs_is_loaded_while_it_is_root(config: Path, command: list[str]) -> None:
    """It ends well, or with words of ours."""
    done = as_root(*command, "-c", config)

    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fetch_is_made_by_a_name(config: Path) -> None:
    """Nobody listens there; that is all that keeps it from its list."""
    done = as_root("backup-mx", "import", "https://localhost:1/list", "-c", config)

    assert done.returncode == 1
    assert "was not taken: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_check_says_that_the_owner_cannot_read_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the owner that it has become; who can read it is told nothing."""
    assert list(program()) == []
    with open_folder() as folder:
        (folder / "closed").mkdir()
        monkeypatch.setattr(os, "__file__", f"{folder}/closed/lib/os.py")
        with kept_out(folder / "closed") as who:
            (found,) = program()

    assert found.level == "warning"
    assert f"not for the service's user: the user {who} may not pass the folder {folder}/closed" in found.what
    assert found.mend.endswith(f"+x {folder}/closed")
