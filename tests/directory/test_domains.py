"""Domains: added with a postmaster, changed, removed with care."""

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import BadName, Exists, LeadsNowhere, NoSuch, StillNeeded
from mailsuite.directory.rows import Domain


def test_a_domain_comes_with_a_postmaster(accounts: Accounts) -> None:
    """Every domain has somebody for postmaster and abuse (RFC 2142), who cannot log in yet."""
    added = accounts.domains.add("Exämple.NET")

    assert added == Domain("xn--exmple-cua.net", "", users=1, aliases=0)
    assert not accounts.users.show("postmaster@exämple.net").has_password


def test_a_domain_whose_postmaster_is_elsewhere_comes_without(accounts: Accounts) -> None:
    """Where the configuration names a postmaster, no mailbox is made."""
    assert accounts.domains.add("example.net", postmaster=False).users == 0


def test_a_domain_is_added_once(accounts: Accounts) -> None:
    """A second time, in any spelling, is refused."""
    with pytest.raises(Exists, match=r"domain show example\.com"):
        accounts.domains.add("EXAMPLE.com")


@pytest.mark.parametrize("name", ["", "a b", "[192.0.2.1]", "192.0.2.1", "alice@example.com", "x..y"])
def test_what_is_no_domain_name_is_refused(accounts: Accounts, name: str) -> None:
    """Only host names can be domains."""
    with pytest.raises(BadName, match=r"expected one such as example\.com"):
        accounts.domains.add(name)


def test_domains_are_listed_by_name_with_what_is_in_them(accounts: Accounts) -> None:
    """The list counts users and aliases."""
    accounts.domains.add("a.example", catch_all="alice@example.com")
    accounts.aliases.add("sales@example.com", ["alice@example.com", "bob@example.com"])

    assert list(accounts.domains.list()) == [
        Domain("a.example", "alice@example.com", users=1, aliases=0),
        Domain("example.com", "", users=3, aliases=1),
    ]


def test_a_catch_all_can_be_set_and_taken_back(accounts: Accounts) -> None:
    """Mail for unknown addresses goes to a user, an alias, a plus-address, or to nobody."""
    assert accounts.domains.set_catch_all("example.com", "Alice+caught@example.com").catch_all == (
        "alice+caught@example.com"
    )
    assert accounts.domains.set_catch_all("example.com", None).catch_all == ""


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nobody@example.com", "user add nobody@example.com"),
        ("alice@gmail.example", "gmail.example is not one of its domains"),
    ],
)
def test_a_catch_all_has_to_lead_somewhere(accounts: Accounts, target: str, told: str) -> None:
    """A catch-all to nobody would lose mail; the domain stays as it was."""
    with pytest.raises(LeadsNowhere, match=told):
        accounts.domains.set_catch_all("example.com", target)
    with pytest.raises(LeadsNowhere):
        accounts.domains.add("example.net", catch_all=target)

    assert [domain.name for domain in accounts.domains.list()] == ["example.com"]
    assert accounts.domains.show("example.com").catch_all == ""


def test_an_unknown_domain_is_said_with_what_would_add_it(accounts: Accounts) -> None:
    """The message holds the command to run."""
    for ask in (accounts.domains.show, accounts.domains.remove):
        with pytest.raises(NoSuch, match=r"mailsuite domain add example\.net"):
            ask("example.net")
    with pytest.raises(NoSuch):
        accounts.domains.set_catch_all("example.net", None)


def test_a_domain_with_users_is_not_removed_by_accident(accounts: Accounts) -> None:
    """Users and aliases keep a domain; told so, the command takes them with it and names them."""
    accounts.aliases.add("sales@example.com", ["alice@example.com"])

    with pytest.raises(StillNeeded, match="2 users and 1 aliases"):
        accounts.domains.remove("example.com")

    removed = accounts.domains.remove("example.com", force=True)

    assert [user.mailbox.path for user in removed] == [
        "example.com/alice", "example.com/bob", "example.com/postmaster",
    ]  # fmt: skip
    assert list(accounts.domains.list()) == []
    assert list(accounts.users.list()) == []
    assert list(accounts.aliases.list()) == []


def test_a_domain_with_nothing_but_its_first_postmaster_is_removed(accounts: Accounts) -> None:
    """What came with the domain does not stand in the way, unless somebody can log in as it."""
    accounts.domains.add("example.net")
    accounts.users.set_password("postmaster@example.net", "hash")

    with pytest.raises(StillNeeded):
        accounts.domains.remove("example.net")

    accounts.domains.add("example.org")

    assert [user.name for user in accounts.domains.remove("example.org")] == ["postmaster@example.org"]


def test_a_domain_that_others_lead_to_is_kept_or_taken_out_of_them(accounts: Accounts) -> None:
    """No alias and no catch-all of another domain is left pointing at nothing."""
    accounts.domains.add("example.net", catch_all="postmaster@example.net")
    accounts.aliases.add("sales@example.com", ["postmaster@example.net"])
    accounts.aliases.add("more@example.com", ["sales@example.com"])
    accounts.domains.set_catch_all("example.com", "more@example.com")

    with pytest.raises(StillNeeded, match=r"the alias sales@example\.com"):
        accounts.domains.remove("example.net")

    accounts.domains.remove("example.net", force=True)

    assert list(accounts.aliases.list()) == []
    assert accounts.domains.show("example.com").catch_all == ""
