"""The order of lookup as a table, on records that are written down here."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mailsuite.address import Address
from mailsuite.directory.expansion import DEPTH, MEMBERS
from mailsuite.directory.records import AddressRecord, DomainRecord, Reject
from mailsuite.directory.resolve import Resolver
from mailsuite.maybe import at_once
from mailsuite.meaning import Broken, Foreign, Mailbox, Mailboxes, Meaning, Refused, Relayed, Suspended, Unknown


def address(text: str) -> Address:
    """Return the address *text*, which needs no quoting."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def box(number: int) -> Mailbox:
    """Return the mailbox of record *number*."""
    return Mailbox(number, f"box/{number}")


def _parts(text: str) -> tuple[str, str, str]:
    return text.rpartition("@")


@dataclass
class Written:
    """Records in memory: domains with their catch-alls, addresses in order of their numbers."""

    domains: dict[str, str | None]
    addresses: dict[str, AddressRecord] = field(default_factory=dict)
    # Those that are not local.
    classes: dict[str, str] = field(default_factory=dict)
    alias_of: dict[str, str] = field(default_factory=dict)
    senders: dict[str, str] = field(default_factory=dict)

    def first_domain(self) -> str | None:
        """See `Lookups`."""
        return next((name for name in self.domains if name not in self.classes), None)

    def domain(self, name: str) -> DomainRecord | None:
        """See `Lookups`."""
        if name not in self.domains:
            return None
        catch_all = self.domains[name]
        caught = None if catch_all is None else address(catch_all)
        alias_of, senders = self.alias_of.get(name, ""), self.senders.get(name, "reached")
        return DomainRecord(name, caught, self.classes.get(name, "local"), alias_of, senders)

    def address(self, local: str, domain: str) -> AddressRecord | None:
        """See `Lookups`."""
        return self.addresses.get(f"{local}@{domain}")

    def wildcards(self, domain: str) -> list[str]:
        """See `Lookups`."""
        return [local for local, _, place in map(_parts, self.addresses) if "*" in local and place == domain]

    def mailbox(self, name: str, number: int, suspended: bool = False) -> None:
        """Write a mailbox down."""
        self.addresses[name] = AddressRecord(number, box(number), suspended, ())

    def alias(self, name: str, number: int, *targets: str, mailbox: bool = False) -> None:
        """Write an alias down, which may be a mailbox too."""
        own = box(number) if mailbox else None
        self.addresses[name] = AddressRecord(number, own, False, tuple(map(address, targets)))


def site() -> Written:
    """Return one of everything."""
    written = Written(
        {
            "relay.example": "bob@one.example",
            "backup.example": None,
            "sends.example": "bob@one.example",
            "one.example": None,
            "two.example": "bob@one.example",
            "bare.example": None,
        },
        classes={"relay.example": "relay", "backup.example": "backup", "sends.example": "send-only"},
    )
    written.mailbox("postmaster@one.example", 1)
    written.mailbox("alice@one.example", 2)
    written.mailbox("bob@one.example", 3)
    written.mailbox("off@one.example", 4, suspended=True)
    written.mailbox("alice+exact@one.example", 5)
    written.alias("list@one.example", 6, "alice@one.example", "bob+list@one.example", "alice@one.example")
    written.alias("nested@one.example", 7, "list@one.example", "alice@two.example")
    written.alias("keeps@one.example", 8, "keeps@one.example", "bob@one.example", mailbox=True)
    written.alias("loop@one.example", 9, "pool@one.example")
    written.alias("pool@one.example", 10, "loop@one.example")
    written.alias("offs@one.example", 11, "off@one.example")
    written.alias("some@one.example", 12, "off@one.example", "alice@one.example", "gone@one.example")
    written.alias("gone-only@one.example", 13, "gone@one.example")
    written.mailbox("alice@two.example", 14)
    written.mailbox("abuse@two.example", 15)
    written.mailbox("off@two.example", 16, suspended=True)
    written.mailbox("postmaster@two.example", 17)
    # A diamond: "both" is reached twice, which is no loop, and its own mailbox is none of its targets.
    written.alias("both@one.example", 18, "bob@one.example", mailbox=True)
    written.alias("left@one.example", 19, "both@one.example")
    written.alias("right@one.example", 20, "both@one.example")
    written.alias("diamond@one.example", 21, "left@one.example", "right@one.example")
    # What a domain had before it was of another class.
    written.mailbox("alice@relay.example", 22)
    written.mailbox("carol@sends.example", 23)
    written.alias("list@relay.example", 24, "alice@one.example")
    # Members elsewhere: alone, beside a mailbox, twice, through another alias, and of our other classes.
    written.alias("out@one.example", 25, "Friend@elsewhere.example")
    written.alias("copy@one.example", 26, "alice@one.example", "Friend@elsewhere.example", "Friend@elsewhere.example")
    written.alias("far@one.example", 27, "out@one.example", "bob@one.example", "other@elsewhere.example")
    written.alias("past@one.example", 28, "alice@relay.example", "a@backup.example", "carol@sends.example")
    written.alias("offout@one.example", 29, "off@one.example", "gone@one.example", "Friend@elsewhere.example")
    written.alias("roundout@one.example", 30, "roundout@one.example", "Friend@elsewhere.example")
    return written


