"""docs/addresses.rst: its commands make its site, on which each address means what its tables say."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailsuite.address import Address
from mailsuite.cli import main
from mailsuite.config import load
from mailsuite.directory import resolve
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.lookup import Directory
from mailsuite.directory.remembered import Source
from mailsuite.directory.returned import Returned
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.meaning import Foreign, Login, Mailboxes, Meaning, Refused, Relayed, Suspended, Unknown
from mailsuite.returns import Returns
from tests.commands import DOCUMENTS, commands
from tests.directory.conftest import at_once

DOCUMENT = "docs/addresses.rst"
WORDS: dict[type[Meaning], str] = {
    Foreign: "foreign", Relayed: "relayed", Suspended: "suspended", Unknown: "unknown",
}  # fmt: skip


def text() -> str:
    """Return the document."""
    return (DOCUMENTS / DOCUMENT).read_text()


def rows(number: int) -> list[list[str]]:
    """Return the rows of the table of examples with this number, without its head."""
    table = text().split(".. list-table::")[number].split("\n\n")[1]
    return [
        [" ".join(cell.split()) for cell in re.split(r"^     -", row, flags=re.M)]
        for row in re.split(r"^ *\* -", table, flags=re.M)[2:]
    ]


class Documented:
    """The site of the document."""

    def __init__(self, folder: Path) -> None:
        self.names = dict[str, str]()
        runner = CliRunner()
        site = ["init", str(folder), "--hostname", "mail.example.org", "--domain", "example.org", "--unprivileged"]
        for arguments in (site, *commands(DOCUMENT, "mailsuite")):
            more = [] if arguments is site else ["--config", str(folder / "mailsuite.toml")]
            done = runner.invoke(main, [*arguments, *more])
            assert done.exit_code == 0, (arguments, done.output)
        settings = load(folder / "mailsuite.toml")
        returns = Returns(settings, time.time)
        returns.load()
        self.backend = SqliteBackend(settings.directory.path, time.monotonic, at_once)
        source = Source(self.backend.generation, time.monotonic)
        self.directory = Directory(
            self.backend, source, time.time, settings.directory.postmaster, settings.hostname,
            Returned(returns.restoring, time.time),
        )  # fmt: skip
        with Accounts.open(settings.directory.path) as accounts:
            self.users = {user.name: user.mailbox for user in accounts.users.list()}
        self.names = {mailbox.path: name for name, mailbox in self.users.items()}

    def told(self, address: Address) -> str:
        """Say what *address* means, in the words of the document."""
        meaning = self.directory.find(address)
        if isinstance(meaning, Mailboxes):
            boxes = [self.names[mailbox.path] for mailbox in meaning.mailboxes]
            return ", ".join([*boxes, *(f"on to {each}" for each in meaning.onward)])
        if isinstance(meaning, Refused):
            return f"refused: {meaning.code} {meaning.status} {meaning.text}"
        assert isinstance(meaning, Meaning)
        return WORDS[type(meaning)]

    def may(self, user: str, address: Address) -> bool:
        """Say whether *user* may send from *address*."""
        return self.directory.may_send_as(Login(1, user, self.users[user]), address) is True


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documented]:
    """The site, made once."""
    site = Documented(tmp_path_factory.mktemp("addresses") / "mail")
    yield site
    site.backend.stop()


def parsed(written: str) -> Address:
    """Return an address of the document."""
    local, _, domain = written.rpartition("@")
    return Address(local, domain)


def test_each_address_means_what_is_told(documented: Documented) -> None:
    """All rows of the table, each against a directory as the service has it."""
    told = {address: meaning for _, address, meaning in rows(1)}

    assert {address: documented.told(parsed(address)) for address in told} == told


def test_who_may_send_from_it(documented: Documented) -> None:
    """And who may not."""
    for address, may, may_not in rows(2):
        for names, expected in ((may, True), (may_not, False)):
            for user in filter(None, names.split(", ")):
                assert documented.may(user, parsed(address)) is expected, (user, address)


def test_the_rules_are_those_of_the_code() -> None:
    """Word for word; each has an example, but for the one that takes a site without anybody else."""
    table = re.search(r"^=====  =.*?\n\n", resolve.__doc__ or "", re.M | re.S)
    assert table is not None
    assert table[0] in text()
    numbers = set(re.findall(r"^(\d+) ", table[0], re.M))
    assert {number for number, _, _ in rows(1)} == numbers - {"9"}
