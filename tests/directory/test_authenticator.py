"""Authentication: yes to the right one, the same no to everybody else."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.backend import Rewrite
from mailsuite.directory.errors import AccountsBusy
from mailsuite.directory.passwords import Checked, Passwords
from mailsuite.directory.records import LoginRecord
from mailsuite.directory.remembered import Source, Terms
from mailsuite.directory.secrets import Secrets
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import Run
from mailsuite.interfaces import IAuthenticator
from mailsuite.maybe import value_of
from mailsuite.meaning import Login
from tests.directory.conftest import at_once, ticking

T = TypeVar("T")

SSHA = "{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA=="


class Observed(Passwords):
    """Real passwords that also write down against what they were checked."""

    def __init__(self, renew: bool = True) -> None:
        super().__init__(memory_kib=8, passes=1, renew=renew)
        self.checked: list[str] = []

    def check(self, password: str, stored: str) -> Checked:
        """See `Passwords.check`."""
        self.checked.append(stored)
        return super().check(password, stored)

    def fits(self, password: str, stored: str) -> bool:
        """See `Passwords.fits`."""
        self.checked.append(stored)
        return super().fits(password, stored)


class Renewing(SqliteBackend):
    """The accounts file, which writes down what is renewed in it, or is *busy*."""

    def __init__(self, path: str, seconds: Callable[[], float], run: Run) -> None:
        super().__init__(path, seconds, run)
        self.rewritten: list[tuple[int, str, str | None]] = []
        self.busy = False

    def rewriter(self) -> Rewrite:
        """See `Backend.rewriter`."""
        rewrite = super().rewriter()

        def renew(login: int, credential: int, old: str, better: str | None, secrets: Mapping[str, str]) -> None:
            if self.busy:
                raise AccountsBusy("busy")
            self.rewritten.append((credential, old, better))
            rewrite(login, credential, old, better, secrets)

        return renew


class Site:
    """An authenticator over the accounts of the test, whose threads work at once; for hashing they are counted."""

    def __init__(
        self, path: str, accounts: Accounts, renews: bool = True, wanted: Secrets | None = None, ttl: float = 0.0
    ) -> None:
        self.accounts = accounts
        self.passwords = Observed(renews)
        self.threads = 0
        self.used: list[int] = []
        self.backend = Renewing(path, ticking(), at_once)
        source = Source(self.backend.generation, ticking())
        self.authenticator = Authenticator(
            self.backend, source, self.passwords, self._counted, wanted, renews=renews, password_ttl=ttl,
            used=self.used.append,
        )  # fmt: skip
        accounts.users.set_password("alice@example.com", self.passwords.hash("secret"))

    def ask(self, name: str, password: str, scope: str = "smtp") -> Login | None:
        """Return the authenticator's answer."""
        self.passwords.checked.clear()
        self.threads = 0
        asked = Deferred.fromCoroutine(value_of(self.authenticator.authenticate(name, password, scope)))
        return SynchronousTestCase().successResultOf(asked)

    def _counted(self, work: Callable[[], T]) -> Deferred[T]:
        self.threads += 1
        return at_once(work)


@pytest.fixture
def site(path: str, accounts: Accounts) -> Iterator[Site]:
    """The site of this test."""
    site = Site(path, accounts)
    yield site
    site.backend.stop()


def test_it_is_an_authenticator(site: Site) -> None:
    """Class and object provide the interface."""
    assert verifyClass(IAuthenticator, Authenticator)
    assert verifyObject(IAuthenticator, site.authenticator)


@pytest.mark.parametrize("name", ["alice@example.com", "Alice@EXAMPLE.com", '"alice"@example.com'])
@pytest.mark.parametrize("scope", ["smtp", "pop3"])
def test_the_right_password_gives_the_login(site: Site, name: str, scope: str) -> None:
    """The login has its canonical name and its mailbox, however the name was written."""
    login = site.ask(name, "secret", scope)

    assert login is not None
    assert login.name == "alice@example.com"
    assert login.mailbox == site.accounts.users.show("alice@example.com").mailbox


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice@example.com", "Secret"),
        ("nobody@example.com", "secret"),
        ("alice@elsewhere.example", "secret"),
        ("alice+x@example.com", "secret"),
        ("sales@example.com", "secret"),
        ("postmaster@example.com", "secret"),
        ("off@example.com", "secret"),
        ("alice", "secret"),
        ("alice@example.com\0", "secret"),
        ("' OR 1=1 --@example.com", "secret"),
        ("\ud800@example.com", "secret"),
    ],
)
def test_everybody_else_gets_the_same_no_at_the_same_cost(site: Site, name: str, password: str) -> None:
    """Wrong, unknown, suspended, without a password, an alias: one check of the current scheme each."""
    site.accounts.aliases.add("sales@example.com", ["alice@example.com"])
    site.accounts.users.add("off@example.com", site.passwords.hash("secret"))
    site.accounts.users.set_suspended("off@example.com", True)

    assert site.ask(name, password) is None

    assert len(site.passwords.checked) == 1
    assert site.passwords.checked[0].startswith("$argon2id$v=19$m=8,t=1,p=1$")


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 5000, "\ud800"])
def test_what_cannot_be_a_password_is_wrong_for_everybody(site: Site, password: str) -> None:
    """It is not hashed at all, whoever asks."""
    for name in ("alice@example.com", "nobody@example.com"):
        assert site.ask(name, password) is None
        assert site.passwords.checked == []


