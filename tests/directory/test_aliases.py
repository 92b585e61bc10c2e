"""Aliases: they always lead to somebody, here or elsewhere."""

import itertools

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import BadName, Exists, LeadsNowhere, NoSuch, StillNeeded, TooMany, WrongClass
from mailsuite.directory.expansion import DEPTH
from mailsuite.directory.replies import chosen
from mailsuite.directory.rows import Alias, DomainClass
from mailsuite.directory.wildcards import ASTERISKS, WILDCARDS

SALES = "sales@example.com"
ALICE = "alice@example.com"
BOB = "bob@example.com"
GONE = chosen(550, "Gone")


def test_targets_keep_their_order_and_are_added_once(accounts: Accounts) -> None:
    """A second `add` appends what is new."""
    accounts.aliases.add("Sales@Example.com", [BOB])

    assert accounts.aliases.add(SALES, ["ALICE@example.com", BOB]) == Alias(SALES, (BOB, ALICE))


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nobody@example.com", "user add nobody@example.com"),
        ("nobody+x@example.com", "user add"),
        (SALES, "aliases form a loop"),
    ],
)
def test_an_alias_to_nobody_is_refused(accounts: Accounts, target: str, told: str) -> None:
    """An unknown target of a local domain, or the alias itself, leads nowhere; the good one beside it is not kept."""
    with pytest.raises(LeadsNowhere, match=told):
        accounts.aliases.add(SALES, [target] if target == SALES else [ALICE, target])

    assert list(accounts.aliases.list()) == []


