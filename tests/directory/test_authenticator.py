"""Authentication: yes to the right one, the same no to everybody else."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TypeVar

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
from mailsuite.directory.secrets import Secrets
from mailsuite.directory.sql_records import SqlRecords
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import Run
from mailsuite.interfaces import IAuthenticator
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

    def __init__(self, path: str, accounts: Accounts, renews: bool = True, wanted: Secrets | None = None) -> None:
        self.accounts = accounts
        self.passwords = Observed(renews)
        self.threads = 0
        self.backend = Renewing(path, ticking(), at_once)
        source = Source(self.backend.generation, ticking())
        self.authenticator = Authenticator(
            self.backend, source, self.passwords, self._counted, wanted, renews=renews
        )
        accounts.users.set_password("alice@example.com", self.passwords.hash("secret"))

    def ask(self, name: str, password: str, scope: str = "smtp") -> Login | None:
        """Return the authenticator's answer."""
        self.passwords.checked.clear()
        self.threads = 0
        asked = Deferred.fromCoroutine(self.authenticator.authenticate(name, password, scope))
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
        """Who has both is checked in a thread, whichever it is."""
        login = records.login("bob@example.com")
        assert login is not None
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "INSERT INTO credentials (login_id, kind, label, stored) VALUES (?, 'password', 'phone', ?)",
                (login.login.id, kept.passwords.hash("of the phone")),
            )
            connection.commit()

        for password in ("secret", "of the phone"):
            assert kept.ask("bob@example.com", password) is not None
            assert kept.threads == 1

    @pytest.mark.parametrize("stored", ["{SSHA}!", "{SHA}", "{SSHA512}AAAA"])
    def test_damaged(self, kept: Site, stored: str) -> None:
        """It lets nobody in, at the same cost."""
        kept.accounts.users.set_password("bob@example.com", stored)

        assert kept.ask("bob@example.com", "secret") is None
        assert kept.threads == 1
        assert kept.passwords.checked[-1].startswith("$argon2id$")
