"""docs/directories.rst: what it says to do is done here, as it stands there, and what is made by it serves."""

import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailsuite.address import Address
from mailsuite.backends import backend, source
from mailsuite.backends import load as load_backend
from mailsuite.cli import main
from mailsuite.cli.checks.accounts import accounts as check_accounts
from mailsuite.config import load
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.errors import NoAccounts
from mailsuite.directory.lookup import Directory
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.threads import BoundedThreads
from mailsuite.maybe import value_of
from mailsuite.meaning import Mailboxes
from tests.commands import DOCUMENTS
from tests.directory.servers import ADMIN_PASSWORD, BASE, PASSWORD, running_postgres, running_slapd
from tests.kept_out import kept_out, open_folder
from tests.transport.loop import finish, reactor

DOCUMENT = (DOCUMENTS / "docs/directories.rst").read_text()
EXAMPLES = DOCUMENTS / "etc/directories"


def run(*arguments: str) -> str:
    """Run ``mailsuite``, which has to succeed; return what it says."""
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def lines(first: str) -> list[str]:
    """Return the commands of the block that begins with the word *first*."""
    blocks = DOCUMENT.split("\n\n")
    (block,) = (block for block in blocks if block.startswith(f"    {first} "))
    return [line.strip() for line in block.splitlines()]


