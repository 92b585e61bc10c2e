"""From a claim to a login: what is asked of whom, and what is counted."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.directory.spelling import login_name
from mailsuite.envelope import Peer
from mailsuite.interfaces import IAuthenticator, IGuessingLimit
from mailsuite.maybe import Maybe
from mailsuite.meaning import Login, Mailbox, Secret
from mailsuite.sasl.claims import CertificateClaim, Claim, LoginClaim, PasswordClaim, Proof, SecretWanted
from mailsuite.service.login import Logins, Refused

T = TypeVar("T")

PEER = Peer("192.0.2.1", 1024)
ALICE = Login(1, "alice@example.com", Mailbox(1, "example.com/alice"))


@implementer(IAuthenticator, IGuessingLimit)
class Told:
    """Both parts in one, to write down in which order they are used; *later* makes them answer by an awaitable."""

    def __init__(
        self,
        later: bool = False,
        admits: bool = True,
        broken: bool = False,
        alice: Login = ALICE,
        barred: bool = False,
    ) -> None:
        self.events: list[object] = []
        self.accounts: list[str] = []
        self._alice = alice
        self._later = later
        self._admits = admits
        self._broken = broken
        self._barred = barred

    def authenticate(self, name: str, password: str, scope: str) -> Maybe[Login | None]:
        """See `IAuthenticator.authenticate`: the password is ``secret``."""
        self.events.append((name, password, scope))
        if self._broken:
            raise RuntimeError("the accounts cannot be read")
        return self._answer(self._alice if password == "secret" else None)

    def secret(self, name: str, kind: str, scope: str) -> Maybe[Secret]:
        """See `IAuthenticator.secret`."""
        self.events.append((name, kind, scope))
        return self._answer(Secret(self._alice if name == ALICE.name else None, "stored"))

    def account(self, name: str, scope: str) -> Maybe[Login | None]:
        """See `IAuthenticator.account`."""
        self.events.append((name, scope))
        return self._answer(self._alice if name == ALICE.name else None)

    def admit(self, peer: Peer, account: str) -> Maybe[bool]:
        """See `IGuessingLimit.admit`."""
        self.events.append("admit")
        self.accounts.append(account)
        return self._answer(self._admits)

    def is_barred(self, peer: Peer, account: str) -> bool:
        """See `IGuessingLimit.is_barred`."""
        return self._barred

    def failed(self, peer: Peer, account: str) -> None:
        """See `IGuessingLimit.failed`."""
        self.events.append("failed")

    def succeeded(self, peer: Peer, account: str, login: str) -> None:
        """See `IGuessingLimit.succeeded`."""
        self.events.append("succeeded" if login else "right")

    def _answer(self, value: T) -> Maybe[T]:
        answer: Awaitable[T] = succeed(value)
        return answer if self._later else value


def check(told: Told, claim: Claim) -> Login | Refused:
    """Return what `Logins.check` says to *claim*."""
    checking = Deferred.fromCoroutine(Logins(told, told).check(claim, PEER, "pop3"))
    return SynchronousTestCase().successResultOf(checking)


def test_the_double_is_both_parts() -> None:
    """The double provides what it stands for."""
    assert verifyObject(IAuthenticator, Told())
    assert verifyObject(IGuessingLimit, Told())


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("authorize", ["", "alice@example.com", "Alice@EXAMPLE.com"])
def test_a_right_claim_gives_the_login(later: bool, authorize: str) -> None:
    """Nobody else is meant by an authorization identity of the same address (RFC 4616 §2)."""
    told = Told(later)

    assert check(told, PasswordClaim("alice@example.com", "secret", authorize)) == ALICE
    assert told.events == ["admit", ("alice@example.com", "secret", "pop3"), "succeeded"]


@pytest.mark.parametrize("later", [False, True])
def test_a_wrong_claim_is_counted(later: bool) -> None:
    """A wrong password slows the next one."""
    told = Told(later)

    assert check(told, PasswordClaim("alice@example.com", "guess")) is Refused.WRONG
    assert told.events == ["admit", ("alice@example.com", "guess", "pop3"), "failed"]


@pytest.mark.parametrize(
    "name", ["Alice@EXAMPLE.com", '"alice"@example.com', '"al\\ice"@example.com', "alice@\uff45xample.com"]
)
def test_every_spelling_of_a_login_is_counted_as_that_login(name: str) -> None:
    """Or whoever is banned, or guesses, would quote the name, with a backslash at another place each time."""
    told = Told()

    assert login_name(name) == ALICE.name
    assert check(told, PasswordClaim(name, "secret", "alice@example.com")) == ALICE
    assert told.accounts == [ALICE.name]


@pytest.mark.parametrize("authorize", ["bob@example.com", "alice", "alice@example.org"])
def test_nobody_acts_for_another(authorize: str) -> None:
    """Another authorization identity is refused like a wrong password, even with the right one."""
    told = Told()

    assert check(told, PasswordClaim("alice@example.com", "secret", authorize)) is Refused.WRONG
    assert told.events == ["admit", "failed"]


@pytest.mark.parametrize("later", [False, True])
def test_who_guessed_too_much_is_not_even_asked(later: bool) -> None:
    """No password is checked, and no further try counted, past the cut-off."""
    told = Told(later, admits=False)

    assert check(told, PasswordClaim("alice@example.com", "secret")) is Refused.TOO_MANY
    assert told.events == ["admit"]


def test_who_is_banned_by_the_operator_did_not_guess() -> None:
    """And is told so, in an exchange too; no password is checked."""
    told = Told(admits=False, barred=True)

    assert check(told, PasswordClaim("alice@example.com", "secret")) is Refused.BARRED
    assert judge(told, Proof("alice@example.com", ALICE, True)) is Refused.BARRED
    assert told.events == ["admit", "admit"]
    assert check(Told(barred=True), PasswordClaim("alice@example.com", "secret")) is ALICE


def test_trouble_is_not_a_wrong_password() -> None:
    """Where the directory fails, the caller hears of it, and the peer is not counted as a guesser."""
    told = Told(broken=True)
    checking = Deferred.fromCoroutine(Logins(told, told).check(PasswordClaim("alice", "secret"), PEER, "smtp"))

    SynchronousTestCase().failureResultOf(checking, RuntimeError)
    assert told.events == ["admit", ("alice", "secret", "smtp")]


def judge(told: Told, proof: Proof) -> Login | Refused:
    """Return what `Logins.judge` says to *proof*."""
    return SynchronousTestCase().successResultOf(Deferred.fromCoroutine(Logins(told, told).judge(proof, PEER, "pop3")))


@pytest.mark.parametrize("later", [False, True])
def test_a_secret_is_no_try(later: bool) -> None:
    """Nothing is counted or waited for before something is proved."""
    told = Told(later)
    wanted = SecretWanted("alice@example.com", "scram-sha-256")
    secret = SynchronousTestCase().successResultOf(
        Deferred.fromCoroutine(Logins(told, told).secret(wanted, "smtp"))
    )

    assert secret.owner == ALICE
    assert told.events == [("alice@example.com", "scram-sha-256", "smtp")]


@pytest.mark.parametrize("authorize", ["", "alice@example.com", "Alice@EXAMPLE.com"])
def test_a_right_proof_gives_the_login(authorize: str) -> None:
    """It is admitted and counted like a password."""
    told = Told()

    assert judge(told, Proof("alice@example.com", ALICE, True, authorize, "cram-md5", "stored")) == ALICE
    assert told.events == ["admit", ("alice@example.com", "cram-md5", "pop3"), "succeeded"]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    "proof",
    [
        Proof("alice@example.com", ALICE, True, "", "cram-md5", "changed since"),
        Proof("alice@example.com", Login(2, "alice@example.com", None), True, "", "cram-md5", "stored"),
    ],
)
def test_a_proof_of_what_holds_no_more(later: bool, proof: Proof) -> None:
    """Of a password that has been changed since the exchange began, or of somebody who had the name."""
    told = Told(later)

    assert judge(told, proof) is Refused.WRONG
    assert told.events == ["admit", ("alice@example.com", "cram-md5", "pop3"), "failed"]


@pytest.mark.parametrize(
    "proof",
    [
        Proof("alice@example.com", ALICE, False),
        Proof("alice@example.com", None, True),
        Proof("alice@example.com", ALICE, True, "bob@example.com"),
    ],
)
def test_a_wrong_proof_is_counted(proof: Proof) -> None:
    """Wrong, of nobody's secret, or for somebody else."""
    told = Told()

    assert judge(told, proof) is Refused.WRONG
    assert told.events == ["admit", "failed"]