def test_an_old_hash_is_renewed_at_login(site: Site, records: SqlRecords) -> None:
    """After one right password the stored hash is of the current scheme; a wrong one renews nothing."""
    site.accounts.users.set_password("bob@example.com", SSHA)

    assert site.ask("bob@example.com", "wrong") is None
    assert site.backend.rewritten == []
    assert site.ask("bob@example.com", "secret") is not None

    login = records.login("bob@example.com")
    assert login is not None
    assert login.credentials[0].stored.startswith("$argon2id$")
    assert site.ask("bob@example.com", "secret") is not None
    assert len(site.backend.rewritten) == 1


def test_a_password_changed_meanwhile_is_not_overwritten(site: Site, records: SqlRecords) -> None:
    """A hash is renewed only in the place of the one that was checked."""
    site.accounts.users.set_password("bob@example.com", SSHA)
    before = records.login("bob@example.com")
    assert before is not None
    site.accounts.users.set_password("bob@example.com", "changed meanwhile")

    renew = site.backend.rewriter()
    renew(before.login.id, before.credentials[0].id, SSHA, "better hash of the old password", {"x": "y"})

    after = records.login("bob@example.com")
    assert after is not None
    assert after.credentials[0].stored == "changed meanwhile"
    assert after.secrets == {}


def test_a_hash_that_cannot_be_renewed_now_does_not_refuse_the_login(site: Site) -> None:
    """The password was right; the next login tries again."""
    site.accounts.users.set_password("bob@example.com", SSHA)
    site.backend.busy = True

    assert site.ask("bob@example.com", "secret") is not None

    site.backend.busy = False
    assert site.ask("bob@example.com", "secret") is not None
    assert len(site.backend.rewritten) == 1


def test_a_damaged_hash_is_a_wrong_password_at_the_same_cost(site: Site) -> None:
    """A stored form that nobody knows lets nobody in."""
    site.accounts.users.set_password("bob@example.com", "!")

    assert site.ask("bob@example.com", "!") is None
    assert site.passwords.checked[-1].startswith("$argon2id$")


def test_a_password_is_good_for_its_services_alone(
    path: str, site: Site, accounts: Accounts, records: SqlRecords
) -> None:
    """A credential with a scope opens those services, one without opens all."""
    login = records.login("alice@example.com")
    assert login is not None

    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO credentials (login_id, kind, scope, label, stored) VALUES (?, 'password', ?, ?, ?)",
            (login.login.id, "pop3 imap", "phone", site.passwords.hash("of the phone")),
        )
        connection.commit()

    assert site.ask("alice@example.com", "of the phone", "pop3") is not None
    assert site.ask("alice@example.com", "of the phone", "smtp") is None
    assert site.ask("alice@example.com", "secret", "smtp") is not None


