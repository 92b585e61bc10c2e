"""Changes of which another one comes just before: each goes by what is there then, and takes nothing of it back."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsError, NoSuch, StillNeeded, WrongClass
from mailsuite.directory.replies import chosen
from mailsuite.directory.schema import connect, trouble
from mailsuite.directory.sql import Connection, Result
from mailsuite.meaning import Quota

ALICE, BOB = "alice@example.com", "bob@example.com"


class Overtaken:
    """A connection of which each change has to wait for its turn, in which *other* makes its own."""

    def __init__(self, connection: Connection, other: Callable[[], object]) -> None:
        self._connection = connection
        self._other = other

    @property
    def in_transaction(self) -> bool:
        """See `Connection.in_transaction`."""
        return self._connection.in_transaction

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Result:
        """See `Connection.execute`."""
        if statement == "BEGIN IMMEDIATE":
            self._other()
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """See `Connection.close`."""
        self._connection.close()


@pytest.fixture
def overtaken(path: str, accounts: Accounts) -> Iterator[Callable[[Callable[[], object]], Accounts]]:
    """Return the accounts as somebody has them whom another change overtakes."""
    opened: list[Accounts] = []

    def open_(other: Callable[[], object]) -> Accounts:
        opened.append(Accounts(Overtaken(connect(path), other), partial(trouble, path)))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


Opening = Callable[[Callable[[], object]], Accounts]


def test_quotas(accounts: Accounts, overtaken: Opening) -> None:
    """Who sets one limit leaves the other as it was set."""
    late = overtaken(lambda: accounts.quotas.change_mailbox(ALICE, {"messages": 5}))
    assert late.quotas.change_mailbox(ALICE, {"octets": 7}) == Quota(7, 5)

    late = overtaken(lambda: accounts.quotas.change_domain("example.com", {"messages": 5}, {"octets": 6}))
    late.quotas.change_domain("example.com", {"octets": 7}, {})
    assert accounts.quotas.domain("example.com") == (Quota(7, 5), Quota(6, None))


@pytest.mark.parametrize(
    "change",
    [
        lambda late: late.aliases.remove("sales@example.com"),
        lambda late: late.aliases.remove("sales@example.com", [ALICE]),
        lambda late: late.aliases.accept("sales@example.com"),
        lambda late: late.users.remove("carol@example.com"),
        lambda late: late.aliases.leave("carol@example.com", 1, chosen(550, "Gone")),
        lambda late: late.users.add_reader("x@example.com", "carol@example.com"),
        lambda late: late.app_passwords.add("carol@example.com", "phone", (), "hash"),
        lambda late: late.quotas.change_mailbox("carol@example.com", {"octets": 1}),
        lambda late: late.domains.remove("example.net"),
        lambda late: late.domains.set_class("example.net", "relay"),
        lambda late: late.domains.set_catch_all("example.net", ALICE),
        lambda late: late.domains.set_senders("example.net", "own"),
        lambda late: late.domains.set_alias_of("example.net", "example.com"),
    ],
)
def test_what_is_gone(accounts: Accounts, overtaken: Opening, change: Callable[[Accounts], object]) -> None:
    """It is told to be, whatever was to be done with it."""
    accounts.domains.add("example.net")
    accounts.users.add("carol@example.com")
    accounts.aliases.add("sales@example.com", [ALICE, BOB])
    accounts.aliases.reject("sales@example.com", chosen(550, "Closed"))

    def remove() -> None:
        for removing in (
            lambda: accounts.aliases.accept("sales@example.com"),
            lambda: accounts.aliases.remove("sales@example.com"),
            lambda: accounts.users.remove("carol@example.com"),
            lambda: accounts.domains.remove("example.net"),
        ):
            removing()

    late = overtaken(remove)
    with pytest.raises(NoSuch):
        change(late)


def test_a_domain_that_is_not_empty_any_more(accounts: Accounts, overtaken: Opening) -> None:
    """Its new user is not lost with it."""
    accounts.domains.add("example.net")

    def fill() -> None:
        accounts.users.add("carol@example.net", "hash")

    with pytest.raises(StillNeeded, match="1 user and"):
        overtaken(fill).domains.remove("example.net")
    assert accounts.users.show("carol@example.net").has_password
    with pytest.raises(WrongClass):
        overtaken(lambda: accounts.users.add("dave@example.net", "hash")).domains.set_class("example.net", "relay")


def test_a_domain_of_another_class(accounts: Accounts, overtaken: Opening) -> None:
    """It gets no catch-all that was meant for a local one."""
    accounts.domains.add("example.net")
    late = overtaken(lambda: accounts.domains.set_class("example.net", "relay"))
    with pytest.raises(AccountsError):
        late.domains.set_catch_all("example.net", ALICE)
    assert accounts.domains.show("example.net").catch_all == ""
