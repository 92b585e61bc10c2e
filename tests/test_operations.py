"""docs/operations.rst: its commands do what it says, in its order, on a site with mail that waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailsuite.address import Address
from mailsuite.cli import main
from mailsuite.config import load
from tests.commands import DOCUMENTS, commands, moved
from tests.queue.queues import Queues

DOCUMENT = "docs/operations.rst"
# The tables of the document's examples of configuration, and what they need beside them.
TABLES = (
    "[routes.smarthost]", "[routes.bank]", "[routes.store]", "[routes.primary]", "[delivery]", "[listen.lmtp]",
    "[listen.public]", "[smtp]", "[sasl]", "[listen.certified]", "[oauth]",
    "[pop3]", '[domains."example.net"]', "[quota]", "[caps]",
    "[deny.spammers]", "[deny.everybody]", "[check.list]", "[listen.printers]", "[relay.printers]",
)


def run(*arguments: str) -> Result:
    """Run ``mailsuite``."""
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site in the place of ``/srv/mail``, with the messages that the document speaks of."""
    folder = tmp_path_factory.mktemp("operations") / "mail"
    names = ["--hostname", "mail.example.org", "--domain", "example.org"]
    made = run("init", str(folder), *names, "--unprivileged")
    assert made.exit_code == 0, made.output
    added = run("user", "add", "alice@example.org", "--no-password", "--config", str(folder / "mailsuite.toml"))
    assert added.exit_code == 0, added.output
    queues = Queues(folder / "queue")
    queue = queues.open()
    news = Address("news", "example.org")
    queues.accept(queue, "bob@example.net", sender=news, id="4fk2m9a1-1")
    queues.accept(queue, "eve@example.net", sender=news, id="4fk2m9a1-2")
    queues.accept(queue, "joe@example.com", id="4fk2m9a1-3")
    for number in (4, 5):
        alice = Address("alice", "example.org")
        queues.accept(queue, "ann@example.edu", sender=alice, id=f"4fk2m9a1-{number}", hold="too much")
    queues.stop()
    yield folder


def blocks() -> list[str]:
    """Return the document's examples of configuration."""
    found: list[str] = []
    within = False
    for line in (DOCUMENTS / DOCUMENT).read_text().splitlines():
        if line.startswith("    ["):
            found.append("")
            within = True
        elif line and not line.startswith(" "):
            within = False
        if within and line.startswith("    ") and (" = " in line or line.startswith("    [")):
            found[-1] += line.strip() + "\n"
    return found


def test_the_commands_are_run(site: Path) -> None:
    """Each of them ends well; check may warn of what only a real machine has."""
    found = commands(DOCUMENT, "mailsuite")
    assert len(found) > 15

    for arguments in found:
        result = run(*moved(arguments, site), "--config", str(site / "mailsuite.toml"))
        assert result.exit_code == 0 or arguments == ["check"], (arguments, result.output)
        assert not result.exception or isinstance(result.exception, SystemExit), (arguments, result.exception)


def test_the_tables_are_configuration(site: Path, tmp_path: Path) -> None:
    """What stands in the document is taken by the loader as it stands there; a key is a real one's form."""
    config = tmp_path / "mailsuite.toml"
    tables = [block for block in blocks() if block.startswith(TABLES)]
    assert len(tables) == len(TABLES)
    config.write_text((site / "mailsuite.toml").read_text() + "\n" + "\n".join(tables))

    settings = load(str(config))
    routes = settings.routes

    assert routes["smarthost"].tls == "verify"
    assert routes["bank"].recipients == ["bank.example", ".bank.example"]
    assert routes["store"].host == "unix:/run/lists.sock"
    assert routes["primary"].recipients == ["example.net"]
    assert routes["primary"].host == ""
    assert settings.delivery.ourselves == ["mx2.example.net", "192.0.2.25"]
    assert settings.listen["lmtp"].service == "lmtp"
    assert settings.domains["example.net"].pop3_expire == 30
    assert settings.listen["public"].proxy == ["192.0.2.80"]
    assert settings.deny["spammers"].senders == ["bob@example.net", "spam.example", ".spam.example"]
    assert settings.relay["printers"].senders == ["scanner@example.org"]


def test_a_published_list_is_taken(site: Path, tmp_path: Path) -> None:
    """The key that export prints is what the backup's table wants."""
    exported = run(
        "backup-mx", "export", "example.org", "--output", str(tmp_path / "list"),
        "--config", str(site / "mailsuite.toml"),
    )  # fmt: skip
    assert exported.exit_code == 0, exported.output
    (key,) = [line.split('"')[1] for line in exported.output.splitlines() if line.strip().startswith("key =")]
    config = tmp_path / "mailsuite.toml"
    table = f'\n[backups."example.org"]\nlist = "{tmp_path / "list"}"\nkey = "{key}"\n'
    config.write_text((site / "mailsuite.toml").read_text() + table)

    taken = run("backup-mx", "import", str(tmp_path / "list"), "--config", str(config))

    assert taken.exit_code == 0, taken.output