def shell(commands: list[str], folder: Path, env: Mapping[str, str], *moved: tuple[str, str]) -> None:
    """Run *commands* as a shell does, with *folder* in the place of ``/srv/mail``."""
    for command in commands:
        for before, after in (("/srv/mail", str(folder)), *moved):
            command = command.replace(before, after)
        done = subprocess.run(
            ["sh", "-c", command], env={**os.environ, **env}, text=True, capture_output=True, cwd=EXAMPLES
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site that ``mailsuite init`` has made, in the place of ``/srv/mail``."""
    made = tmp_path / "mail"
    run("init", str(made), "--hostname", "mail.example.org", "--domain", "example.org", "--unprivileged")
    return made


def configure(folder: Path, example: str, *moved: tuple[str, str]) -> None:
    """Put an example into the configuration of the site."""
    text = (EXAMPLES / example).read_text().replace("/srv/mail", str(folder))
    for before, after in moved:
        assert before in text
        text = text.replace(before, after)
    own, _, tables = text.partition("[directory]\n")[2].partition("\n\n")
    config = folder / "mailsuite.toml"
    config.write_text(config.read_text().replace("[directory]\n", f"[directory]\n{own}\n", 1) + f"\n{tables}")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Directory, Authenticator]]:
    """Yield what answers for the site in *folder*."""
    settings = load(folder / "mailsuite.toml")
    threads = BoundedThreads(reactor, 1)
    threads.start()
    made = backend(settings, reactor, reactor.seconds, threads.run)
    made.start()
    seen = source(settings, made, reactor.seconds)
    try:
        yield (
            Directory(made, seen, reactor.seconds),
            Authenticator(made, seen, Passwords(memory_kib=8, passes=1), threads.run),
        )
    finally:
        finish(value_of(made.stop()))
        threads.stop()


def found(folder: Path, *names: str) -> list[list[str]]:
    """Return where the mail of these local parts goes; alice logs in on the way, if she has a password."""
    with serving(folder) as (directory, authenticator):
        meanings = [finish(value_of(directory.find(Address(name, "example.org")))) for name in names]
        right = [
            finish(value_of(authenticator.authenticate("alice@example.org", word, "pop3"))) is not None
            for word in ("secret", "wrong")
        ]
    assert right == [True, False]
    return [
        [*(box.path for box in each.mailboxes), *map(str, each.onward)] if isinstance(each, Mailboxes) else []
        for each in meanings
    ]


def test_examples_are_those_of_the_document() -> None:
    """Whoever copies either has the same; those that are configuration say at their head where they go."""
    for path in EXAMPLES.iterdir():
        if path.is_file():
            text = path.read_text()
            if path.suffix == ".toml":
                head, directory, tables = text.partition("[directory]\n")
                assert all(line.startswith("# ") for line in head.splitlines())
                text = directory + tables
            assert textwrap.indent(text.rstrip("\n"), "    ") in DOCUMENT, path


def test_postgresql(folder: Path) -> None:
    """A role, a database, the tables; then the commands for domains and users, and the service finds them."""
    with running_postgres() as server:
        env = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres", "PGPASSWORD": PASSWORD}
        moved = ("db.example.org:5432", f"127.0.0.1:{server.port}")
        shell(lines("psql"), folder, env, moved)
        configure(folder, "postgresql.toml", ("host=db.example.org", f"host=127.0.0.1 port={server.port}"))
        for command in lines("mailsuite"):
            run(*shlex.split(command.replace("/srv/mail", str(folder)))[1:])
        config = ("--config", str(folder / "mailsuite.toml"))
        done = CliRunner().invoke(
            main, ["user", "passwd", "alice@example.org", "--password-stdin", *config], input="secret\n"
        )
        assert done.exit_code == 0, done.output
        assert found(folder, "alice", "abuse", "nobody") == [["example.org/alice"], ["example.org/postmaster"], []]
        status = run("db", "status", *config)
        assert "accounts" in status
        assert "passfile" not in status
        assert "up to date" in run("db", "upgrade", *config)
        settings, password = load(folder / "mailsuite.toml"), folder / "pgpass"
        password.chmod(0)
        with open_folder() as other, kept_out(other):
            (finding,) = check_accounts(settings)
        assert (finding.level, finding.where) == ("error", "postgresql.dsn")
        assert f"the password is looked for in {password}, " in finding.what
        assert finding.mend.startswith(("chown ", "chmod "))


def test_ldap(folder: Path) -> None:
    """What the LDIF says is found, by way of StartTLS."""
    base = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n"
    with running_slapd(base) as server:
        (folder / "admin-password").write_text(ADMIN_PASSWORD)
        host = ("ldap://ldap.example.org", server.url)
        shell(lines("ldapadd"), folder, {}, ("ldap://localhost", server.url))
        configure(folder, "ldap.toml", host, (f"{folder}/ldap-ca.pem", server.certificate))
        assert found(folder, "alice", "a.example", "anybody", "press", "abuse") == [
            ["example.org/alice"], ["example.org/alice"], ["example.org/alice"], ["agency@example.com"],
            ["example.org/postmaster"],
        ]  # fmt: skip
        assert "ldap: it can be made" in run("check", "--config", str(folder / "mailsuite.toml"))
        refused = CliRunner().invoke(
            main, ["user", "add", "x@example.org", "--no-password", "--config", str(folder / "mailsuite.toml")]
        )
        assert refused.exit_code == 1
        assert "which mailsuite only reads" in refused.output


def test_a_passwd_file(folder: Path) -> None:
    """A name with a domain, and one without; who has nologin gets mail."""
    (folder / "users").write_text((EXAMPLES / "users").read_text())
    configure(folder, "passwd-file.toml")
    assert f"passwd_file.path: {folder}/users can be read" in run("check", "--config", str(folder / "mailsuite.toml"))
    assert found(folder, "alice", "bob", "nobody") == [["example.org/alice"], ["example.org/bob"], []]
    with serving(folder) as (_, authenticator):
        assert finish(value_of(authenticator.authenticate("bob@example.org", "secret", "pop3"))) is None


def test_a_python_object(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that it has to be."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    config = folder / "mailsuite.toml"
    text = config.read_text()
    config.write_text(text.replace("[directory]\n", '[directory]\nbackend = "own_directory:make"\n', 1))
    assert found(folder, "alice", "press", "abuse", "nobody") == [
        ["example.org/alice"], ["example.org/alice", "agency@example.com"], ["example.org/postmaster"], [],
    ]  # fmt: skip
    for name in ("own_directory:makes", "no_such_module:make", "own_directory:OwnBackend"):
        config.write_text(text.replace("[directory]\n", f'[directory]\nbackend = "{name}"\n', 1))
        with pytest.raises(NoAccounts, match=name), serving(folder):
            pass


@pytest.mark.parametrize(
    ("name", "package", "mend"),
    [("postgresql", "psycopg", "mailsuite[postgresql]"), ("ldap", "ldaptor.protocols", "--no-deps ldaptor")],
)
def test_what_is_not_installed_is_told_with_the_command(
    folder: Path, name: str, package: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the check, and at the start, before a port is bound."""
    ours = ("mailsuite.directory.postgresql", "mailsuite.directory.ldap", "mailsuite.directory.notifications")
    for module in [each for each in sys.modules if each.startswith(ours)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    config = folder / "mailsuite.toml"
    config.write_text(config.read_text().replace("[directory]\n", f'[directory]\nbackend = "{name}"\n', 1))
    with config.open("a") as file:
        file.write('[ldap]\nservers = ["ldap://localhost"]\n')
    with pytest.raises(NoAccounts) as refused:
        load_backend(load(config))
    assert mend in str(refused.value)
    assert mend in CliRunner().invoke(main, ["check", "--config", str(config)]).output