TABLE = [
    # a foreign domain, an address literal
    ("alice@elsewhere.example", Foreign()),
    ("postmaster@elsewhere.example", Foreign()),
    ("alice@[192.0.2.1]", Foreign()),
    # a domain whose mail does not end here: no record, role, plus-address or catch-all of it counts
    ("alice@relay.example", Relayed()),
    ("list@relay.example", Relayed()),
    ("nobody@Relay.Example", Relayed()),
    ("postmaster@relay.example", Relayed()),
    ("abuse@backup.example", Relayed(backup=True)),
    ("alice+x@backup.example", Relayed(backup=True)),
    ("carol@sends.example", Foreign()),
    ("nobody@sends.example", Foreign()),
    ("postmaster@sends.example", Foreign()),
    # members elsewhere
    ("out@one.example", ((), "Friend@elsewhere.example")),
    ("out+x@one.example", ((), "Friend@elsewhere.example")),
    ("copy@one.example", ((2,), "Friend@elsewhere.example")),
    ("far@one.example", ((3,), "Friend@elsewhere.example", "other@elsewhere.example")),
    ("past@one.example", ((), "alice@relay.example", "a@backup.example", "carol@sends.example")),
    ("offout@one.example", ((), "Friend@elsewhere.example")),
    ("roundout@one.example", ((), "Friend@elsewhere.example")),
    # exactly this mailbox, in any spelling
    ("alice@one.example", (2,)),
    ("ALICE@ONE.Example", (2,)),
    ("alice@two.example", (14,)),
    ("off@one.example", Suspended()),
    # exactly this alias: order kept, doubles dropped, nested, an own copy, suspended and missing members left out
    ("list@one.example", (2, 3)),
    ("nested@one.example", (2, 3, 14)),
    ("keeps@one.example", (8, 3)),
    ("some@one.example", (2,)),
    ("diamond@one.example", (3,)),
    ("offs@one.example", Suspended()),
    ("loop@one.example", Broken("aliases form a loop")),
    ("gone-only@one.example", Broken("gone@one.example is in an alias and does not exist", "nowhere")),
    # plus-addresses: what is there exactly comes first, then the base, mailbox or alias, up to the first plus
    ("alice+exact@one.example", (5,)),
    ("alice+x@one.example", (2,)),
    ("alice+x+exact@one.example", (2,)),
    ("Alice+X@one.example", (2,)),
    ("list+x@one.example", (2, 3)),
    ("off+x@one.example", Suspended()),
    ("+x@one.example", Unknown()),
    ("nobody+x@one.example", Unknown()),
    # the names of RFC 2142
    ("postmaster@one.example", (1,)),
    ("Abuse@one.example", (1,)),
    ("abuse@two.example", (15,)),
    ("postmaster@two.example", (17,)),
    ("postmaster@bare.example", (1,)),
    ("abuse@bare.example", (1,)),
    ("Postmaster@", (1,)),
    ("abuse@", Unknown()),
    ("alice@", Unknown()),
    # the catch-all comes last, and catches neither what is suspended nor another domain's
    ("nobody@two.example", (3,)),
    ("nobody+x@two.example", (3,)),
    ("off@two.example", Suspended()),
    ("nobody@one.example", Unknown()),
    ("nobody@bare.example", Unknown()),
    ("", Unknown()),
]


def meant(expected: Meaning | tuple[Any, ...]) -> Meaning:
    """Return the meaning that a row of the table expects: mailboxes' numbers, or a tuple of these and addresses."""
    if not isinstance(expected, tuple):
        return expected
    numbers, onward = (expected[0], expected[1:]) if isinstance(expected[0], tuple) else (expected, ())
    return Mailboxes(tuple(map(box, numbers)), tuple(map(address, onward)))


