"""One behaviour for all back ends, asked of the real servers: the same table, trouble and hostile names."""

import os
import signal
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from mailsuite.address import Address
from mailsuite.directory import postgresql
from mailsuite.directory.backend import Backend
from mailsuite.directory.errors import Away
from mailsuite.directory.ldap import LdapBackend, Tree
from mailsuite.directory.ldap_searches import LdapServers
from mailsuite.directory.postgresql import PostgresBackend
from mailsuite.directory.postgresql_schema import PostgresRecords
from mailsuite.directory.replies import chosen
from mailsuite.maybe import value_of
from mailsuite.meaning import CannotJudge, Cap, Foreign, Login, Mailboxes, Quota, Refused, Relayed, Suspended, Unknown
from mailsuite.transport.ldap import LdapConnector
from tests.directory.servers import (
    ADMIN_PASSWORD,
    BASE,
    READER,
    Postgres,
    Slapd,
    running_postgres,
    running_slapd,
)
from tests.directory.worlds import (
    DOMAINS,
    USERS,
    LdapWorld,
    PasswdFileWorld,
    PostgresWorld,
    SqliteWorld,
    SqlWorld,
    World,
    directory_tree,
    password,
)
from tests.transport.loop import finish, reactor, until

NAMES = ["sqlite", "postgresql", "ldap-bind", "ldap-hash", "passwd-file"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    """A running LDAP server with the site in it."""
    with running_slapd(directory_tree()) as server:
        yield server


@pytest.fixture(scope="module", params=NAMES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The site in one back end after the other."""
    made: World
    if request.param == "sqlite":
        made = SqliteWorld(tmp_path_factory.mktemp("sqlite"))
    elif request.param == "postgresql":
        made = PostgresWorld(request.getfixturevalue("postgres"))
    elif request.param == "passwd-file":
        made = PasswdFileWorld(tmp_path_factory.mktemp("passwd"))
    else:
        made = LdapWorld(request.getfixturevalue("slapd"), request.param == "ldap-hash")
    yield made
    made.close()


def meant(found: Any) -> Any:
    """Return what *found* says in paths and addresses, or itself."""
    if not isinstance(found, Mailboxes):
        return found
    return tuple(box.path for box in found.mailboxes) + tuple(map(str, found.onward))


ALICE, BOB = "one.example/alice", "one.example/bob"
POSTMASTER = "one.example/postmaster"
TABLE = [
    ("alice@one.example", (ALICE,), ""),
    ("ALICE@One.Example", (ALICE,), ""),
    ("alice+shop@one.example", (ALICE,), ""),
    ("o'brien@one.example", ("one.example/o'brien",), ""),
    ("a*b@one.example", ("one.example/a*b",), ""),
    ("axb@one.example", Unknown(), ""),
    ("a*@one.example", Unknown(), ""),
    ("*@one.example", Unknown(), ""),
    ("nobody@one.example", Unknown(), ""),
    ("alice@elsewhere.example", Foreign(), ""),
    ("alice@[192.0.2.1]", Foreign(), ""),
    ("postmaster@one.example", (POSTMASTER,), ""),
    ("abuse@one.example", (POSTMASTER,), ""),
    ("abuse@two.example", (POSTMASTER,), ""),
    ("Postmaster@", (POSTMASTER,), ""),
    ("off@one.example", Suspended(), "suspended"),
    ("bob@one.example", (BOB, "copy@elsewhere.example"), "aliases"),
    ("list@one.example", (ALICE, BOB, "copy@elsewhere.example"), "aliases"),
    ("nested+x@two.example", (ALICE, BOB, "copy@elsewhere.example", "Friend@elsewhere.example"), "aliases"),
    ("anybody@two.example", (BOB, "copy@elsewhere.example"), "aliases"),
    ("anybody@two.example", (BOB,), "single aliases"),
    ("bob@one.example", (BOB,), "single aliases"),
    ("solo@one.example", ("Friend@elsewhere.example",), "single aliases"),
    ("alice@like-one.example", (ALICE,), "hosting"),
    ("team-a@one.example", (ALICE,), "hosting"),
    ("team-b@like-one.example", (ALICE,), "hosting"),
    ("cold@one.example", ("one.example/cold",), "hosting"),
    ("closed@one.example", Refused(550, "5.1.1", "Closed for good"), "hosting"),
    ("x@relay.example", Relayed(), "other classes"),
    ("x@backup.example", Relayed(backup=True), "other classes"),
]


def address(text: str) -> Address:
    """Return the address *text*."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def test_a_mailbox_comes_with_its_quota(world: World) -> None:
    """Its own before that of its domain for each; and that of its domain for all."""
    found = world.ask(world.directory.find(Address("alice", "one.example")))
    (box,) = found.mailboxes
    assert box.quota.octets == 1 << 30
    if "caps" in world.can:
        assert (box.quota.messages, box.shared_quota) == (5, Quota(1 << 40, None))


def test_a_login_comes_with_its_caps(world: World) -> None:
    """Its own, and those of its domain."""
    login = world.ask(world.authenticator.account("alice@one.example", "smtp"))
    caps = (Cap("messages", 3600, 10), Cap("recipients", 86_400, 500, "one.example"))
    assert login.caps == (caps if "caps" in world.can else ())


def test_the_table(world: World) -> None:
    """What an address means is the same wherever it is kept; the second time it comes from the cache."""
    for _ in range(2):
        found = [
            (text, meant(world.ask(world.directory.find(address(text)))), needs)
            for text, _, needs in TABLE if not needs or needs in world.can
        ]  # fmt: skip
        assert found == [row for row in TABLE if not row[2] or row[2] in world.can]
    assert [world.ask(world.directory.is_local(name)) for name in ("ONE.example", "two.example", "x.example")] == [
        True, True, False,
    ]  # fmt: skip


def test_what_commands_see_and_change(world: World) -> None:
    """In every database of ours the same: what there is, and who leaves and stays after all."""
    if not isinstance(world, SqlWorld):
        return  # other programs change these accounts
    with world.accounts() as accounts:
        domains = {each.name: (each.domain_class, each.alias_of, each.catch_all) for each in accounts.domains.list()}
        assert domains == {
            "backup.example": ("backup", "", ""),
            "like-one.example": ("local", "one.example", ""),
            "one.example": ("local", "", ""),
            "relay.example": ("relay", "", ""),
            "two.example": ("local", "", "bob@one.example"),
        }
        left = accounts.aliases.leave("alice@one.example", 4_000_000_000, chosen(550, "Gone"), ["alice@new.example"])
        assert left in list(accounts.aliases.list("one.example"))
        assert accounts.users.show("alice@one.example").leaves == 4_000_000_000
        assert accounts.aliases.accept("alice@one.example") == replace(left, reply="", since=0)
        assert accounts.aliases.remove("alice@one.example") is None
        assert accounts.domains.set_senders("two.example", "caught").senders == "caught"
        assert {each.name for each in accounts.aliases.list() if each.reply or each.wildcard} == {
            "closed@one.example", "team-*@one.example",
        }  # fmt: skip


def test_logins(world: World) -> None:
    """The right password and no other, of who may log in; what was checked is known by its mailbox."""

    def log_in(name: str, word: str) -> Login | None:
        found: Login | None = world.ask(world.authenticator.authenticate(name, word, "pop3"))
        return found

    for name in ("alice", "o'brien", "a*b"):
        login = log_in(f"{name.upper()}@one.example", password(name))
        assert login is not None and login.mailbox is not None
        assert (login.name, login.mailbox.path) == (f"{name}@one.example", f"one.example/{name}")
        assert world.ask(world.directory.may_send_as(login, Address(f"{name}+x", "one.example")))
        assert not world.ask(world.directory.may_send_as(login, Address("bob", "one.example")))
        assert world.ask(world.directory.current(login.mailbox)) == login.mailbox
        assert world.ask(world.authenticator.account(login.name, "smtp")) == login
    for name, word in (
        ("alice@one.example", password("bob")), ("alice@one.example", ""), ("alice@one.example", "*"),
        ("off@one.example", password("off")), ("nobody@one.example", password("alice")), ("*@one.example", "x"),
        ("alice@elsewhere.example", password("alice")), ("axb@one.example", password("a*b")),
        ("alice)(mail=*@one.example", password("alice")), ("\ud800@one.example", "x"), ("a\0b@one.example", "x"),
    ):  # fmt: skip
        assert log_in(name, word) is None, (name, word)


def test_secrets_for_mechanisms(world: World) -> None:
    """Where they are kept they are found; where not, and for nobody, there is a decoy that stays the same."""
    alice, again, nobody = (
        world.ask(world.authenticator.secret(name, "scram-sha-256", "smtp"))
        for name in ("alice@one.example", "alice@one.example", "nobody@one.example")
    )
    assert alice == again
    assert (alice.owner is not None) is ("scram" in world.can)
    assert nobody.owner is None and nobody.stored


def test_a_change_is_seen(world: World) -> None:
    """At once where the back end tells of it, else after the term; a mailbox is gone with its user (by LDAP, its
    entryUUID: RFC 4530)."""
    new = Address("dave", "one.example")
    assert world.ask(world.directory.find(new)) == Unknown()
    world.add("dave")

    def known() -> bool:
        world.late += 1.0
        return isinstance(world.ask(world.directory.find(new)), Mailboxes)

    until(known)
    login = world.ask(world.authenticator.authenticate("dave@one.example", password("dave"), "smtp"))
    assert login is not None
    world.remove("dave")
    until(lambda: not known())
    until(lambda: world.ask(world.directory.current(login.mailbox)) is None)


def test_away_and_back_while_serving(world: World) -> None:
    """Who is known is served; of others nobody says that they do not exist; afterwards all is as it was."""
    world.fresh()
    known = world.ask(world.directory.find(address("alice@one.example")))
    login = world.ask(world.authenticator.account("alice@one.example", "smtp"))
    assert world.ask(world.directory.may_send_as(login, address("alice@one.example")))
    world.ask(world.directory.find(address("nobody@one.example")))
    with capturedLogs():
        world.away()
        try:
            world.late += 120.0
            for _ in range(3):
                assert world.ask(world.directory.find(address("alice@one.example"))) == known
                assert world.ask(world.directory.may_send_as(login, address("alice@one.example")))
                assert world.ask(world.authenticator.account("alice@one.example", "smtp")) == login
                for text in ("nobody@one.example", "new@one.example", "x@elsewhere.example", "o'brien@one.example"):
                    with pytest.raises(CannotJudge):
                        world.ask(world.directory.find(address(text)))
                with pytest.raises(CannotJudge):
                    world.ask(world.authenticator.authenticate("o'brien@one.example", password("o'brien"), "pop3"))
        finally:
            world.back()

        until(lambda: serves(world))
    assert world.ask(world.authenticator.authenticate("o'brien@one.example", password("o'brien"), "pop3")) is not None


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_dead_connections_are_no_trouble(world: PostgresWorld) -> None:
    """Whoever asks next has an answer; and what is told of changes is heard again."""
    for _ in range(3):
        world.cut()
        world.fresh()
        assert world.ask(world.directory.find(address("nobody@one.example"))) == Unknown()
    world.add("erin")
    until(lambda: isinstance(world.ask(world.directory.find(address("erin@one.example"))), Mailboxes))
    world.remove("erin")


@pytest.fixture
def hasty(world: PostgresWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresBackend]:
    """PostgreSQL, to which *world* gives 0.3 s for an answer, over two connections."""
    monkeypatch.setattr(world, "timeout", 0.3)
    monkeypatch.setattr(postgresql, "STUCK_SECONDS", 0.2)
    backend = world.made()
    backend.start()
    yield backend
    finish(backend.stop())


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_database_that_is_stuck_is_away(
    world: PostgresWorld, hasty: PostgresBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken the question and never answers: nobody waits for it for long, and it is asked again."""
    monkeypatch.setattr(world, "backend", hasty)
    world.fresh()
    known = world.ask(world.directory.find(address("alice@one.example")))
    with capturedLogs():
        world.freeze(True)
        try:
            world.late += 120.0
            began = reactor.seconds()
            assert world.ask(world.directory.find(address("alice@one.example"))) == known
            with pytest.raises(CannotJudge):
                world.ask(world.directory.find(address("nobody@one.example")))
            assert reactor.seconds() - began < world.timeout + postgresql.STUCK_SECONDS + 1.0
        finally:
            world.freeze(False)
        until(lambda: serves(world))
    monkeypatch.undo()
    world.fresh()


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_connections_that_are_stuck_are_left(world: PostgresWorld, hasty: PostgresBackend) -> None:
    """Whoever serves by now, another node perhaps, is asked over new ones: no thread waits for the old ones."""
    others = set(world.sessions())
    assert all(world.ask(hasty.domain("one.example")) for _ in range(4))
    stuck = set(world.sessions()) - others
    for pid in stuck:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Away, match="does not answer"):
            for _ in range(4):
                world.ask(hasty.domain("one.example"))
        until(lambda: has_answered(world, hasty))
        assert all(world.ask(hasty.domain("one.example")) for _ in range(4))
    finally:
        for pid in stuck:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_database_that_is_slow_says_so(world: PostgresWorld, hasty: PostgresBackend) -> None:
    """Its connections stay, so that it does not have to make new ones, too."""
    assert world.ask(hasty.domain("one.example")) is not None
    with world.busy():
        before = set(world.sessions())
        with pytest.raises(Away, match="statement timeout"):
            world.ask(hasty.domain("one.example"))
        assert set(world.sessions()) >= before


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_what_nobody_waits_for_may_take_longer(
    world: PostgresWorld, hasty: PostgresBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at all accounts, however many there are."""
    monkeypatch.setattr(PostgresRecords, "held_by_all", slow_look)
    assert world.ask(hasty.everybody_has(["scram-sha-256"])) == frozenset({"scram-sha-256"})


def slow_look(records: PostgresRecords, kinds: Collection[str]) -> frozenset[str]:
    """Look at accounts for longer than an answer to somebody may take."""
    records._connection.execute("SELECT pg_sleep(1)")
    return frozenset(kinds)


def has_answered(world: World, backend: Backend) -> bool:
    """Say whether *backend* answers."""
    try:
        return world.ask(backend.domain("one.example")) is not None
    except CannotJudge:
        return False


def serves(world: World) -> bool:
    """Say whether somebody answers, after some time."""
    world.late += 2.0
    try:
        return bool(world.ask(world.directory.find(address("nobody@one.example"))) == Unknown())
    except CannotJudge:
        return False


LETTERS = st.one_of(st.sampled_from("'\"\\*)( ;%_/.+@:\0\r\n\t\ud800é"), st.characters())
HOSTILE = st.text(LETTERS, min_size=1, max_size=40)

OURS = frozenset({*USERS, "abuse", "list", "solo", "cold", "closed"})


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(local="\ud800", domain="one.example")
@example(local="a\0b", domain="one.example")
@example(local="*", domain="one.example")
@example(local="alice)(mail=*", domain="one.example")
@example(local="a\\2ab", domain="one.example")
@given(local=HOSTILE, domain=st.one_of(st.just("one.example"), HOSTILE))
def test_hostile_names_are_names(world: World, local: str, domain: str) -> None:
    """Any text finds itself, or nothing; and nobody by it, whatever the password."""
    if local.lower().partition("+")[0] in OURS or local.lower().startswith("team-"):
        return
    asked = Address(local, domain)
    assert isinstance(world.ask(world.directory.find(asked)), Unknown | Foreign)
    assert not world.ask(world.directory.is_local(f"{domain}x"))
    assert world.ask(world.authenticator.account(str(asked), "smtp")) is None
    assert world.ask(world.directory.expand(asked)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ca": ""}, "certificate"),
        ({"host": "127.0.0.1"}, "certificate|hostname|match"),
        ({"password": "wrong"}, "bind_dn"),
    ],
)
def test_an_ldap_server_that_is_not_the_one_is_told_nothing(slapd: Slapd, change: dict[str, str], reason: str) -> None:
    """Its certificate has to be issued by whom we trust, and for the name that we were told (RFC 4513 §3.1.3)."""
    connector = LdapConnector(reactor, change.get("ca", slapd.certificate), True, 5.0)
    tree = Tree(BASE, DOMAINS, "", "mail", ("mail",), "", "", True)
    url = slapd.url.replace("localhost", change.get("host", "localhost"))
    word = change.get("password", ADMIN_PASSWORD)
    backend = LdapBackend(tree, LdapServers([url], connector.connect, READER, word, 5.0, reactor))
    with pytest.raises(Away, match=reason):
        finish(backend.login("alice@one.example"))
    backend.stop()


def test_a_password_is_never_checked_by_an_empty_one(slapd: Slapd) -> None:
    """RFC 4513 §5.1.2: a server says yes to a bind without a password, whoever that was."""
    connector = LdapConnector(reactor, slapd.certificate, True, 5.0)
    servers = LdapServers([slapd.url], connector.connect, "", "", 5.0, reactor)
    backend = LdapBackend(Tree(BASE, DOMAINS, "", "mail", ("mail",), "", "", False), servers)
    record = finish(backend.login("alice@one.example"))
    assert record is not None
    for word, right in ((password("alice"), True), ("", False), ("wrong", False)):
        judged = backend.check_password(record, word)
        assert judged is not None
        assert finish(value_of(judged)) is right
    backend.stop()
