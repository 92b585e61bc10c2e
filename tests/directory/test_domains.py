"""Domains: added with a postmaster, changed, removed with care."""

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import BadName, Exists, LeadsNowhere, NoSuch, StillNeeded, WrongClass
from mailsuite.directory.rows import CLASSES, Domain, DomainClass

ELSEWHERE = [each for each in CLASSES if each != "local"]


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
        ("alice@gmail.example", "gmail.example is not one of the local domains; an alias may lead elsewhere"),
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

    with pytest.raises(StillNeeded, match="2 users and 1 alias;"):
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


@pytest.mark.parametrize("domain_class", ELSEWHERE)
def test_a_domain_whose_mail_does_not_end_here_comes_bare(accounts: Accounts, domain_class: DomainClass) -> None:
    """No postmaster and no catch-all; it is listed with its class."""
    assert accounts.domains.add("example.net", domain_class=domain_class) == Domain(
        "example.net", "", users=0, aliases=0, domain_class=domain_class
    )
    assert [each.domain_class for each in accounts.domains.list()] == ["local", domain_class]
    with pytest.raises(WrongClass, match=f"example.org is of class {domain_class}"):
        accounts.domains.add("example.org", catch_all="alice@example.com", domain_class=domain_class)
    with pytest.raises(WrongClass):
        accounts.domains.set_catch_all("example.net", "alice@example.com")
    accounts.domains.remove("example.net")


@pytest.mark.parametrize("domain_class", ELSEWHERE)
def test_a_domain_in_use_keeps_its_class_unless_forced(accounts: Accounts, domain_class: DomainClass) -> None:
    """What would get no more mail is counted; forced, it stays, out of use until the class is changed back."""
    accounts.aliases.add("sales@example.com", ["alice@example.com"])

    with pytest.raises(WrongClass, match=f"1 alias that would get no more mail if it were of class {domain_class}"):
        accounts.domains.set_class("example.com", domain_class)
    assert accounts.domains.show("example.com").domain_class == "local"

    assert accounts.domains.set_class("example.com", domain_class, force=True) == Domain(
        "example.com", "", users=3, aliases=1, domain_class=domain_class
    )
    assert accounts.domains.set_class("example.com", "local") == Domain("example.com", "", users=3, aliases=1)
    assert accounts.aliases.show("sales@example.com").targets == ("alice@example.com",)


def test_users_of_a_domain_may_go_on_sending(accounts: Accounts) -> None:
    """They are no obstacle to class send-only, but to the others; a postmaster without a password is to none."""
    for domain_class in ("relay", "backup"):
        with pytest.raises(WrongClass, match="2 users and 0 aliases"):
            accounts.domains.set_class("example.com", domain_class)
    assert accounts.domains.set_class("example.com", "send-only").users == 3
    accounts.domains.add("example.net")
    assert accounts.domains.set_class("example.net", "relay").domain_class == "relay"


def test_a_catch_all_stands_in_the_way_of_another_class(accounts: Accounts) -> None:
    """Its own, which is kept out of use, and that of another domain, which is taken off."""
    accounts.domains.add("a.example", catch_all="alice@example.com")
    accounts.domains.add("b.example", catch_all="postmaster@a.example")

    with pytest.raises(WrongClass, match="0 aliases and a catch-all"):
        accounts.domains.set_class("a.example", "backup")
    accounts.domains.set_catch_all("a.example", None)
    with pytest.raises(WrongClass, match=r"the catch-all of b\.example leads there"):
        accounts.domains.set_class("a.example", "backup")

    accounts.domains.set_class("a.example", "backup", force=True)

    assert accounts.domains.show("b.example").catch_all == ""


@pytest.mark.parametrize(("postmaster", "users"), [(True, 1), (False, 0)])
def test_a_domain_that_becomes_local_gets_a_postmaster(accounts: Accounts, postmaster: bool, users: int) -> None:
    """Unless the site has one, or it is there already."""
    accounts.domains.add("example.net", domain_class="backup")

    assert accounts.domains.set_class("example.net", "local", postmaster=postmaster).users == users
    assert accounts.domains.set_class("example.net", "local", postmaster=postmaster).users == users


@pytest.mark.parametrize("domain_class", ["relay", "backup"])
def test_users_are_in_domains_where_they_can_do_something(accounts: Accounts, domain_class: DomainClass) -> None:
    """To get mail, or to send it."""
    accounts.domains.add("sends.example", domain_class="send-only")
    accounts.domains.add("example.net", domain_class=domain_class)

    assert accounts.users.add("carol@sends.example").name == "carol@sends.example"
    with pytest.raises(WrongClass, match=f"example.net is a domain of class {domain_class}, which has no users here"):
        accounts.users.add("carol@example.net")


