"""Which policy is whose, and how long a login is remembered."""

from twisted.internet.task import Clock

from mailsuite.meaning import Login
from mailsuite.policy.state import MemoryState
from mailsuite.pop3.settings import Policy
from mailsuite.service.login_delays import SharedDelays, no_delays
from mailsuite.service.pop3_policies import Policies

ALICE = Login(1, "alice@example.org", None)
BOB = Login(2, "bob@example.org", None)


def test_a_domain_has_its_own_or_the_default() -> None:
    """However the domain is written."""
    policies = Policies(Policy(1), {"xn--bcher-kva.example": Policy(2), "example.com": Policy(1)})

    assert policies.of(ALICE) == Policy(1)
    assert policies.of(Login(3, "carol@Bücher.example", None)) == Policy(2)
    assert policies.of_domain("XN--BCHER-KVA.example") == Policy(2)


def test_all_are_told_once() -> None:
    """The default comes first: it holds for whom nothing else is said."""
    policies = Policies(Policy(1), {"a.example": Policy(2), "b.example": Policy(1), "c.example": Policy(2)})

    assert policies.all() == (Policy(1), Policy(2))


def test_terms_of_domains() -> None:
    """Mail that is kept for ever, or removed once it was fetched, has none."""
    policies = Policies(Policy(), {"a.example": Policy(expire=0), "b.example": Policy(expire=9)})

    assert list(policies.terms(["a.example", "b.example", "c.example"])) == [("b.example", 9)]
    assert list(Policies(Policy(expire=1), {}).terms(["c.example"])) == [("c.example", 1)]


def test_delays_are_each_users_own() -> None:
    """Nobody waits for somebody else."""
    clock = Clock()
    delays = SharedDelays(MemoryState(clock.seconds))
    delays.logged_in(ALICE, 10)

    assert not delays.admit(ALICE, 10)
    assert delays.admit(ALICE, 0)
    assert delays.admit(BOB, 10)
    clock.advance(10)
    assert delays.admit(ALICE, 10)


def test_nothing_is_kept_where_nobody_waits() -> None:
    """A delay of 0 costs nothing."""
    state = MemoryState(Clock().seconds)
    SharedDelays(state).logged_in(ALICE, 0)

    assert state.read("pop3 login:1", 60) == 0
    assert no_delays().admit(ALICE, 60)
    no_delays().logged_in(ALICE, 60)
