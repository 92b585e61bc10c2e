"""Users: added, changed, removed; mail on disk is never theirs to take along."""

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import AccountsError, BadName, Exists, NoSuch, StillNeeded
from mailsuite.directory.rows import User
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.meaning import Mailbox


def test_a_user_is_a_login_a_mailbox_and_an_address(accounts: Accounts, records: SqlRecords) -> None:
    """All three are there once the user is added, under one name however it was typed."""
    added = accounts.users.add("Carol@EXAMPLE.com", "hash of carol")

    assert added == User("carol@example.com", False, True, Mailbox(added.mailbox.id, "example.com/carol"))
    address, login = records.address("carol", "example.com"), records.login("carol@example.com")
    assert address is not None
    assert login is not None
    assert address.mailbox == login.login.mailbox == added.mailbox
    assert [credential.stored for credential in login.credentials] == ["hash of carol"]


@pytest.mark.parametrize(
    ("address", "error", "told"),
    [
        ("ALICE@example.com", Exists, "user passwd alice@example.com"),
        ("sales@example.com", Exists, "alias remove sales@example.com"),
        ("alice@example.net", NoSuch, "domain add example.net"),
        ("alice", BadName, "expected one such as"),
    ],
)
def test_a_user_that_cannot_be_added_is_refused(
    accounts: Accounts, address: str, error: type[AccountsError], told: str
) -> None:
    """The message says why, and how to mend it; asking beforehand gives the same answer."""
    accounts.aliases.add("sales@example.com", ["alice@example.com"])
    before = list(accounts.users.list())

    with pytest.raises(error, match=told):
        accounts.users.refuse_taken(address)
    with pytest.raises(error, match=told):
        accounts.users.add(address)

    assert list(accounts.users.list()) == before


def test_users_are_listed_by_domain(accounts: Accounts) -> None:
    """All users, or those of one domain."""
    accounts.domains.add("example.net")

    assert [user.name for user in accounts.users.list()] == [
        "alice@example.com", "bob@example.com", "postmaster@example.com", "postmaster@example.net",
    ]  # fmt: skip
    assert [user.name for user in accounts.users.list("Example.NET")] == ["postmaster@example.net"]
    with pytest.raises(NoSuch):
        accounts.users.list("example.org")


def test_a_new_password_takes_the_place_of_the_old(accounts: Accounts, records: SqlRecords) -> None:
    """There is one password at a time, and one can be given to who had none."""
    for name in ("alice@example.com", "postmaster@example.com"):
        accounts.users.set_password(name, "new hash")
        login = records.login(name)

        assert login is not None
        assert [credential.stored for credential in login.credentials] == ["new hash"]


def test_a_user_can_be_suspended_and_resumed(accounts: Accounts) -> None:
    """Switching off is not removing."""
    assert accounts.users.set_suspended("alice@example.com", True).suspended
    assert not accounts.users.set_suspended("alice@example.com", False).suspended


def test_an_unknown_user_is_said_with_what_would_add_it(accounts: Accounts) -> None:
    """The message holds the command to run."""
    with pytest.raises(NoSuch, match=r"mailsuite user add carol@example\.com"):
        accounts.users.show("carol@example.com")
    with pytest.raises(NoSuch):
        accounts.users.set_password("carol@example.com", "x")
    with pytest.raises(NoSuch):
        accounts.users.set_suspended("carol@example.com", True)
    with pytest.raises(NoSuch):
        accounts.users.remove("carol@example.com")


def test_a_removed_user_leaves_nothing_but_the_place_of_its_mail(accounts: Accounts, records: SqlRecords) -> None:
    """Login, password and address go; the answer says where the mail lies; the number is not used again."""
    removed = accounts.users.remove("bob@example.com")

    assert removed.mailbox.path == "example.com/bob"
    assert records.login("bob@example.com") is None
    assert records.address("bob", "example.com") is None
    assert accounts.users.add("bob@example.com").mailbox.id > removed.mailbox.id


