"""What is kept beside a password: made with it, gone with it, and the same for those who do not exist."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory import sqlite
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.authenticator import Authenticator
from mailsuite.directory.passwords import Passwords, UnfitPassword
from mailsuite.directory.remembered import Source
from mailsuite.directory.secrets import KINDS, NONE_POSSIBLE, Kept, Secrets, keeping
from mailsuite.directory.served import CHECK_SECONDS, Served
from mailsuite.directory.sqlite import SqliteBackend
from mailsuite.directory.threads import TooBusy
from mailsuite.maybe import value_of
from mailsuite.meaning import Login, Secret
from mailsuite.sasl.cram_keys import parse_cram_keys
from mailsuite.sasl.digest_keys import digest_keys, parse_digest_keys
from mailsuite.sasl.scram_keys import parse_scram_keys
from tests.directory.conftest import at_once, ticking

T = TypeVar("T")

ALICE = "alice@example.com"
BOB = "bob@example.com"
WANTED = Secrets(KINDS, 4096, "mail.example.com")


class Site:
    """An authenticator over the accounts of the test that wants *wanted*."""

    def __init__(self, path: str, passwords: Passwords, wanted: Secrets = WANTED) -> None:
        self.backend = SqliteBackend(path, ticking(), at_once)
        self.keep = keeping(passwords, wanted)
        source = Source(self.backend.generation, ticking())
        self.authenticator = Authenticator(self.backend, source, passwords, at_once, wanted)

    def log_in(self, name: str, password: str) -> Login | None:
        """Log in with a password."""
        asked = Deferred.fromCoroutine(value_of(self.authenticator.authenticate(name, password, "smtp")))
        return SynchronousTestCase().successResultOf(asked)

    def kinds(self, name: str) -> set[str]:
        """Return the kinds of secrets that *name* has."""
        record = self.backend.login(name)
        assert record is not None
        return set(record.secrets)

    def secret(self, name: str, kind: str) -> Secret:
        """Return what a mechanism is given."""
        found = self.authenticator.secret(name, kind, "smtp")
        assert isinstance(found, Secret)
        return found


@pytest.fixture
def site(path: str, accounts: Accounts, passwords: Passwords) -> Iterator[Site]:
    """The site of this test; alice's password is ``secret``, and nothing is kept but its hash."""
    accounts.users.set_password(ALICE, passwords.hash("secret"))
    site = Site(path, passwords)
    yield site
    site.backend.stop()


def put(accounts: Accounts, name: str, kept: Kept) -> None:
    """Give *name* what is *kept* of a new password."""
    accounts.users.set_password(name, kept.hashed, kept.secrets)


def test_each_secret_is_the_passwords(site: Site, accounts: Accounts) -> None:
    """All kinds are made of one password; each fits it, and says whose it is."""
    put(accounts, ALICE, site.keep(ALICE, "sésame"))

    assert accounts.users.kinds(ALICE) == tuple(sorted((*KINDS, "password")))
    assert b64decode(site.secret(ALICE, "apop").stored).decode() == "sésame"
    for kind in ("scram-sha-1", "scram-sha-256"):
        keys = parse_scram_keys(site.secret(ALICE, kind).stored)
        assert keys is not None and keys.fit("sésame") and keys.iterations == 4096
    assert parse_digest_keys(site.secret(ALICE, "digest-md5").stored) == digest_keys(
        ALICE, "mail.example.com", "sésame"
    )
    assert parse_cram_keys(site.secret("Alice@EXAMPLE.com", "cram-md5").stored) is not None
    for kind in KINDS:
        owner = site.secret(ALICE, kind).owner
        assert owner is not None and owner.name == ALICE


def test_a_new_password_leaves_nothing_of_the_old_one(site: Site, accounts: Accounts) -> None:
    """Not even where less is kept of it."""
    put(accounts, ALICE, site.keep(ALICE, "old"))
    before = site.secret(ALICE, "scram-sha-256").stored
    put(accounts, ALICE, site.keep(ALICE, "new"))
    after = site.secret(ALICE, "scram-sha-256").stored
    assert before != after

    accounts.users.set_password(ALICE, "hash")

    assert accounts.users.kinds(ALICE) == ("password",)
    assert site.secret(ALICE, "scram-sha-256").owner is None


def test_users_of_old_get_theirs_when_the_password_crosses_the_wire(site: Site) -> None:
    """A right password gives what is lacking, a wrong one nothing."""
    assert site.log_in(ALICE, "wrong") is None
    assert site.kinds(ALICE) == set()

    assert site.log_in(ALICE, "secret") is not None

    assert site.kinds(ALICE) == set(KINDS)
    keys = parse_scram_keys(site.secret(ALICE, "scram-sha-1").stored)
    assert keys is not None and keys.fit("secret")
    before = site.secret(ALICE, "scram-sha-1")
    assert site.log_in(ALICE, "secret") is not None
    assert site.secret(ALICE, "scram-sha-1") == before


