"""The directory as the server uses it: right, fresh within a moment, and bounded."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.address import Address
from mailsuite.directory import lookup
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.cache import Cache
from mailsuite.directory.errors import AccountsError, BadName
from mailsuite.directory.lookup import Directory
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.remembered import Source
from mailsuite.directory.replies import chosen
from mailsuite.directory.schema import connect_for_lookups
from mailsuite.directory.sqlite import CHECK_SECONDS, SqliteBackend
from mailsuite.interfaces import IMailboxDirectory
from mailsuite.meaning import (
    Broken,
    CannotJudge,
    Foreign,
    Login,
    Mailboxes,
    Meaning,
    Refused,
    Relayed,
    Suspended,
    Unknown,
)
from tests.directory.conftest import at_once, ticking

# When questions are asked, in POSIX seconds.
NOW = 1_000_000.0


class At(Directory):
    """The directory over a back end that never lets wait."""

    def find(self, address: Address) -> Meaning:
        """See `Directory.find`."""
        found = super().find(address)
        assert isinstance(found, Meaning)
        return found


def over(backend: SqliteBackend, seconds: Callable[[], float], postmaster: str = "", hostname: str = "") -> At:
    """Return the directory over *backend*."""
    return At(backend, Source(backend.generation, seconds), lambda: NOW, postmaster, hostname)


@pytest.fixture
def directory(backend: SqliteBackend, clock: Clock) -> At:
    """The directory over the accounts of the test."""
    return over(backend, clock.seconds)


def names(meaning: Meaning) -> list[str]:
    """Return the paths that *meaning* leads to."""
    assert isinstance(meaning, Mailboxes), meaning
    return [mailbox.path for mailbox in meaning.mailboxes]


def find(directory: At, local: str, domain: str = "example.com") -> Meaning:
    """Look *local* up."""
    return directory.find(Address(local, domain))


def test_it_is_a_mailbox_directory(directory: At) -> None:
    """Class and object provide the interface."""
    assert verifyClass(IMailboxDirectory, Directory)
    assert verifyObject(IMailboxDirectory, directory)


def test_each_kind_of_address_is_told_from_the_file(accounts: Accounts, directory: At) -> None:
    """What the order of lookup needs is read from the accounts as the commands wrote them."""
    accounts.aliases.add("sales@example.com", ["bob@example.com", "alice+sales@example.com"])
    accounts.domains.add("exämple.net", catch_all="bob@example.com", postmaster=False)
    accounts.users.add("off@example.com")
    accounts.users.set_suspended("off@example.com", True)

    assert names(find(directory, "Alice")) == ["example.com/alice"]
    assert names(find(directory, "alice+x")) == ["example.com/alice"]
    assert names(find(directory, "SALES")) == ["example.com/bob", "example.com/alice"]
    assert names(find(directory, "abuse")) == ["example.com/postmaster"]
    assert names(find(directory, "postmaster", "")) == ["example.com/postmaster"]
    assert names(find(directory, "anybody", "EXÄMPLE.net")) == ["example.com/bob"]
    assert names(find(directory, "abuse", "xn--exmple-cua.net")) == ["example.com/postmaster"]
    assert find(directory, "off") == Suspended()
    assert find(directory, "nobody") == Unknown()
    assert find(directory, "alice", "example.org") == Foreign()
    assert find(directory, "alice", "[192.0.2.1]") == Foreign()


def test_the_configured_postmaster_gets_role_mail(accounts: Accounts, backend: SqliteBackend, clock: Clock) -> None:
    """`[directory] postmaster` stands before the domain's own for abuse, and a bad one is refused at once."""
    directory = over(backend, clock.seconds, "bob@example.com")

    assert names(find(directory, "abuse")) == ["example.com/bob"]
    with pytest.raises(BadName):
        over(backend, clock.seconds, "bob")


def test_our_own_host_has_a_postmaster(accounts: Accounts, backend: SqliteBackend, clock: Clock) -> None:
    """RFC 3461 §9.3: also where its name is no domain of ours."""
    directory = over(backend, clock.seconds, "bob@example.com", "mail.example.com")

    assert names(find(directory, "postmaster", "mail.example.com")) == ["example.com/bob"]
    assert find(directory, "bob", "mail.example.com") == Foreign()
    assert not directory.is_local("mail.example.com")


def test_domains_that_we_pass_on_mail_for(accounts: Accounts, directory: At) -> None:
    """Those below a domain, in any spelling, and neither itself nor what only ends like it."""
    for name in ("relay.example", "a.relay.example", "deep.b.relay.example", "notrelay.example", "x.xn--bcher-kva.de"):
        accounts.domains.add(name, domain_class="relay")
    accounts.domains.add("c.relay.example", domain_class="backup")
    accounts.domains.add("local.relay.example")
    accounts.domains.add("sends.relay.example", domain_class="send-only")

    assert directory.relayed_below("Relay.Example") == ["a.relay.example", "deep.b.relay.example", "c.relay.example"]
    assert directory.relayed_below("bücher.de") == ["x.xn--bcher-kva.de"]
    assert directory.relayed_below("a.relay.example") == []