def test_a_user_that_others_lead_to_is_kept_or_taken_out_of_them(accounts: Accounts) -> None:
    """An alias, a plus-address in an alias and a catch-all are named in the refusal, and lose it by force."""
    accounts.aliases.add("sales@example.com", ["alice@example.com", "bob@example.com"])
    accounts.aliases.add("lists@example.com", ["bob+lists@example.com"])
    accounts.domains.set_catch_all("example.com", "bob@example.com")

    with pytest.raises(StillNeeded, match=r"alias lists@.*, the alias sales@.*, the catch-all of example\.com"):
        accounts.users.remove("bob@example.com")
    assert accounts.users.show("bob@example.com").has_password

    accounts.users.remove("bob@example.com", force=True)

    assert [alias.targets for alias in accounts.aliases.list()] == [("alice@example.com",)]
    assert accounts.domains.show("example.com").catch_all == ""


def test_a_plus_address_of_its_own_is_not_taken_for_another_users(accounts: Accounts) -> None:
    """Where bob+lists is a user itself, removing bob harms no alias to it."""
    accounts.users.add("bob+lists@example.com")
    accounts.aliases.add("lists@example.com", ["bob+lists@example.com"])

    accounts.users.remove("bob@example.com")

    assert accounts.aliases.show("lists@example.com").targets == ("bob+lists@example.com",)


def test_a_postmaster_is_removed_only_by_force(accounts: Accounts) -> None:
    """RFC 5321 §4.5.1 asks for a postmaster in every domain."""
    with pytest.raises(StillNeeded, match="RFC 2142"):
        accounts.users.remove("postmaster@example.com")

    assert accounts.users.remove("postmaster@example.com", force=True).name == "postmaster@example.com"


def test_a_user_that_is_an_alias_too_is_removed_in_two_steps(accounts: Accounts) -> None:
    """A list of people is not thrown away with one of them."""
    accounts.aliases.add("alice@example.com", ["alice@example.com", "bob@example.com"])

    with pytest.raises(StillNeeded, match=r"alias remove alice@example\.com"):
        accounts.users.remove("alice@example.com")

    accounts.aliases.remove("alice@example.com")

    assert accounts.users.remove("alice@example.com").name == "alice@example.com"


@pytest.mark.parametrize(
    "local", ["o'hara", "%", "_", '"; drop table logins; --"', '"*)(uid=*"', '"../../etc/passwd"', '"a\\\\b\\"c"']
)
def test_names_that_look_like_code_are_names(accounts: Accounts, records: SqlRecords, local: str) -> None:
    """Quotes, wildcards and path names are stored, found and removed as they are, and harm nobody."""
    others = list(accounts.users.list())
    added = accounts.users.add(f"{local}@example.com", local)

    login = records.login(added.name)

    assert login is not None
    assert login.login.mailbox == added.mailbox
    assert added.mailbox.path.count("/") == 1
    accounts.users.remove(added.name)
    assert list(accounts.users.list()) == others


def test_mailboxes_of_a_domain(accounts: Accounts, records: SqlRecords) -> None:
    """All of them, by their numbers, some at a time; aliases have none."""
    accounts.domains.add("example.net")
    accounts.users.add("alice@example.net")
    accounts.aliases.add("sales@example.com", ["alice@example.com"])
    found: list[Mailbox] = []
    while some := records.mailboxes("example.com", found[-1].id if found else 0):
        found += some

    assert [each.path for each in found] == ["example.com/postmaster", "example.com/alice", "example.com/bob"]
    assert records.mailboxes("example.com", found[0].id) == tuple(found[1:])
    assert records.mailboxes("example.org", 0) == ()


def test_mailboxes_come_in_pages(accounts: Accounts, records: SqlRecords) -> None:
    """A large domain is not read in one go."""
    for number in range(600):
        accounts.users.add(f"u{number}@example.com")

    assert len(records.mailboxes("example.com", 0)) == 500