def test_a_digest_of_another_realm_is_made_anew(
    path: str, site: Site, passwords: Passwords
) -> None:
    """It is of no use once our hostname has changed."""
    site.log_in(ALICE, "secret")
    renamed = Site(path, passwords, Secrets(["digest-md5"], 4096, "mx.example.com"))

    assert renamed.log_in(ALICE, "secret") is not None

    keys = parse_digest_keys(renamed.secret(ALICE, "digest-md5").stored)
    assert keys is not None and keys.realm == "mx.example.com"


def test_keys_of_a_login_share_their_salt(site: Site, accounts: Accounts, passwords: Passwords) -> None:
    """And the iteration count: those that are made together, those that come later, and those of nobody."""
    put(accounts, ALICE, site.keep(ALICE, "secret"))
    put(accounts, BOB, keeping(passwords, Secrets(["scram-sha-1"], 5000))(BOB, "secret"))
    assert site.log_in(BOB, "secret") is not None
    salts = set()
    for name in (ALICE, BOB, "nobody@example.com", "no other"):
        keys = [parse_scram_keys(site.secret(name, kind).stored) for kind in ("scram-sha-1", "scram-sha-256")]
        assert len({(each.salt, each.iterations) for each in keys if each is not None}) == 1
        assert keys[0] is not None and keys[1] is not None
        salts.add(keys[0].salt)

        iterations = keys[0].iterations

    assert len(salts) == 4
    assert iterations == 4096


def test_keys_that_share_nothing_are_made_anew(site: Site, accounts: Accounts, passwords: Passwords) -> None:
    """Those of before: by the next login with the password."""
    kinds = ("scram-sha-1", "scram-sha-256")
    one, other = (keeping(passwords, Secrets([kind], 5000))(ALICE, "secret") for kind in kinds)
    put(accounts, ALICE, Kept(one.hashed, {**one.secrets, **other.secrets}))
    assert site.log_in(ALICE, "secret") is not None

    keys = [parse_scram_keys(site.secret(ALICE, kind).stored) for kind in kinds]
    assert len({(each.salt, each.iterations) for each in keys if each is not None}) == 1
    assert str(keys[0]) == one.secrets["scram-sha-1"]


def test_a_password_that_scram_cannot_carry(site: Site, accounts: Accounts) -> None:
    """RFC 4013 §2.5: not what Unicode 3.2 lacks. Such a login has no keys, and its mark is no key either."""
    password = "my \U0001f511"
    kept = site.keep(ALICE, password)
    assert kept.secrets["scram-sha-256"] == NONE_POSSIBLE
    put(accounts, ALICE, kept)

    found = site.secret(ALICE, "scram-sha-256")

    assert found.owner is None
    assert parse_scram_keys(found.stored) is not None
    assert site.log_in(ALICE, password) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_none_gets_one_that_nothing_fits(site: Site, accounts: Accounts, kind: str) -> None:
    """Unknown, without a password, an alias, no address at all: the same form, always the same, and nobody's."""
    put(accounts, ALICE, site.keep(ALICE, "secret"))
    accounts.aliases.add("sales@example.com", [ALICE])
    real = site.secret(ALICE, kind).stored
    names = ["nobody@example.com", "bob@example.com", "sales@example.com", "frob", "\ud800", "alice@elsewhere.example"]
    found = [site.secret(name, kind) for name in names]

    assert [each.owner for each in found] == [None] * len(names)
    assert len({each.stored for each in found}) == len(names)
    # Of a password itself nobody is told how long it is.
    assert {len(each.stored) for each in found} == {len(real)} or kind == "apop"
    assert found == [site.secret(name, kind) for name in names]
    assert site.secret("Nobody@EXAMPLE.com", kind) == found[0]


def test_what_is_made_up_is_of_this_site(site: Site) -> None:
    """Nobody can work it out who does not know the site's secret."""
    known = WANTED.decoy(b"another root", "scram-sha-256", "nobody@example.com")

    assert site.secret("nobody@example.com", "scram-sha-256").stored != known


def test_who_is_suspended_keeps_the_face(site: Site, accounts: Accounts) -> None:
    """The same challenge as before, and nobody is let in by it; nor by a certificate or a token."""
    put(accounts, ALICE, site.keep(ALICE, "secret"))
    before = site.secret(ALICE, "scram-sha-256")
    assert site.authenticator.account(ALICE, "smtp") == before.owner
    accounts.users.set_suspended(ALICE, True)

    after = site.secret(ALICE, "scram-sha-256")

    assert (after.owner, after.stored) == (None, before.stored)
    assert site.authenticator.account(ALICE, "smtp") is None
    assert site.authenticator.account("nobody@example.com", "smtp") is None