def test_domains_are_known_in_every_spelling(accounts: Accounts, directory: At) -> None:
    """Domains are compared as A-labels; an address literal is not ours."""
    accounts.domains.add("exämple.net")

    for name in ("example.com", "EXAMPLE.COM", "exämple.net", "xn--exmple-cua.net"):
        assert directory.is_local(name)
    for name in ("example.org", "[192.0.2.1]", ""):
        assert not directory.is_local(name)


def test_the_class_of_a_domain_is_seen(accounts: Accounts, directory: At, clock: Clock) -> None:
    """Mail ends here for a local domain alone; a change of the class takes effect like any other."""
    accounts.domains.add("relay.example", domain_class="relay")
    accounts.domains.add("backup.example", domain_class="backup")
    accounts.domains.add("sends.example", domain_class="send-only")

    assert find(directory, "a", "relay.example") == Relayed()
    assert find(directory, "a", "Backup.Example") == Relayed(backup=True)
    assert find(directory, "a", "sends.example") == Foreign()
    assert not any(map(directory.is_local, ("relay.example", "backup.example", "sends.example")))

    accounts.domains.set_class("relay.example", "local")
    clock.advance(CHECK_SECONDS)

    assert find(directory, "a", "relay.example") == Unknown()
    assert directory.is_local("relay.example")


def test_a_login_of_a_domain_that_only_sends_may_send_as_itself(
    accounts: Accounts, directory: At, backend: SqliteBackend
) -> None:
    """Though mail for it is not taken."""
    accounts.domains.add("sends.example", domain_class="send-only")
    accounts.users.add("carol@sends.example")
    record = backend.login("carol@sends.example")

    assert record is not None
    assert directory.may_send_as(record.login, Address("carol+x", "sends.example"))
    assert not directory.may_send_as(record.login, Address("alice", "example.com"))


def test_a_change_takes_effect_within_a_moment(
    accounts: Accounts, directory: At, clock: Clock
) -> None:
    """What another process changes is seen after CHECK_SECONDS, what was unknown or foreign too."""
    assert find(directory, "carol") == Unknown()
    assert find(directory, "alice", "example.net") == Foreign()
    assert not directory.is_local("example.net")
    accounts.users.add("carol@example.com")
    accounts.domains.add("example.net", catch_all="alice@example.com")
    accounts.users.remove("bob@example.com")

    clock.advance(CHECK_SECONDS)

    assert names(find(directory, "carol")) == ["example.com/carol"]
    assert names(find(directory, "alice", "example.net")) == ["example.com/alice"]
    assert directory.is_local("example.net")
    assert find(directory, "bob") == Unknown()


def test_answers_come_from_the_cache_until_something_changes(path: str, accounts: Accounts, clock: Clock) -> None:
    """A known answer costs no statement, nor does a known login; a commit that changes no account keeps the cache."""
    statements: list[str] = []
    reading = connect_for_lookups(path)
    backend = SqliteBackend(path, clock.seconds, at_once)
    backend._opening = lambda: reading
    directory = over(backend, clock.seconds)
    source = Source(backend.generation, clock.seconds)
    authenticator = Authenticator(backend, source, Passwords(memory_kib=8, passes=1), at_once)

    def ask() -> None:
        for local in ("alice", "nobody", "ALICE"):
            find(directory, local)
        directory.is_local("example.com")
        login = authenticator.account("alice@example.com", "pop3")
        assert isinstance(login, Login)
        assert directory.may_send_as(login, Address("alice", "example.com"))
        assert authenticator.account("nobody@example.com", "pop3") is None

    ask()
    reading.set_trace_callback(statements.append)

    ask()

    assert statements == []

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO meta VALUES ('of no account', 1)")
        connection.commit()
    clock.advance(CHECK_SECONDS)
    find(directory, "alice")
    reading.close()

    assert any("generation" in statement for statement in statements)
    assert not any("addresses" in statement for statement in statements)


def test_a_clock_that_is_set_back_does_not_keep_old_answers(
    accounts: Accounts, directory: At, clock: Clock
) -> None:
    """Freshness does not hang on a clock that only goes forward."""
    clock.advance(3600)
    assert find(directory, "carol") == Unknown()
    accounts.users.add("carol@example.com")

    clock.rightNow = 10.0

    assert names(find(directory, "carol")) == ["example.com/carol"]


