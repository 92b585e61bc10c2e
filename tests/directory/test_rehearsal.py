"""A rehearsal: what would be refused is, and nothing of it stays."""

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import LeadsNowhere


def test_a_rehearsal_is_undone(accounts: Accounts) -> None:
    """Each change sees those before it, a refusal undoes its own alone, and at the end all is as it was."""
    before = accounts.generation(), list(accounts.users.list()), list(accounts.domains.list())
    with accounts.rehearsed() as rehearsed:
        rehearsed.domains.add("example.net")
        rehearsed.users.add("carol@example.net", "x")
        with pytest.raises(LeadsNowhere):
            rehearsed.aliases.add("a@example.net", ["carol@example.net", "nobody@example.net"])
        assert list(rehearsed.aliases.list()) == []
        rejected = rehearsed.import_aliases(
            [("a@example.net", ["b@example.net"]), ("b@example.net", ["carol@example.net"]), ("c@example.net", ["d"])],
            lambda: None, False,
        )  # fmt: skip
        assert [each.index for each in rejected] == [2]
        assert [each.name for each in rehearsed.aliases.list()] == ["a@example.net", "b@example.net"]

    assert before == (accounts.generation(), list(accounts.users.list()), list(accounts.domains.list()))
    assert list(accounts.aliases.list()) == []


def test_a_rehearsal_that_fails(accounts: Accounts) -> None:
    """It is undone, too, and accounts can be changed as before."""
    with pytest.raises(ZeroDivisionError), accounts.rehearsed() as rehearsed:
        rehearsed.domains.add("example.net")
        raise ZeroDivisionError

    assert [each.name for each in accounts.domains.list()] == ["example.com"]
    accounts.domains.add("example.net")