def test_the_postmaster_of_a_domain_that_only_sends_is_a_user_like_others(accounts: Accounts) -> None:
    """RFC 2142 is about mail that is taken."""
    accounts.domains.add("sends.example", domain_class="send-only")
    accounts.users.add("postmaster@sends.example")

    assert accounts.users.remove("postmaster@sends.example").name == "postmaster@sends.example"


def test_what_led_elsewhere_and_is_missing_now_is_told(accounts: Accounts) -> None:
    """A domain that becomes ours takes over the addresses that lead there, in our spelling, each once."""
    accounts.aliases.add("sales@example.com", ["Carol@Example.net", "carol@example.net", "Dave+x@example.net"])
    accounts.domains.add("example.net")

    assert accounts.aliases.show("sales@example.com").targets == ("carol@example.net", "dave+x@example.net")
    assert accounts.domains.missing("example.net") == ("the alias sales@example.com",)
    accounts.users.add("carol@example.net")
    accounts.users.add("dave@example.net")
    assert accounts.domains.missing("example.net") == ()


@pytest.mark.parametrize("force", [False, True])
def test_a_domain_elsewhere_leaves_those_that_lead_there_as_they_are(accounts: Accounts, force: bool) -> None:
    """Mail for its addresses went on before, and does after."""
    accounts.domains.add("example.net", domain_class="relay")
    accounts.aliases.add("sales@example.com", ["carol@example.net"])

    accounts.domains.remove("example.net", force)

    assert accounts.aliases.show("sales@example.com").targets == ("carol@example.net",)


def test_an_alias_of_a_domain(accounts: Accounts) -> None:
    """It has no postmaster of its own, and gets one when it is an alias no more."""
    assert accounts.domains.add("example.de", alias_of="Example.COM") == Domain(
        "example.de", "", users=0, aliases=0, alias_of="example.com"
    )
    assert accounts.domains.set_alias_of("example.de", None) == Domain("example.de", "", users=1, aliases=0)
    assert accounts.domains.set_alias_of("example.de", "example.com").alias_of == "example.com"


def test_one_step_between_local_domains_and_no_more(accounts: Accounts) -> None:
    """Each refusal says why; nothing is left of a domain that could not be added so."""
    accounts.domains.add("example.de", alias_of="example.com")
    accounts.domains.add("relay.example", domain_class="relay")
    for name, other, error, told in (
        ("example.com", "example.com", WrongClass, "both must be local"),
        ("example.com", "relay.example", WrongClass, "of class relay"),
        ("relay.example", "example.com", WrongClass, "of class relay, cannot"),
        ("example.com", "example.de", WrongClass, r"an alias of example\.com itself"),
        ("example.com", "nowhere.example", NoSuch, "no domain nowhere"),
    ):
        with pytest.raises(error, match=told):
            accounts.domains.set_alias_of(name, other)
    accounts.domains.add("example.org")
    with pytest.raises(StillNeeded, match=r"example\.de is one of it"):
        accounts.domains.set_alias_of("example.com", "example.org")
    with pytest.raises(WrongClass):
        accounts.domains.add("example.fr", alias_of="example.de")
    with pytest.raises(NoSuch):
        accounts.domains.show("example.fr")
    for name in ("example.de", "example.com"):
        with pytest.raises(WrongClass, match="--no-alias-of"):
            accounts.domains.set_class(name, "relay", force=True)


def test_what_leads_through_an_alias_of_a_domain(accounts: Accounts) -> None:
    """Keeps the user there, and the alias of the domain; what is forced takes it out of others."""
    accounts.domains.add("example.de", alias_of="example.com")
    accounts.domains.add("example.net", catch_all="alice@example.de")
    accounts.aliases.add("sales@example.net", ["alice+x@example.de"])
    for change in (
        lambda: accounts.users.remove("alice@example.com"),
        lambda: accounts.domains.remove("example.de"),
        lambda: accounts.domains.set_alias_of("example.de", None),
    ):
        with pytest.raises(StillNeeded, match=r"through the alias sales@example\.net, the catch-all of example\.net"):
            change()
    accounts.users.remove("alice@example.com", force=True)
    assert list(accounts.aliases.list()) == []
    assert accounts.domains.show("example.net").catch_all == ""

    with pytest.raises(StillNeeded, match=r"example\.de is an alias of example\.com"):
        accounts.users.remove("bob@example.com")
        accounts.domains.remove("example.com")
    accounts.domains.remove("example.com", force=True)
    assert accounts.domains.show("example.de").alias_of == ""


def test_who_may_send_goes_by_the_domain(accounts: Accounts) -> None:
    """That of an alias by the other one's."""
    assert accounts.domains.show("example.com").senders == "reached"
    assert accounts.domains.set_senders("example.com", "caught").senders == "caught"
    accounts.domains.add("example.de", alias_of="example.com")
    with pytest.raises(WrongClass, match=r"domain set example\.com --senders own"):
        accounts.domains.set_senders("example.de", "own")