def test_keys_that_another_server_has_left_are_a_password_too(site: Site, accounts: Accounts) -> None:
    """PLAIN is checked by them, and leaves a hash of ours and all that is wanted."""
    left = site.keep(ALICE, "secret").secrets["scram-sha-256"]
    accounts.users.set_password(ALICE, left, {"scram-sha-256": left})

    assert site.log_in(ALICE, "wrong") is None
    assert site.log_in(ALICE, "a\tb") is None
    assert site.log_in(ALICE, "secret") is not None

    record = site.backend.login(ALICE)
    assert record is not None
    assert record.credentials[0].stored.startswith("$argon2id$")
    assert set(record.secrets) == set(KINDS)


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 5000])
def test_no_secrets_of_what_is_no_password(password: str) -> None:
    """It says so, as the hash does."""
    with pytest.raises(UnfitPassword):
        WANTED.make(ALICE, password, KINDS)


class Offer:
    """`Served` over the accounts of the test; *busy* makes its threads refuse work."""

    def __init__(self, path: str, partly: bool = False) -> None:
        self.now = 0.0
        self.busy = False
        self.broken = False
        backend = SqliteBackend(path, lambda: self.now, self.run)
        self.served = Served(backend, ["scram-sha-256", "cram-md5"], partly, lambda: self.now)

    def run(self, work: Callable[[], T]) -> "Deferred[T]":
        """Do *work* at once."""
        if self.busy:
            raise TooBusy("busy")
        if self.broken:
            return fail(OSError("no disk"))
        return at_once(work)

    def after(self, seconds: float, kind: str = "scram-sha-256") -> tuple[bool, bool]:
        """Return what is said after a while, twice: what is found out comes with the second."""
        self.now += seconds
        return self.served(kind), self.served(kind)


def test_a_mechanism_is_offered_once_all_have_what_it_needs(
    path: str, site: Site, accounts: Accounts
) -> None:
    """Until then a client that prefers it would lock its user out."""
    offer = Offer(path)
    assert not offer.served("scram-sha-256")
    put(accounts, ALICE, site.keep(ALICE, "secret"))
    assert offer.after(CHECK_SECONDS) == (False, False)
    put(accounts, "bob@example.com", site.keep("bob@example.com", "secret"))
    assert offer.after(CHECK_SECONDS - 1) == (False, False)
    assert offer.after(1) == (True, True)
    assert not offer.served("scram-sha-1")
    # Who cannot log in at all is no matter; who can is one again.
    accounts.users.add("carol@example.com")
    assert offer.after(CHECK_SECONDS)[1]
    accounts.users.set_password("carol@example.com", "hash")
    assert offer.after(CHECK_SECONDS) == (False, False)


@pytest.fixture
def offer_of_many(path: str, site: Site, accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Two accounts that have everything, and are too many to be looked at at once."""
    monkeypatch.setattr(sqlite, "LOOKED_AT_ONCE", 0)
    for name in (ALICE, "bob@example.com"):
        put(accounts, name, site.keep(name, "secret"))
    return Offer(path)


def test_accounts_that_cannot_be_looked_at_end_no_looking(
    offer_of_many: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known stays."""
    def unreadable(backend: SqliteBackend) -> int:
        raise OSError("no disk")

    monkeypatch.setattr(SqliteBackend, "generation", unreadable)
    offer_of_many.now += CHECK_SECONDS
    offer_of_many.served.look()

    assert offer_of_many.served("cram-md5")


def test_of_many_accounts_it_is_known_though_nobody_asks(
    offer_of_many: Offer, accounts: Accounts
) -> None:
    """Who comes first, long after a change, is offered what is true by now."""
    offer = offer_of_many
    accounts.users.set_password(ALICE, "hash")
    offer.now += CHECK_SECONDS
    offer.served.look()

    assert not offer.served("cram-md5")


def test_what_cannot_be_seen_now_stays_as_it_was(
    offer_of_many: Offer, accounts: Accounts
) -> None:
    """Busy threads and an unreadable file change nothing; the next look tells."""
    offer = offer_of_many
    assert offer.served("cram-md5")
    accounts.users.set_password(ALICE, "hash")
    offer.busy = True
    assert offer.after(CHECK_SECONDS) == (True, True)
    offer.busy, offer.broken = False, True
    assert offer.after(CHECK_SECONDS) == (True, True)
    offer.broken = False
    assert not offer.after(CHECK_SECONDS)[1]


def test_a_site_may_offer_it_at_once(path: str, accounts: Accounts) -> None:
    """Then whoever has none cannot log in by it."""
    offer = Offer(path, partly=True)

    assert offer.served("scram-sha-256")
    assert not offer.served("digest-md5")