class TestHashesOfOneRound:
    """They take no time, so no thread takes them; but nobody learns from that whom there is."""

    @pytest.fixture
    def kept(self, path: str, accounts: Accounts) -> Iterator[Site]:
        """A site that leaves hashes as they are; Bob's is an old one."""
        site = Site(path, accounts, renews=False)
        site.accounts.users.set_password("bob@example.com", SSHA)
        yield site
        site.backend.stop()

    def test_right_password(self, kept: Site) -> None:
        """It is checked in place, and nothing else is."""
        assert kept.ask("bob@example.com", "secret") is not None

        assert (kept.threads, kept.passwords.checked) == (0, [SSHA])

    def test_wrong_password(self, kept: Site) -> None:
        """Behind it comes the check that an unknown name costs, in a thread."""
        assert kept.ask("bob@example.com", "wrong") is None
        decoy = kept.passwords.checked[-1]
        assert kept.threads == 1
        assert kept.ask("nobody@example.com", "wrong") is None

        assert (kept.threads, kept.passwords.checked) == (1, [decoy])
        assert decoy.startswith("$argon2id$v=19$m=8,t=1,p=1$")

    def test_one_that_is_to_be_renewed(self, site: Site) -> None:
        """A better hash takes its time, in a thread."""
        site.accounts.users.set_password("bob@example.com", SSHA)

        assert site.ask("bob@example.com", "secret") is not None
        assert site.threads == 1

    def test_secrets_that_are_to_be_made(self, path: str, accounts: Accounts) -> None:
        """So do they, once."""
        site = Site(path, accounts, renews=False, wanted=Secrets(["scram-sha-256"], 4096, "mail.example.com"))
        site.accounts.users.set_password("bob@example.com", SSHA)

        for threads in (1, 0):
            assert site.ask("bob@example.com", "secret") is not None
            assert site.threads == threads
        site.backend.stop()

    def test_beside_one_of_the_current_scheme(self, path: str, kept: Site, records: SqlRecords) -> None:
        """Who has both waits for a thread by the one that needs it."""
        login = records.login("bob@example.com")
        assert login is not None
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "INSERT INTO credentials (login_id, kind, label, stored) VALUES (?, 'password', 'phone', ?)",
                (login.login.id, kept.passwords.hash("of the phone")),
            )
            connection.commit()

        for password, threads in (("secret", 0), ("of the phone", 1), ("wrong", 1)):
            assert (kept.ask("bob@example.com", password) is not None) == (password != "wrong")
            assert kept.threads == threads

    @pytest.mark.parametrize("stored", ["{SSHA}!", "{SHA}", "{SSHA512}AAAA"])
    def test_damaged(self, kept: Site, stored: str) -> None:
        """It lets nobody in, at the same cost."""
        kept.accounts.users.set_password("bob@example.com", stored)

        assert kept.ask("bob@example.com", "secret") is None
        assert kept.threads == 1
        assert kept.passwords.checked[-1].startswith("$argon2id$")


class TestRemembered:
    """Who logs in again and again costs one slow hash; who is wrong costs what it always did."""

    @pytest.fixture
    def remembering(self, path: str, accounts: Accounts) -> Iterator[Site]:
        """A site that remembers what was right."""
        site = Site(path, accounts, ttl=3600)
        assert site.ask("alice@example.com", "secret") is not None
        yield site
        site.backend.stop()

    def test_again(self, remembering: Site) -> None:
        """It is answered at once, without a check or a thread, by any spelling of the name."""
        for name in ("alice@example.com", "ALICE@Example.COM"):
            answer = remembering.authenticator.authenticate(name, "secret", "pop3")
            assert isinstance(answer, Login)
        assert remembering.ask("alice@example.com", "secret") is not None
        assert (remembering.threads, remembering.passwords.checked) == (0, [])

    def test_wrong(self, remembering: Site) -> None:
        """It is checked each time, and remembered as nothing."""
        for _ in range(2):
            assert remembering.ask("alice@example.com", "guess") is None
            assert (remembering.threads, len(remembering.passwords.checked)) == (1, 1)
        assert remembering.ask("alice@example.com", "secret") is not None
        assert remembering.threads == 0

    def test_changed(self, remembering: Site) -> None:
        """The old one is wrong at once, whoever has changed it, and the new one is not known yet."""
        remembering.accounts.users.set_password("alice@example.com", remembering.passwords.hash("new"))

        assert remembering.ask("alice@example.com", "secret") is None
        assert remembering.threads == 1
        assert remembering.ask("alice@example.com", "new") is not None
        assert remembering.threads == 1

    def test_suspended(self, remembering: Site) -> None:
        """A login that was switched off is refused, at the cost of a wrong password."""
        remembering.accounts.users.set_suspended("alice@example.com", True)

        assert remembering.ask("alice@example.com", "secret") is None
        assert remembering.threads == 1

    def test_removed_and_made_again(self, remembering: Site) -> None:
        """Another user of the same name with the same password is another one."""
        remembering.accounts.users.remove("alice@example.com")
        assert remembering.ask("alice@example.com", "secret") is None
        remembering.accounts.users.add("alice@example.com", remembering.passwords.hash("secret"))
        assert remembering.ask("alice@example.com", "secret") is not None
        assert remembering.threads == 1

    def test_renewed(self, remembering: Site) -> None:
        """A hash that was renewed is checked once more; from then on it is remembered."""
        remembering.accounts.users.set_password("bob@example.com", SSHA)
        for threads in (1, 1, 0):
            assert remembering.ask("bob@example.com", "secret") is not None
            assert remembering.threads == threads

    def test_not_renewed(self, remembering: Site) -> None:
        """Where that could not be done it is not remembered either: the next login tries again."""
        remembering.accounts.users.set_password("bob@example.com", SSHA)
        remembering.backend.busy = True
        assert remembering.ask("bob@example.com", "secret") is not None
        remembering.backend.busy = False
        for threads in (1, 1, 0):
            assert remembering.ask("bob@example.com", "secret") is not None
            assert remembering.threads == threads
        assert len(remembering.backend.rewritten) == 1