@pytest.mark.parametrize(("written", "expected"), TABLE)
def test_an_address_means_what_the_order_says(written: str, expected: Meaning | tuple[Any, ...]) -> None:
    """Each rule of the order, and each before the next."""
    assert at_once(Resolver(site()).find(address(written))) == meant(expected)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("abuse@one.example", (2,)),
        ("postmaster@one.example", (1,)),
        ("postmaster@bare.example", (2,)),
        ("abuse@two.example", (15,)),
        ("Postmaster@", (2,)),
    ],
)
def test_the_sites_postmaster_gets_what_no_domain_claims(written: str, expected: tuple[int, ...]) -> None:
    """With `[directory] postmaster` set, role mail goes there, but not that of an address of its own."""
    resolver = Resolver(site(), address("alice@one.example"))

    assert at_once(resolver.find(address(written))) == meant(expected)


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        # Of nobody else, and of a domain that only sends: the site's postmaster, here that of the first local domain.
        ("mail.other.example", meant((1,))),
        ("Sends.Example", meant((1,))),
        # What has a way of its own goes it.
        ("relay.example", Relayed()),
        ("two.example", meant((17,))),
    ],
)
def test_the_postmaster_of_our_own_host(hostname: str, expected: Meaning) -> None:
    """RFC 3461 §9.3: whoever answers a report, or writes to whom it names, reaches somebody."""
    resolver = Resolver(site(), hostname=hostname)

    assert at_once(resolver.find(address(f"Postmaster@{hostname.upper()}"))) == expected
    someone = address(f"someone@{hostname}")
    assert at_once(resolver.find(someone)) == at_once(Resolver(site()).find(someone))
    assert at_once(resolver.find(address("postmaster@elsewhere.example"))) == Foreign()


@pytest.mark.parametrize(
    "postmaster",
    ["nobody@one.example", "someone@elsewhere.example", "off@one.example", "alice@relay.example",
     "carol@sends.example"],
)  # fmt: skip
def test_a_site_postmaster_of_no_use_is_passed_over(postmaster: str) -> None:
    """Role mail is taken although the configuration names an address that cannot get it."""
    assert at_once(Resolver(site(), address(postmaster)).find(address("abuse@bare.example"))) == meant((1,))


def test_a_suspended_postmaster_does_not_stop_role_mail() -> None:
    """RFC 2142 mail is always accepted for a local domain."""
    written = site()
    written.mailbox("postmaster@two.example", 17, suspended=True)

    assert at_once(Resolver(written).find(address("postmaster@two.example"))) == meant((1,))


@pytest.mark.parametrize("written", ["postmaster@one.example", "abuse@bare.example", "Postmaster@"])
def test_role_mail_is_taken_even_where_everybody_is_suspended(written: str) -> None:
    """The mailbox keeps it; nobody else's mail is let through with it."""
    suspended = site()
    suspended.mailbox("postmaster@one.example", 1, suspended=True)
    resolver = Resolver(suspended)

    assert at_once(resolver.find(address(written))) == meant((1,))
    assert at_once(resolver.find(address("off@one.example"))) == Suspended()


def test_role_mail_goes_to_a_catch_all_before_it_goes_to_the_suspended() -> None:
    """Better to somebody who reads it."""
    written = Written({"x.example": "bob@x.example"})
    written.mailbox("bob@x.example", 1)
    written.mailbox("postmaster@x.example", 2, suspended=True)

    assert at_once(Resolver(written).find(address("abuse@x.example"))) == meant((1,))
    assert at_once(Resolver(written).find(address("postmaster@x.example"))) == meant((2,))


def test_without_any_domain_even_postmaster_is_unknown() -> None:
    """An empty site has nobody."""
    assert at_once(Resolver(Written({})).find(address("Postmaster@"))) == Unknown()


def test_a_catch_all_that_leads_nowhere_catches_nothing() -> None:
    """A dangling catch-all is as good as none."""
    assert at_once(Resolver(Written({"x.example": "gone@x.example"})).find(address("a@x.example"))) == Unknown()


@pytest.mark.parametrize(("depth", "reached"), [(DEPTH, True), (DEPTH + 1, False)])
def test_aliases_nest_only_so_deep(depth: int, reached: bool) -> None:
    """At the limit a chain of aliases leads to its mailbox, past it the address is broken."""
    written = Written({"x.example": None})
    for number in range(depth):
        written.alias(f"a{number}@x.example", number, f"a{number + 1}@x.example")
    written.mailbox(f"a{depth}@x.example", depth)

    meaning = at_once(Resolver(written).find(address("a0@x.example")))

    assert meaning == (meant((depth,)) if reached else Broken(f"aliases are nested deeper than {DEPTH}", "far"))


