"""docs/moving.rst: its commands do what it says, in its order, on a site and beside what another server has left."""

import shlex
import shutil
from pathlib import Path

import pytest

from mailsuite.mailbox.layout import make_folders
from tests.cli.site import run
from tests.commands import DOCUMENTS, moved

DOCUMENT = "docs/moving.rst"
_MARK = b"From a@b Thu Jan  1 00:00:01 2026\n"
_HASH = "{SSHA}Jvhm7HZD0ysaLkDxd8Yxk+NJM5G7c2Fs"
_LISTS = {
    "postfix/vmailbox": "dora@old.example dora/\n",
    "postfix/virtual": "sales@old.example dora@old.example, far@b.example\n",
    "postfix/aliases": "root: alice\n",
    "lists/domains.csv": "domain,class\nnew.example,local\n",
    "lists/users.csv": f"address,hash\nemil@new.example,{_HASH}\n",
    "lists/aliases.json": '{"address": "info@new.example", "targets": ["emil@new.example"]}\n',
}


def commands() -> list[list[str]]:
    """Return the words of each command in the document."""
    lines = (DOCUMENTS / DOCUMENT).read_text().splitlines()
    return [shlex.split(line) for line in lines if line.startswith("    ")]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with Alice in the place of ``/srv/mail``, and beside it what other servers had."""
    folder = tmp_path / "mail"
    run("init", folder, "--hostname", "mail.example.org", "--domain", "example.org", "--unprivileged")
    run("user", "add", "alice@example.org", "--no-password", "--config", folder / "mailsuite.toml")
    old = tmp_path / "mail-old"
    for place in ("dovecot/example.org/bob", "courier/carol", "alice/Maildir"):
        (old / place).parent.mkdir(parents=True, exist_ok=True)
        make_folders(str(old / place))
        (old / place / "cur" / "1700000001.M1P1.h:2,S").write_bytes(b"A: 1\n\nx\n")
    (old / "dovecot" / "users").write_text(f"bob@example.org:{_HASH}::::::\n")
    (old / "courier" / "userdb").write_text(f"carol\thome={old}/courier|mail=carol|systempw={_HASH}\n")
    for place, text in _LISTS.items():
        (old / place).parent.mkdir(exist_ok=True)
        (old / place).write_text(text)
    for name in ("mbox", "sent"):
        (old / "alice" / name).write_bytes(_MARK + b"A: 1\n\nx\n")
    return folder


def test_the_commands_are_run(site: Path) -> None:
    """Each of them ends well, and at the end the restored site has all mail."""
    found = commands()
    assert len(found) > 14
    for words in found:
        name, *arguments = moved(words, site)
        if name == "mkdir":
            Path(arguments[-1]).mkdir(0o700)
        elif name == "install":
            assert arguments[:-1] == ["-d", "-o", "mailsuite", "-g", "mailsuite", "-m", "700"]
            Path(arguments[-1]).mkdir(0o700)
        elif name == "chown":
            # There is no such user here, and the site is ours.
            assert arguments == ["-R", "mailsuite:mailsuite", str(site.parent / "mail-new")]
        elif name == "cp":
            shutil.copy(*arguments)
        else:
            assert name == "mailsuite"
            config = () if "--config" in arguments else ("--config", str(site / "mailsuite.toml"))
            result = run(*arguments, *config)
            assert result.exit_code == 0, (words, result.output)

    restored = site.parent / "mail-new" / "mail" / "example.org"
    texts = sorted(path.relative_to(restored).parts[0] for path in restored.rglob("*:2,S"))
    assert texts == ["alice", "bob", "carol"]
    assert len([path for path in restored.rglob("*") if path.is_file() and "P" in path.name]) == 5
