"""Whom a backup is told of: exactly those that we take mail for."""

import pytest

from mailsuite.address import Address
from mailsuite.directory.accepted import Accepted, accepted
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import NoSuch, WrongClass
from mailsuite.directory.sql_records import SqlRecords


def test_users_aliases_and_roles_are_taken(accounts: Accounts, records: SqlRecords) -> None:
    """Wherever aliases lead; not what is suspended."""
    accounts.aliases.add("sales@example.com", ["alice@example.com"])
    accounts.aliases.add("out@example.com", ["Friend@elsewhere.example"])
    accounts.users.add('"Élan vital"@example.com')
    accounts.users.set_suspended("bob@example.com", True)

    assert accepted(records, "example.com", None, 0.0) == Accepted(
        ("abuse", "alice", "out", "postmaster", "sales", "élan vital"), everything=False
    )


def test_an_alias_to_the_suspended_is_not_taken_and_a_suspended_postmaster_is(
    accounts: Accounts, records: SqlRecords
) -> None:
    """As `find` has it."""
    accounts.aliases.add("sales@example.com", ["bob@example.com"])
    for name in ("bob", "postmaster"):
        accounts.users.set_suspended(f"{name}@example.com", True)

    assert accepted(records, "example.com", None, 0.0).locals == ("abuse", "alice", "postmaster")


def test_a_catch_all_takes_everything_while_it_works(accounts: Accounts, records: SqlRecords) -> None:
    """One whose user is suspended takes nothing."""
    accounts.domains.set_catch_all("example.com", "bob@example.com")
    assert accepted(records, "example.com", None, 0.0).everything

    accounts.users.set_suspended("bob@example.com", True)
    assert not accepted(records, "example.com", None, 0.0).everything


@pytest.mark.parametrize(("postmaster", "roles"), [(None, ()), ("alice", ("abuse", "postmaster"))])
def test_without_a_postmaster_there_are_no_roles(
    accounts: Accounts, records: SqlRecords, postmaster: str | None, roles: tuple[str, ...]
) -> None:
    """But the site's gets them for every domain."""
    accounts.domains.add("bare.example", postmaster=False)
    accounts.users.remove("postmaster@example.com", force=True)
    site = None if postmaster is None else Address(postmaster, "example.com")

    assert accepted(records, "bare.example", site, 0.0).locals == roles


def test_only_a_local_domain_has_recipients_that_we_know(accounts: Accounts, records: SqlRecords) -> None:
    """For others, somebody else does."""
    accounts.domains.add("relay.example", domain_class="relay")

    with pytest.raises(WrongClass, match=r"relay\.example is of class relay"):
        accepted(records, "relay.example", None, 0.0)
    with pytest.raises(NoSuch, match=r"domain add nowhere\.example"):
        accepted(records, "nowhere.example", None, 0.0)