@pytest.mark.parametrize(("members", "reached"), [(MEMBERS, True), (MEMBERS + 1, False)])
def test_an_alias_grows_only_so_large(members: int, reached: bool) -> None:
    """At the limit every member gets the mail, past it the address is broken."""
    written = Written({"x.example": None})
    written.alias("all@x.example", 0, *(f"m{number}@x.example" for number in range(1, members + 1)))
    for number in range(1, members + 1):
        written.mailbox(f"m{number}@x.example", number)

    meaning = at_once(Resolver(written).find(address("all@x.example")))

    assert isinstance(meaning, Mailboxes) is reached
    assert isinstance(meaning, Broken) is not reached


def test_aliases_that_multiply_are_stopped() -> None:
    """A tangle in which every alias names all others is followed once through, not exponentially."""
    names = [f"a{number}@x.example" for number in range(DEPTH)]
    written = Written({"x.example": None})
    for number, name in enumerate(names):
        written.alias(name, number, *names, "end@x.example")
    written.mailbox("end@x.example", 99)

    assert at_once(Resolver(written).find(address(names[0]))) == meant((99,))


def test_role_mail_may_go_elsewhere_by_an_alias() -> None:
    """A postmaster who reads mail on another system."""
    assert at_once(Resolver(site(), address("out@one.example")).find(address("abuse@bare.example"))) == Mailboxes(
        (), (Address("Friend", "elsewhere.example"),)
    )


def test_a_catch_all_may_lead_to_an_alias_that_leads_elsewhere_and_not_there_itself() -> None:
    """What it names is looked up here; an address of another class or system is not found."""
    written = Written({"x.example": "out@x.example", "y.example": "a@r.example", "r.example": None})
    written.classes["r.example"] = "relay"
    written.mailbox("a@r.example", 1)
    written.alias("out@x.example", 2, "Friend@elsewhere.example")

    assert at_once(Resolver(written).find(address("nobody@x.example"))) == meant(((), "Friend@elsewhere.example"))
    assert at_once(Resolver(written).find(address("nobody@y.example"))) == Unknown()


@pytest.mark.parametrize(("members", "reached"), [(MEMBERS, True), (MEMBERS + 1, False)])
def test_members_elsewhere_count_too(members: int, reached: bool) -> None:
    """The same limit, so that no alias is a multiplier of mail to others."""
    written = Written({"x.example": None})
    written.alias("all@x.example", 0, *(f"m{number}@elsewhere.example" for number in range(members)))

    assert isinstance(at_once(Resolver(written).find(address("all@x.example"))), Mailboxes) is reached


@pytest.mark.parametrize("name", ["carol@sends.example", "carol+x@sends.example", "Carol@Sends.example"])
def test_a_user_of_a_domain_that_only_sends_owns_its_address(name: str) -> None:
    """Mail for it is not taken, mail from it is."""
    resolver = Resolver(site())

    assert at_once(resolver.belongs(address(name), box(23)))
    assert not at_once(resolver.belongs(address(name), box(2)))
    assert not at_once(resolver.belongs(address("postmaster@sends.example"), box(23)))


def test_an_unknown_class_takes_no_mail() -> None:
    """What a newer version may have written is not guessed at."""
    written = Written({"x.example": None}, classes={"x.example": "fancy"})

    assert at_once(Resolver(written).find(address("a@x.example"))) == Foreign()


def test_members_are_the_targets_as_they_are_kept() -> None:
    """EXPN tells direct targets, of aliases alone (RFC 5321 §3.5.2)."""
    resolver = Resolver(site())

    assert at_once(resolver.members(address("nested@one.example"))) == (
        Address("list", "one.example"),
        Address("alice", "two.example"),
    )
    assert at_once(resolver.members(address("alice@one.example"))) is None
    assert at_once(resolver.members(address("nobody@one.example"))) is None
    assert at_once(resolver.members(address("list@elsewhere.example"))) is None
    assert at_once(resolver.members(address("list@relay.example"))) is None
    assert at_once(resolver.members(address("out@one.example"))) == (Address("Friend", "elsewhere.example"),)


def hosted() -> Written:
    """Return domains of which one is an alias of another, with wildcards and somebody who leaves."""
    written = Written({"x.example": None, "alias.example": None, "r.example": None}, classes={"r.example": "relay"})
    written.alias_of["alias.example"] = "x.example"
    written.mailbox("alice@x.example", 1)
    written.mailbox("bob@x.example", 2)
    written.alias("list@x.example", 3, "alice@alias.example", "a-wild@alias.example", "gone@x.example")
    written.alias("*-wild@x.example", 4, "bob@x.example")
    written.alias("alice@alias.example", 5, "bob@x.example", "alice@x.example")
    written.mailbox("gone@x.example", 6)
    written.addresses["gone@x.example"] = replace(
        written.addresses["gone@x.example"], reject=Reject(Refused(550, "5.1.6", "Gone"), 1000.0)
    )
    written.alias("all-gone@x.example", 7, "gone@x.example")
    return written


