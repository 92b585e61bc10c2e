"""Authentication: yes to the right one, the same no to everybody else."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.backend import Rewrite
from mailsuite.directory.errors import AccountsBusy
from mailsuite.directory.passwords import Checked, Passwords
from mailsuite.directory.remembered import Source
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import Run
from mailsuite.interfaces import IAuthenticator
from mailsuite.meaning import Login
from tests.directory.conftest import at_once, ticking

SSHA = "{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA=="


class Observed(Passwords):
    """Real passwords that also write down against what they were checked."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, passes=1)
        self.checked: list[str] = []

    def check(self, password: str, stored: str) -> Checked:
        """See `Passwords.check`."""
        self.checked.append(stored)
        return super().check(password, stored)


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
    """An authenticator over the accounts of the test, whose threads work at once."""

    def __init__(self, path: str, accounts: Accounts) -> None:
        self.accounts = accounts
        self.passwords = Observed()
        self.backend = Renewing(path, ticking(), at_once)
        self.authenticator = Authenticator(
            self.backend, Source(self.backend.generation, ticking()), self.passwords, at_once
        )
        accounts.users.set_password("alice@example.com", self.passwords.hash("secret"))

    def ask(self, name: str, password: str, scope: str = "smtp") -> Login | None:
        """Return the authenticator's answer."""
        self.passwords.checked.clear()
        asked = Deferred.fromCoroutine(self.authenticator.authenticate(name, password, scope))
        return SynchronousTestCase().successResultOf(asked)


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