def test_trouble_with_the_file_is_not_an_answer(path: str, accounts: Accounts, clock: Clock) -> None:
    """Where the file cannot be read nobody is told that an address is unknown; whom we know is served."""
    reading = connect_for_lookups(path)
    backend = SqliteBackend(path, clock.seconds, at_once)
    backend._opening = lambda: reading
    directory = over(backend, clock.seconds)
    known = find(directory, "alice")
    find(directory, "nobody")
    reading.close()
    clock.advance(CHECK_SECONDS)

    with capturedLogs():
        assert find(directory, "alice") == known
        for local in ("bob", "nobody"):
            with pytest.raises(CannotJudge):
                find(directory, local)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("alice@example.com", True),
        ("ALICE+x@Example.com", True),
        ("sales@example.com", True),
        ("nested@example.com", True),
        ("bob@example.com", False),
        ("bobs@example.com", False),
        ("postmaster@example.com", False),
        ("anything@caught.example", False),
        ("alice@elsewhere.example", False),
        ("nobody@example.com", False),
        ("loop@example.com", False),
    ],
)
def test_a_login_may_send_as_what_leads_to_it(
    path: str, accounts: Accounts, directory: At, address: str, allowed: bool
) -> None:
    """Its mailbox, plus-addresses and aliases, nested too; not what only the catch-all brings (RFC 6409 §6.1)."""
    accounts.aliases.add("sales@example.com", ["alice@example.com", "bob@example.com"])
    accounts.aliases.add("nested@example.com", ["sales@example.com"])
    accounts.aliases.add("bobs@example.com", ["bob@example.com"])
    accounts.domains.add("caught.example", catch_all="alice@example.com")
    accounts.aliases.add("loop@example.com", ["nested@example.com"])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alias_targets SET local = 'loop' WHERE local = 'nested'")
        connection.commit()
    alice = accounts.users.show("alice@example.com")
    local, _, domain = address.rpartition("@")

    assert directory.may_send_as(Login(1, alice.name, alice.mailbox), Address(local, domain)) is allowed


@pytest.mark.parametrize("address", ["alice@example.com", "alice+x@example.com", "alice+team@example.com"])
def test_an_address_with_a_mailbox_belongs_to_its_own_user_alone(
    accounts: Accounts, directory: At, address: str
) -> None:
    """Although it is an alias too, or its plus-address is one, by which others get a copy."""
    accounts.aliases.add("alice@example.com", ["alice@example.com", "bob@example.com"])
    accounts.aliases.add("alice+team@example.com", ["bob@example.com"])
    local, _, domain = address.rpartition("@")

    may = {
        name: directory.may_send_as(Login(1, name, accounts.users.show(f"{name}@example.com").mailbox),
                                    Address(local, domain))
        for name in ("alice", "bob")
    }  # fmt: skip
    assert may == {"alice": True, "bob": False}


def test_a_suspended_user_owns_its_address_no_more(accounts: Accounts, directory: At) -> None:
    """A session that was open at the time sends nothing further; role mail that still comes changes nothing."""
    for name in ("alice", "postmaster"):
        user = accounts.users.set_suspended(f"{name}@example.com", True)
        login = Login(1, user.name, user.mailbox)

        assert not directory.may_send_as(login, Address(name, "example.com"))
        assert not directory.may_send_as(login, Address("abuse", "example.com"))


def test_role_mail_is_taken_although_the_postmaster_is_suspended(
    accounts: Accounts, directory: At
) -> None:
    """RFC 5321 §4.5.1, RFC 2142: no command switches it off."""
    accounts.users.set_suspended("postmaster@example.com", True)

    for local, domain in (("postmaster", "example.com"), ("Abuse", "example.com"), ("postmaster", "")):
        assert names(find(directory, local, domain)) == ["example.com/postmaster"]


def test_whoever_gets_role_mail_may_answer_it(accounts: Accounts, directory: At) -> None:
    """The postmaster sends as postmaster and as abuse."""
    user = accounts.users.show("postmaster@example.com")
    login = Login(1, user.name, user.mailbox)

    assert directory.may_send_as(login, Address("abuse", "example.com"))
    assert directory.may_send_as(login, Address("Postmaster", "example.com"))


def test_a_login_without_a_mailbox_may_send_as_nobody(directory: At) -> None:
    """There is no address that leads to it."""
    assert not directory.may_send_as(Login(9, "x@example.com", None), Address("alice", "example.com"))


def test_an_alias_is_expanded_to_its_targets(accounts: Accounts, directory: At) -> None:
    """EXPN tells the members of an alias, and nothing of a mailbox."""
    accounts.aliases.add("sales@example.com", ["bob@example.com", "alice@example.com"])

    assert directory.expand(Address("Sales", "example.com")) == (
        Address("bob", "example.com"), Address("alice", "example.com"),
    )  # fmt: skip
    assert directory.expand(Address("alice", "example.com")) is None
    assert directory.expand(Address("alice", "elsewhere.example")) is None


