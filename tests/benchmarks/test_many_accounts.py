"""Many accounts, written past the commands: they are what commands make."""

from pathlib import Path

from benchmarks import accounts_fill
from benchmarks.workloads.many_accounts import ManyAccounts
from benchmarks.workloads.workload import Scale, Setting
from mailsuite.directory.accounts import Accounts


def test_they_are_accounts(tmp_path: Path) -> None:
    """Found by their addresses, changed by commands, and each change seen by the server."""
    path = tmp_path / "accounts.sqlite"
    with Accounts.open(str(path), create=True) as accounts:
        accounts.domains.add("example.org")
    accounts_fill.fill(path, 50)

    with Accounts.open(str(path)) as accounts:
        before = accounts.generation()
        made = accounts.users.show(accounts_fill.address(7))
        assert (made.has_password, made.mailbox.path) == (True, "d7.many.test/user7")
        accounts.users.remove(made.name)
        assert accounts.generation() > before

    work = ManyAccounts(Setting(1, Scale.FULL))
    asked = [case.ask for case in work.cases if case.ask is not None]
    assert len(asked) == 2
    (tmp_path / "new").mkdir()
    with Accounts.open(str(tmp_path / "new/accounts.sqlite"), create=True):
        accounts_fill.fill(tmp_path / "new/accounts.sqlite", 50)
    assert all(ask(tmp_path / "new/accounts.sqlite", 50) < 1000 for ask in asked)
