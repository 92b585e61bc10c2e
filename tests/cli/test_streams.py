"""Commands whose standard streams are closed, or not what they are taken for: as real processes have them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.site import new_site, run

MAIN = "from mailsuite.cli import main; main()"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a site with a user who has a password."""
    config = new_site(tmp_path / "site")
    assert run("user", "add", "me@example.org", "--no-password", "-c", config).exit_code == 0
    return config


def shell(redirection: str, config: Path, *words: str) -> tuple[int, str, str]:
    """Run a command with a *redirection*; return its exit code and what it printed."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", MAIN, *words, "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["user", "list"], ["check"], ["check", "--json"], ["queue", "list", "--json"]])
def test_a_closed_output_is_no_output(config: Path, words: list[str]) -> None:
    """That is said, and is a failure: whoever wants it so has /dev/null."""
    said = (1, "", "Error: standard output is closed; where nobody is to see it, use > /dev/null\n")

    assert shell(">&-", config, *words) == said
    assert shell(">&- 2>&-", config, *words) == (1, "", "")


@pytest.mark.parametrize(
    "words",
    [["user", "add", "you@example.org", "--password-stdin"], ["user", "import", "-"], ["alias", "import", "-"]],
)
def test_a_closed_input_is_said_to_be_closed(config: Path, words: list[str]) -> None:
    """Where it is read; nothing is changed."""
    code, _, told = shell("<&-", config, *words)

    assert (code, told) == (
        1, "Error: standard input is closed, and this is read from it; an empty one is < /dev/null\n",
    )  # fmt: skip
    assert "you@example.org" not in run("user", "list", "-c", config).stdout


def test_what_is_not_used_may_be_closed(config: Path) -> None:
    """A listing reads nothing and complains of nothing."""
    code, printed, told = shell("<&- 2>&-", config, "user", "list")

    assert (code, told) == (0, "")
    assert "me@example.org" in printed


def test_sendmail_knows_what_to_do_itself(config: Path) -> None:
    """With exit codes of its own, and no need of an output."""
    code, _, told = shell("<&- >&-", config, "sendmail", "me@example.org")

    assert (code, told) == (65, "sendmail: standard input, where the message should be, is closed\n")


def test_a_password_is_typed_in_the_terminal_s_encoding(config: Path) -> None:
    """What is none of its texts is refused in a sentence, and changes nothing."""
    master, slave = os.openpty()
    code = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {MAIN}"
    words = [sys.executable, "-c", code, "user", "passwd", "me@example.org", "-c", str(config)]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    with subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
    ) as process:
        os.close(slave)
        assert told_until(master, b"Password: ").endswith(b"Password: ")
        os.write(master, b"\xff\xfe\n")
        said = told_until(master, b"")
        assert process.wait() == 1
    os.close(master)

    told = "Error: what was typed is no text in the encoding of this terminal, utf-8: nothing was changed"
    assert said.decode().strip() == told
    assert "without a password" in run("user", "list", "-c", config).stdout


def told_until(master: int, end: bytes) -> bytes:
    """Return what comes from a terminal up to *end*; where that is empty, all that comes."""
    told = b""
    while not end or end not in told:
        try:
            octets = os.read(master, 1024)
        except OSError:  # the other side is gone
            break
        if not octets:
            break
        told += octets
    return told