def test_members_by_all_that_names_them() -> None:
    """A member is found through the alias of a domain, its own address there first, and by a wildcard."""
    assert at_once(Resolver(hosted()).find(address("list@x.example"))) == meant((2, 1, 6))


@pytest.mark.parametrize("now", [0.0, 999.9, 1000.0])
def test_who_leaves_is_refused_from_a_moment_on(now: float) -> None:
    """By itself, as a plus-address, through the alias of the domain, as the only member; not for others' sake."""
    resolver = Resolver(hosted(), now=now)
    refused = Refused(550, "5.1.6", "Gone") if now >= 1000.0 else meant((6,))
    for name in ("gone@x.example", "gone+x@x.example", "gone@alias.example", "all-gone@x.example"):
        assert at_once(resolver.find(address(name))) == refused
    assert at_once(resolver.find(address("list@x.example"))) == meant((2, 1) if now >= 1000.0 else (2, 1, 6))


def test_role_mail_is_taken_whatever_was_chosen() -> None:
    """A reply that somebody has written beside the commands, or a wildcard that catches the rest, does not stop it."""
    written = hosted()
    written.mailbox("postmaster@x.example", 8)
    written.alias("*@x.example", 9, "bob@x.example")
    assert at_once(Resolver(written).find(address("abuse@alias.example"))) == meant((8,))
    written.addresses["abuse@x.example"] = replace(written.addresses["gone@x.example"], mailbox=None)
    assert at_once(Resolver(written, now=2000.0).find(address("abuse@x.example"))) == meant((8,))
    assert at_once(Resolver(written).find(address("nobody@alias.example"))) == meant((2,))


def test_an_alias_of_what_is_not_local_is_none() -> None:
    """Whatever is recorded: one step, to a domain whose mail ends here."""
    written = hosted()
    written.mailbox("carol@r.example", 8)
    for other in ("r.example", "nowhere.example"):
        written.alias_of["alias.example"] = other
        assert at_once(Resolver(written).find(address("carol@alias.example"))) == Unknown()
    written.alias_of |= {"alias.example": "x.example", "x.example": "alias.example"}
    assert at_once(Resolver(written).find(address("nobody@alias.example"))) == Unknown()


@pytest.mark.parametrize(
    ("rule", "owners"),
    [
        ("own", {"alice+x@x.example": {1}, "list@x.example": set(), "nobody@x.example": set()}),
        ("reached", {"alice+x@x.example": {1}, "list@x.example": {1, 2, 6}, "nobody@x.example": set()}),
        ("caught", {"alice+x@x.example": {1}, "list@x.example": {1, 2, 6}, "nobody@x.example": {2}}),
        ("domain", {"alice+x@x.example": {1}, "list@x.example": {1, 2, 6}, "nobody@x.example": {1, 2, 6}}),
    ],
)
def test_who_may_send_by_the_domains_rule(rule: str, owners: dict[str, set[int]]) -> None:
    """What is somebody's mailbox is nobody else's under any rule; that of the other domain holds for its alias."""
    written = hosted()
    del written.addresses["alice@alias.example"]
    written.domains["x.example"] = "bob@x.example"
    written.senders["x.example"] = rule
    written.addresses = {
        name: replace(record, mailbox=record.mailbox and Mailbox(record.id, f"x.example/{record.id}"))
        for name, record in written.addresses.items()
    }
    resolver = Resolver(written)
    for name, expected in owners.items():
        for place in (name, name.replace("x.example", "alias.example")):
            boxes = [Mailbox(number, f"x.example/{number}") for number in (1, 2, 6)]
            boxes.append(Mailbox(99, "other.example/mallory"))
            found = {box.id for box in boxes if at_once(resolver.belongs(address(place), box))}
            assert found == expected, place


def test_what_the_alias_of_a_domain_has_itself_is_another_address() -> None:
    """Who has a mailbox of that name in the other domain, and none of its mail, may not send from it."""
    written = hosted()
    written.alias("alice@alias.example", 5, "bob@x.example")
    resolver = Resolver(written)

    for name in ("alice@alias.example", "alice+x@alias.example"):
        assert at_once(resolver.belongs(address(name), box(2)))
        assert not at_once(resolver.belongs(address(name), box(1)))