class TestAppPasswords:
    """Beside the login's own password, each with its services."""

    PHONE = "abcde-fghij-klmnp-qrstu"

    @pytest.fixture
    def phone(self, site: Site) -> int:
        """Alice's phone has a password for POP3; the number of that credential."""
        site.accounts.app_passwords.add(
            "alice@example.com", "phone", ("pop3",), site.passwords.hash_random(self.PHONE)
        )
        login = site.backend.login("alice@example.com")
        assert login is not None
        return login.credentials[-1].id

    def test_right(self, site: Site, phone: int) -> None:
        """It is checked in place, nothing is made of it, and its use is noted."""
        for _ in range(2):
            assert site.ask("alice@example.com", self.PHONE, "pop3") is not None
            assert site.threads == 0
        assert site.used == [phone, phone]
        assert site.backend.rewritten == []
        assert site.ask("alice@example.com", "secret", "pop3") is not None
        assert site.used == [phone, phone]

    def test_wrong(self, site: Site, phone: int) -> None:
        """For another service, or by a letter: at the cost of a wrong password, however many there are."""
        for number in range(10):
            site.accounts.app_passwords.add("alice@example.com", f"{number}", (), site.passwords.hash_random("x"))
        for password, scope in ((self.PHONE, "smtp"), (self.PHONE[:-1], "pop3")):
            assert site.ask("alice@example.com", password, scope) is None
            assert site.threads == 1
            assert sum(stored.startswith("$argon2id$") for stored in site.passwords.checked) == 1
        assert site.used == []

    def test_without_an_own_password(self, site: Site) -> None:
        """It is enough; a wrong one costs the same."""
        site.accounts.app_passwords.add("postmaster@example.com", "x", (), site.passwords.hash_random(self.PHONE))

        assert site.ask("postmaster@example.com", self.PHONE) is not None
        assert site.ask("postmaster@example.com", "wrong") is None
        assert site.passwords.checked[-1].startswith("$argon2id$")

    def test_where_the_own_one_has_to_be_changed(self, site: Site, phone: int) -> None:
        """It is good all the same; the own one says so."""
        site.accounts.users.set_must_change("alice@example.com", True)
        own, app = site.ask("alice@example.com", "secret"), site.ask("alice@example.com", self.PHONE, "pop3")
        assert own is not None
        assert app is not None
        assert (own.must_change, app.must_change) == (True, False)
        assert site.ask("alice@example.com", "wrong") is None

        site.accounts.users.set_password("alice@example.com", site.passwords.hash("new"))
        changed = site.ask("alice@example.com", "new")
        assert changed is not None
        assert not changed.must_change


class Elsewhere(SqliteBackend):
    """Checks passwords itself, and counts how often."""

    asked = 0

    def check_password(self, record: LoginRecord | None, password: str) -> bool:
        """See `Backend.check_password`: the password is ``secret``."""
        self.asked += 1
        return password == "secret"


def test_what_the_back_end_has_found_right_is_remembered_as_long_as_its_answers(
    path: str, accounts: Accounts, clock: Clock
) -> None:
    """No longer than cache_ttl, since nobody tells of a new password; a wrong one is asked for each time."""
    backend = Elsewhere(path, clock.seconds, at_once)
    source = Source(backend.generation, clock.seconds, Terms(ttl=60))
    authenticator = Authenticator(backend, source, Passwords(memory_kib=8, passes=1), at_once, password_ttl=3600)

    def ask(password: str, name: str = "alice@example.com") -> bool:
        asked = Deferred.fromCoroutine(value_of(authenticator.authenticate(name, password, "smtp")))
        return SynchronousTestCase().successResultOf(asked) is not None

    assert [ask("secret"), ask("secret"), ask("wrong"), ask("wrong"), ask("secret", "bob@example.com")] == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert backend.asked == 4
    clock.advance(60)
    assert ask("secret")
    assert backend.asked == 5
    accounts.users.set_suspended("alice@example.com", True)
    clock.advance(1)
    assert not ask("secret")
    backend.stop()