def test_a_chain_grows_too_deep_wherever_it_grows(accounts: Accounts) -> None:
    """At its end or in its middle; what is in the way is named, and a copy that a user keeps is no step."""
    names = [f"a{number}@example.com" for number in range(DEPTH + 1)]
    accounts.aliases.add("b@example.com", [ALICE])
    for name in names:
        accounts.aliases.add(name, ["friend@elsewhere.example"])
    for name, target in itertools.pairwise(names[:DEPTH]):
        accounts.aliases.add(name, [target])
    accounts.aliases.add(ALICE, [ALICE, "friend@elsewhere.example"])

    with pytest.raises(LeadsNowhere, match=r"a0@example\.com, which leads to .* deeper than 20"):
        accounts.aliases.add(names[DEPTH - 1], [names[DEPTH]])
    accounts.aliases.add("c12@example.com", [ALICE])
    for number in range(12, 0, -1):
        accounts.aliases.add(f"c{number - 1}@example.com", [f"c{number}@example.com"])
    with pytest.raises(LeadsNowhere, match=r"which leads to a10@.* deeper than 20"):
        accounts.aliases.add(names[DEPTH // 2], ["c0@example.com"])
    assert accounts.aliases.add(names[1], ["b@example.com"]).targets[-1] == "b@example.com"
    (rejected,) = accounts.import_aliases([(names[DEPTH - 1], [names[DEPTH]])], lambda: None, False)
    assert "deeper than" in rejected.reason


def test_a_postmasters_alias_to_itself_is_refused_too(accounts: Accounts) -> None:
    """That role mail would fall back to another mailbox does not make a loop an alias."""
    accounts.domains.add("example.net", postmaster=False)

    with pytest.raises(LeadsNowhere, match="loop"):
        accounts.aliases.add("postmaster@example.net", ["postmaster@example.net"])


def test_an_alias_of_an_unknown_domain_is_refused(accounts: Accounts) -> None:
    """The message says how to add the domain."""
    with pytest.raises(NoSuch, match=r"domain add example\.net"):
        accounts.aliases.add("sales@example.net", [ALICE])


def test_a_user_can_keep_a_copy_but_not_lose_its_mail_unawares(accounts: Accounts) -> None:
    """A user's address is an alias only with itself among the targets, and stays so."""
    with pytest.raises(LeadsNowhere, match=r"alias add alice@example\.com alice@example\.com OTHERS"):
        accounts.aliases.add(ALICE, [BOB])

    assert accounts.aliases.add(ALICE, [ALICE, BOB]).targets == (ALICE, BOB)
    with pytest.raises(LeadsNowhere):
        accounts.aliases.remove(ALICE, [ALICE])
    assert accounts.aliases.show(ALICE).targets == (ALICE, BOB)


def test_aliases_are_listed_by_domain_and_name(accounts: Accounts) -> None:
    """All aliases, those of a domain, or those that name an address."""
    accounts.domains.add("a.example")
    accounts.aliases.add(SALES, [ALICE, BOB])
    accounts.aliases.add("all@example.com", [SALES])
    accounts.aliases.add("boss@a.example", [ALICE])

    assert [alias.name for alias in accounts.aliases.list()] == ["boss@a.example", "all@example.com", SALES]
    assert [alias.name for alias in accounts.aliases.list("a.example")] == ["boss@a.example"]
    assert accounts.aliases.leading_to("Alice@example.com") == ("boss@a.example", SALES)
    with pytest.raises(NoSuch):
        accounts.aliases.list("nowhere.example")


def test_targets_are_removed_one_by_one_or_all(accounts: Accounts) -> None:
    """With its last target the alias is gone, and its name free for a user."""
    accounts.aliases.add(SALES, [ALICE, BOB])

    assert accounts.aliases.remove(SALES, [BOB, BOB]) == Alias(SALES, (ALICE,))
    assert accounts.aliases.remove(SALES, [ALICE]) is None
    assert accounts.users.add(SALES).name == SALES


def test_what_is_not_there_cannot_be_removed(accounts: Accounts) -> None:
    """An unknown alias, or an address that is none of its targets."""
    accounts.aliases.add(SALES, [ALICE])

    with pytest.raises(NoSuch, match="alias list"):
        accounts.aliases.remove(ALICE)
    with pytest.raises(NoSuch, match=r"its targets: alice@example\.com"):
        accounts.aliases.remove(SALES, [BOB])


def test_an_alias_that_others_lead_to_is_kept_or_taken_out_of_them(accounts: Accounts) -> None:
    """Nested aliases that would be left without a target go with it, by force only."""
    accounts.aliases.add(SALES, [ALICE])
    accounts.aliases.add("inner@example.com", [SALES])
    accounts.aliases.add("outer@example.com", ["inner@example.com", BOB])

    with pytest.raises(StillNeeded, match=r"the alias inner@example\.com"):
        accounts.aliases.remove(SALES)

    accounts.aliases.remove(SALES, force=True)

    assert list(accounts.aliases.list()) == [Alias("outer@example.com", (BOB,))]


@pytest.mark.parametrize("ring", [2, 3])
def test_aliases_that_are_left_with_each_other_go(accounts: Accounts, ring: int) -> None:
    """By force: a loop would take mail for nobody, and no other command makes one. What leads there besides stays."""
    names = [f"ring{number}@example.com" for number in range(ring)]
    accounts.users.add("carol@example.com")
    accounts.aliases.add(names[0], ["carol@example.com"])
    for before, name in itertools.pairwise(names):
        accounts.aliases.add(name, [before])
    accounts.aliases.add(names[0], [names[-1]])
    accounts.aliases.add("outer@example.com", [names[0], BOB])
    accounts.aliases.add("only@example.com", [names[0]])

    accounts.users.remove("carol@example.com", force=True)

    assert list(accounts.aliases.list()) == [Alias("outer@example.com", (BOB,))]


def test_a_wildcard_takes_no_place_of_who_it_leads_to(accounts: Accounts) -> None:
    """Once the user is gone the wildcard has that address, and would lead to itself; others to it."""
    accounts.users.add("carol@example.com")
    accounts.aliases.add("c*@example.com", ["carol@example.com"])
    accounts.aliases.add(SALES, ["carol@example.com"])
    accounts.aliases.add("outer@example.com", [SALES, BOB])

    with pytest.raises(StillNeeded, match=r"the alias c\*@example\.com, the alias sales@example\.com"):
        accounts.users.remove("carol@example.com")
    accounts.users.remove("carol@example.com", force=True)

    assert list(accounts.aliases.list()) == [Alias("outer@example.com", (BOB,))]


def test_wildcards_that_are_led_to_by_others(accounts: Accounts) -> None:
    """However many aliases lie between."""
    accounts.users.add("tmp@example.com")
    accounts.aliases.add("z@example.com", ["tmp@example.com"])
    accounts.aliases.add("q@example.com", ["z@example.com"])
    accounts.aliases.add("*@example.com", ["q@example.com"])
    accounts.users.remove("tmp@example.com", force=True)

    assert list(accounts.aliases.list()) == []


def test_a_target_without_which_there_is_a_ring(accounts: Accounts) -> None:
    """By force, the whole alias goes, and with it those that led there."""
    accounts.aliases.add("a1@example.com", [BOB])
    accounts.aliases.add("a2@example.com", ["a1@example.com"])
    accounts.aliases.add("a1@example.com", ["a2@example.com"])

    with pytest.raises(StillNeeded, match=r"the alias a2@example\.com"):
        accounts.aliases.remove("a1@example.com", [BOB])
    assert accounts.aliases.remove("a1@example.com", [BOB], force=True) is None
    assert list(accounts.aliases.list()) == []


def test_a_ring_with_one_that_is_answered(accounts: Accounts) -> None:
    """It gives an answer for all of them for as long as it does; without it there would be a loop."""
    accounts.users.add("carol@example.com")
    accounts.aliases.add("x@example.com", ["carol@example.com"])
    accounts.aliases.add("y@example.com", ["x@example.com"])
    accounts.aliases.add("x@example.com", ["y@example.com"])
    accounts.aliases.reject("y@example.com", GONE)
    accounts.users.remove("carol@example.com", force=True)

    with pytest.raises(LeadsNowhere, match=r"y@example\.com would lead to no mailbox: aliases form a loop"):
        accounts.aliases.accept("y@example.com")


def test_removing_an_alias_of_a_user_leaves_the_user(accounts: Accounts) -> None:
    """A user that kept a copy is a plain user again, also for those who lead there."""
    accounts.aliases.add(ALICE, [ALICE, BOB])
    accounts.aliases.add(SALES, [ALICE])

    assert accounts.aliases.remove(ALICE) is None
    assert accounts.users.show(ALICE).has_password
    assert accounts.aliases.show(SALES).targets == (ALICE,)


def test_an_alias_may_lead_elsewhere_alone_or_beside_users(accounts: Accounts) -> None:
    """The local part stays as it is written: only the other system knows whether case matters (RFC 5321 §2.4)."""
    accounts.aliases.add(SALES, ["Friend@Elsewhere.Example"])

    assert accounts.aliases.add(SALES, [ALICE, "friend@elsewhere.example"]).targets == (
        "Friend@elsewhere.example", ALICE, "friend@elsewhere.example",
    )  # fmt: skip
    assert accounts.aliases.remove(SALES, ["friend@ELSEWHERE.example"]) == Alias(
        SALES, ("Friend@elsewhere.example", ALICE)
    )
    assert accounts.aliases.remove(SALES, ["FRIEND@elsewhere.example"]) == Alias(SALES, (ALICE,))
    assert accounts.aliases.remove(SALES) is None


def test_a_user_keeps_a_copy_of_what_goes_elsewhere(accounts: Accounts) -> None:
    """Without one the mailbox would get no more mail."""
    with pytest.raises(LeadsNowhere, match=r"alias add alice@example\.com alice@example\.com OTHERS"):
        accounts.aliases.add(ALICE, ["me@elsewhere.example"])

    assert accounts.aliases.add(ALICE, [ALICE, "me@elsewhere.example"]).targets == (ALICE, "me@elsewhere.example")


@pytest.mark.parametrize("domain_class", ["relay", "backup", "send-only"])
def test_a_domain_of_ours_that_is_not_local_is_elsewhere_for_an_alias(
    accounts: Accounts, domain_class: DomainClass
) -> None:
    """Its addresses need not be known here, and it has no aliases of its own."""
    accounts.domains.add("example.net", domain_class=domain_class)

    assert accounts.aliases.add(SALES, ["anybody@example.net"]).targets == ("anybody@example.net",)
    with pytest.raises(WrongClass, match=rf"class {domain_class}, which has no aliases here.*--class local"):
        accounts.aliases.add("sales@example.net", [ALICE])
    assert list(accounts.aliases.list("example.net")) == []


@pytest.mark.parametrize("target", ["a@[192.0.2.1]", "ünal@☃.example", "nobody"])
def test_what_cannot_be_sent_to_is_refused(accounts: Accounts, target: str) -> None:
    """A domain has to stand behind the @, one that IDNA knows."""
    with pytest.raises(BadName):
        accounts.aliases.add(SALES, [target])

    assert list(accounts.aliases.list()) == []


def test_addresses_in_any_letters(accounts: Accounts) -> None:
    """RFC 6531: here they are kept in one form; of one elsewhere, the local part as it is written (§3.2)."""
    accounts.domains.add("例子.测试")
    accounts.users.add("用户@例子.测试")
    made = accounts.aliases.add("Ёлка@例子.测试", ["用户@xn--fsqu00a.xn--0zwm56d", "Ünal@пример.рф"])

    assert made.name == "ёлка@xn--fsqu00a.xn--0zwm56d"
    assert made.targets == ("用户@xn--fsqu00a.xn--0zwm56d", "Ünal@xn--e1afmkfd.xn--p1ai")
    assert accounts.aliases.leading_to("用户@例子.测试") == (made.name,)


def test_an_address_elsewhere_is_no_reason_to_keep_anything(accounts: Accounts) -> None:
    """A user of a domain that only sends can be removed: mail to it goes past us anyway."""
    accounts.domains.add("example.net", domain_class="send-only")
    accounts.users.add("carol@example.net")
    accounts.aliases.add(SALES, ["carol@example.net", ALICE])

    accounts.users.remove("carol@example.net")
    accounts.users.add("carol@example.net")
    accounts.users.remove("carol@example.net", force=True)

    assert accounts.aliases.show(SALES).targets == ("carol@example.net", ALICE)


def test_what_led_elsewhere_stays_when_another_target_is_pruned(accounts: Accounts) -> None:
    """Force takes out what is gone here, nothing else."""
    accounts.aliases.add(SALES, [BOB, "me@elsewhere.example"])

    accounts.users.remove(BOB, force=True)

    assert accounts.aliases.show(SALES).targets == ("me@elsewhere.example",)


def test_an_asterisk_makes_a_wildcard(accounts: Accounts) -> None:
    """Others may lead to what it catches; it goes only once they do so no more."""
    assert accounts.aliases.add("*-bills@example.com", [ALICE]) == Alias("*-bills@example.com", (ALICE,), True)
    accounts.aliases.add(SALES, ["shop-bills+may@example.com"])
    with pytest.raises(LeadsNowhere, match="no user or alias shop@"):
        accounts.aliases.add(SALES, ["shop@example.com"])
    with pytest.raises(StillNeeded, match=f"through the alias {SALES}"):
        accounts.aliases.remove("*-bills@example.com")
    with pytest.raises(LeadsNowhere, match="form a loop"):
        accounts.aliases.add("*-loop@example.com", ["a-loop@example.com"])

    accounts.aliases.remove("*-bills@example.com", force=True)
    assert list(accounts.aliases.list()) == []


def test_wildcards_are_few(accounts: Accounts) -> None:
    """As many as are looked through for each unknown address, and no pattern is more than a few pieces."""
    accounts.aliases.add(f"{'*a' * ASTERISKS}@example.com", [ALICE])
    with pytest.raises(TooMany, match=f"more than {ASTERISKS} asterisks"):
        accounts.aliases.add(f"{'*b' * (ASTERISKS + 1)}@example.com", [ALICE])
    for number in range(WILDCARDS - 1):
        accounts.aliases.add(f"*{number}@example.com", [ALICE])
    with pytest.raises(TooMany, match=f"no more than {WILDCARDS}"):
        accounts.aliases.add("*more@example.com", [ALICE])

    assert accounts.aliases.add("*1@example.com", [BOB]).targets == (ALICE, BOB)


def test_a_reply_stands_in_the_place_of_what_was_there(accounts: Accounts) -> None:
    """Of an alias, a user, a wildcard or nothing; when it is taken off all is as it was."""
    accounts.aliases.add(SALES, [ALICE])
    assert accounts.aliases.reject(SALES, GONE) == Alias(SALES, (ALICE,), reply="550 5.1.1 Gone")
    assert accounts.aliases.reject(BOB, GONE, 86_400) == Alias(BOB, (), reply="550 5.1.1 Gone", since=86_400)
    assert accounts.aliases.reject("*-old@example.com", GONE).wildcard
    assert accounts.aliases.reject("old@example.com", chosen(450, "Later")).reply == "450 4.2.1 Later"
    assert accounts.users.show(BOB).leaves == 86_400

    assert accounts.aliases.remove(SALES) == Alias(SALES, (), reply="550 5.1.1 Gone")
    assert accounts.aliases.accept(SALES) is None
    for name in (BOB, "*-old@example.com", "old@example.com"):
        assert accounts.aliases.accept(name) is None
    assert list(accounts.aliases.list()) == []
    assert accounts.users.show(BOB).leaves is None
    with pytest.raises(NoSuch):
        accounts.aliases.accept("old@example.com")
    accounts.aliases.add(SALES, [ALICE])
    with pytest.raises(NoSuch, match="not answered with a reply of its own"):
        accounts.aliases.accept(SALES)


@pytest.mark.parametrize("name", ["postmaster@example.com", "abuse@example.com", "Abuse@example.com"])
def test_role_mail_is_never_refused(accounts: Accounts, name: str) -> None:
    """RFC 5321 §4.5.1, RFC 2142."""
    with pytest.raises(StillNeeded, match="never refused"):
        accounts.aliases.reject(name, GONE)
    with pytest.raises((StillNeeded, NoSuch)):
        accounts.aliases.leave(name, 1, GONE)


def test_an_address_with_a_reply_is_no_user_before_that_is_taken_off(accounts: Accounts) -> None:
    """The message says the command that helps."""
    accounts.aliases.reject("old@example.com", GONE)
    with pytest.raises(Exists, match=r"alias reject old@example\.com --off"):
        accounts.users.add("old@example.com")
    accounts.aliases.accept("old@example.com")
    accounts.users.add("old@example.com")


def test_who_leaves(accounts: Accounts) -> None:
    """A copy is kept unless that is not wished; only users leave; half of it is nothing."""
    new = "alice@new.example"
    assert accounts.aliases.leave(ALICE, 86_400, GONE, [new]) == Alias(
        ALICE, (ALICE, new), reply="550 5.1.1 Gone", since=86_400
    )
    assert accounts.aliases.leave(BOB, 86_400, GONE, [new], keep=False).targets == (new,)
    assert accounts.aliases.accept(BOB) == Alias(BOB, (new,))
    assert accounts.aliases.leave(BOB, 86_400, GONE).targets == (new,)
    accounts.users.add("carol@example.com")
    with pytest.raises(LeadsNowhere):
        accounts.aliases.leave("carol@example.com", 86_400, GONE, ["nobody@example.com"])
    assert accounts.users.show("carol@example.com").leaves is None
    accounts.aliases.add(SALES, [ALICE])
    with pytest.raises(NoSuch, match="no user"):
        accounts.aliases.leave(SALES, 86_400, GONE)


def test_many_at_once(accounts: Accounts) -> None:
    """In any order; a row that cannot be used spoils no other of its commit."""
    rows = [
        ("one@example.com", ["two@example.com"]),
        ("bad@example.com", ["nobody@example.com"]),
        ("two@example.com", ["postmaster@example.com", "far@b.example"]),
        ("three@nowhere.example", ["postmaster@example.com"]),
    ]

    rejected = accounts.import_aliases(rows, lambda: None, False)

    assert [each.index for each in rejected] == [1, 3]
    assert accounts.aliases.show("one@example.com").targets == ("two@example.com",)
    with pytest.raises(NoSuch):
        accounts.aliases.show("bad@example.com")


def test_a_list_goes_on_behind_any_name(accounts: Accounts) -> None:
    """Also behind one that is written in quotes, or that there never was: nothing comes twice, nothing is left out."""
    names = ['"a b"@example.com', "c@example.com", '"d@e"@example.com', "f@example.com"]
    for name in names:
        accounts.aliases.add(name, ["alice@example.com"])
    everything = [each.name for each in accounts.aliases.list()]
    assert sorted(everything) == sorted(names)
    for index, name in enumerate(everything):
        for domain in (None, "example.com"):
            assert [each.name for each in accounts.aliases.list(domain, name)] == everything[index + 1 :]
    assert [each.name for each in accounts.aliases.list(None, "cc@example.com")][-1] == "f@example.com"
    assert list(accounts.aliases.list(None, "example.net")) == []