def test_who_guessed_too_much_proves_nothing() -> None:
    """A right proof does not help past the cut-off, nor is it told that it was right."""
    told = Told(admits=False)

    assert judge(told, Proof("alice@example.com", ALICE, True)) is Refused.TOO_MANY
    assert told.events == ["admit"]


@pytest.mark.parametrize("later", [False, True])
def test_what_was_proved_is_not_counted_again(later: bool) -> None:
    """The exchange ends with the login that the proof has given, where that may still log in."""
    told = Told(later, admits=False)

    assert check(told, LoginClaim(ALICE)) == ALICE
    assert told.events == [("alice@example.com", "pop3")]


@pytest.mark.parametrize("login", [Login(2, "gone@example.com", None), Login(2, "alice@example.com", None)])
def test_who_was_removed_in_the_course_of_an_exchange(login: Login) -> None:
    """Or suspended; or another has the name now."""
    told = Told()

    assert check(told, LoginClaim(login)) is Refused.WRONG
    assert told.events == [(login.name, "pop3")]


@pytest.mark.parametrize(
    ("claim", "answer"),
    [
        (CertificateClaim("alice@example.com"), ALICE),
        (CertificateClaim("alice@example.com", "Alice@EXAMPLE.com"), ALICE),
        (CertificateClaim("alice@example.com", "bob@example.com"), Refused.WRONG),
        (CertificateClaim("gone@example.com"), Refused.WRONG),
    ],
)
def test_a_certificate_gives_its_account(claim: CertificateClaim, answer: Login | Refused) -> None:
    """RFC 4422 appendix A: no other one, and none that may not log in."""
    told = Told()

    assert check(told, claim) == answer
    assert told.events[0] == "admit"
    assert told.events[-1] == ("failed" if answer is Refused.WRONG else "succeeded")


MUST_CHANGE = replace(ALICE, must_change=True)


@pytest.mark.parametrize("later", [False, True])
def test_a_password_that_has_to_be_changed(later: bool) -> None:
    """It was right, so it is not counted as wrong; but nobody is known from there by it, and nobody is let in."""
    told = Told(later, alice=MUST_CHANGE)

    assert check(told, PasswordClaim("alice@example.com", "secret")) is Refused.MUST_CHANGE
    assert told.events[-1] == "right"
    assert check(told, PasswordClaim("alice@example.com", "guess")) is Refused.WRONG
    proof = Proof("alice@example.com", MUST_CHANGE, True, "", "scram-sha-256", "stored")
    assert judge(told, proof) is Refused.MUST_CHANGE


def test_a_certificate_is_good_whatever_the_password_is() -> None:
    """It is not what has to be changed."""
    assert check(Told(alice=MUST_CHANGE), CertificateClaim("alice@example.com")) == MUST_CHANGE