def test_a_loop_made_behind_our_back_is_broken_not_endless(
    path: str, accounts: Accounts, directory: At
) -> None:
    """The commands make no loop; one that is there all the same has an answer."""
    accounts.aliases.add("sales@example.com", ["bob@example.com"])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alias_targets SET local = 'sales'")
        connection.commit()

    assert find(directory, "sales") == Broken("aliases form a loop")


def test_the_caches_are_bounded(
    accounts: Accounts, backend: SqliteBackend, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of made-up addresses does not grow the memory."""
    monkeypatch.setattr(lookup, "ADDRESSES_CACHED", 10)
    monkeypatch.setattr(lookup, "DOMAINS_CACHED", 10)
    directory = over(backend, clock.seconds)
    for number in range(50):
        find(directory, f"nobody{number}")
        directory.is_local(f"d{number}.example")

    assert len(directory._meanings) == len(directory._domains) == 10


def test_the_cache_forgets_what_was_not_asked_for_longest() -> None:
    """A frequent question keeps its answer, whatever else is asked."""
    cache: Cache[str, int] = Cache(2)
    cache.put("old", 1)
    cache.put("new", 2)
    cache.get("old")
    cache.put("newest", 3)

    assert [cache.get(key) for key in ("old", "new", "newest")] == [1, None, 3]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Accounts, At]]:
    """Accounts and directory that many hostile names are thrown at."""
    with tempfile.TemporaryDirectory() as folder, Accounts.open(f"{folder}/accounts", create=True) as accounts:
        accounts.domains.add("example.com")
        backend = SqliteBackend(f"{folder}/accounts", ticking(), at_once)
        yield accounts, over(backend, ticking())
        backend.stop()


LETTERS = st.one_of(st.sampled_from("'\"\\*)( ;%_/.+@\0\r\n\ud800é"), st.characters())
HOSTILE = st.text(LETTERS, min_size=1, max_size=40)


@example(local="\ud800", domain="example.com")
@example(local="a\0b", domain="example.com")
@example(local="abuse", domain="\ud800")
@given(local=HOSTILE, domain=st.one_of(st.just("example.com"), HOSTILE))
def test_hostile_names_resolve_to_nothing_but_themselves(
    shared: tuple[Accounts, At], local: str, domain: str
) -> None:
    """Any text is looked up as it is: unknown or foreign before it is a user, its own mailbox while it is one."""
    accounts, directory = shared
    asked = Address(local, domain)
    before = directory.find(asked)
    role = local.lower() in ("postmaster", "abuse") or local.lower().startswith("postmaster+")
    assert role or isinstance(before, Unknown | Foreign)
    directory.is_local(domain)
    directory.expand(asked)
    try:
        user = accounts.users.add(str(asked))
    except AccountsError:
        return

    assert directory.find(asked) == Mailboxes((user.mailbox,))
    assert directory.may_send_as(Login(1, user.name, user.mailbox), asked)

    accounts.users.remove(user.name, force=True)

    assert directory.find(asked) == before


def test_the_file_is_opened_when_they_are_needed_and_again_after_closing(path: str, accounts: Accounts) -> None:
    """What is built before the service starts opens the file no sooner than it is told to, or read."""
    backend = SqliteBackend(path, ticking(), at_once)
    backend.stop()
    backend.start()
    backend.stop()

    assert backend.first_domain() == "example.com"
    backend.stop()


def test_what_became_of_a_mailbox(accounts: Accounts, directory: At) -> None:
    """It is told by its number, which no other mailbox ever gets: who comes after the user is a stranger."""
    accounts.users.add("gone@example.com")
    meaning = find(directory, "gone")
    assert isinstance(meaning, Mailboxes)
    (box,) = meaning.mailboxes
    assert directory.current(box) == box

    accounts.users.remove("gone@example.com")
    assert directory.current(box) is None
    accounts.users.add("gone@example.com")

    assert directory.current(box) is None
    assert isinstance(find(directory, "gone"), Mailboxes)


def test_who_leaves_has_left_once_no_answer_is_from_before(backend: SqliteBackend, accounts: Accounts) -> None:
    """The day changes nothing in the accounts, so answers of the time before hold until they are too old."""
    clock = Clock()
    source = Source(backend.generation, clock.seconds)
    directory = Directory(backend, source, lambda: NOW + clock.seconds())
    accounts.aliases.leave("alice@example.com", int(NOW) + 5, chosen(550, "Gone", "5.1.6"))
    alice = Address("alice", "example.com")

    assert isinstance(directory.find(alice), Mailboxes)
    clock.advance(source.terms.ttl)
    assert directory.find(alice) == Refused(550, "5.1.6", "Gone")
