"""Guessing of passwords: slow for one network however it is spread, cut in the end, bounded for everybody else."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from mailsuite.envelope import Peer
from mailsuite.interfaces import IGuessingLimit
from mailsuite.policy import guessing
from mailsuite.policy.bans import LOGINS, OPERATOR, SERVER, Ban, Bans
from mailsuite.policy.guessing import (
    DISTRUST_SECONDS,
    FREE_NETWORK_TRIES,
    FREE_TRIES,
    GIVEN_UP_SECONDS,
    LONGEST_PAUSE_SECONDS,
    CutOffs,
    GuessingLimit,
)
from mailsuite.policy.known import KNOWN_SECONDS, KnownPlaces
from mailsuite.policy.state import MemoryState

HOME = Peer("192.0.2.1", 1)
ELSEWHERE = Peer("198.51.100.1", 1)
EXEMPT = Peer("127.0.0.1", 1)
ALICE = "alice@b.example"
CHECK = 0.02


class Guessers:
    """Plays clients: each try is answered some time after it was let in."""

    def __init__(
        self,
        tries: int = 50,
        window: float = 600.0,
        networks: int = 200,
        accounts: int = 100,
        ban_seconds: float = 0.0,
    ) -> None:
        self.clock = Clock()
        self.state = MemoryState(self.clock.seconds)
        self.known = KnownPlaces(self.clock.seconds)
        self.bans = Bans(self.clock.seconds, lambda peer: self.known.anybody_at(peer.network))
        self.banned: list[tuple[str, float, str]] = []
        cut_offs = CutOffs(tries, networks, accounts, window, ban_seconds)
        self.limit = GuessingLimit(
            self.state, self.clock, cut_offs, self.bans, self.known, self.ban, lambda peer: peer == EXEMPT
        )
        self.answered: list[tuple[float, bool]] = []
        self.began = 0

    def ban(self, subject: str, seconds: float, reason: str) -> None:
        """Ban *subject*, as the site would, and write it down."""
        now = self.clock.seconds()
        self.banned.append((subject, seconds, reason))
        self.bans.put(Ban(subject, now + seconds, reason, SERVER, LOGINS, now))

    def guess(self, peer: Peer = HOME, right: bool = False, account: str = "") -> Deferred[bool]:
        """Start one try; when it is let in, it is wrong (or *right*) after CHECK seconds."""
        self.began += 1
        return Deferred.fromCoroutine(self._guess(peer, right, account))

    async def _guess(self, peer: Peer, right: bool, account: str) -> bool:
        answer = self.limit.admit(peer, account)
        admitted = answer if isinstance(answer, bool) else await answer
        if admitted:
            self.clock.callLater(CHECK, self._answer, peer, right, account)
        else:
            self.answered.append((self.clock.seconds(), False))
        return admitted

    def _answer(self, peer: Peer, right: bool, account: str) -> None:
        if right:
            self.limit.succeeded(peer, account, account or "nobody@b.example")
        else:
            self.limit.failed(peer, account)
        self.answered.append((self.clock.seconds(), True))

    def run(self, seconds: float = 10_000.0) -> float:
        """Let the time pass until all tries have their answer; return how late it is then."""
        end = self.clock.seconds() + seconds
        while len(self.answered) < self.began and self.clock.seconds() < end:
            calls = self.clock.getDelayedCalls()
            assert calls, "tries wait, and nothing will ever let them in"
            self.clock.advance(max(0.0, min(call.getTime() for call in calls) - self.clock.seconds()))
        return self.clock.seconds()


@pytest.fixture
def guessers() -> Guessers:
    """Clients of a limit with its usual figures."""
    return Guessers()


def test_it_is_a_guessing_limit(guessers: Guessers) -> None:
    """Class and object provide the interface."""
    assert verifyClass(IGuessingLimit, GuessingLimit)
    assert verifyObject(IGuessingLimit, guessers.limit)


def test_twenty_wrong_tries_in_a_row_take_five_seconds(guessers: Guessers) -> None:
    """One connection after the other, as fast as the answers come."""
    for _ in range(20):
        guessers.guess()
        guessers.run()

    assert guessers.clock.seconds() >= 5.0


@pytest.mark.parametrize(
    "peers",
    [
        [Peer("192.0.2.1", port) for port in range(20)],
        [Peer(f"2001:db8::{host:x}") for host in range(1, 21)],
        [Peer("192.0.2.1"), Peer("::ffff:192.0.2.1")] * 10,
    ],
    ids=["one address", "one /64", "mapped IPv4"],
)
def test_twenty_wrong_tries_at_once_take_five_seconds(guessers: Guessers, peers: list[Peer]) -> None:
    """Many connections at the same moment gain nothing, from all addresses of a network."""
    for peer in peers:
        guessers.guess(peer)

    assert guessers.run() >= 5.0
    assert len(guessers.answered) == 20


def test_the_first_tries_cost_nothing(guessers: Guessers) -> None:
    """A mistyped password or two are answered at once: without even a Deferred."""
    for _ in range(FREE_TRIES + 1):
        assert guessers.limit.admit(HOME, "") is True
        guessers.limit.failed(HOME, "")

    assert isinstance(guessers.limit.admit(HOME, ""), Deferred)


def test_networks_do_not_slow_each_other(guessers: Guessers) -> None:
    """Somebody elsewhere is let in at once while one network is being slowed."""
    for _ in range(20):
        guessers.guess(HOME)

    assert guessers.limit.admit(ELSEWHERE, "") is True
    assert guessers.limit.admit(Peer("2001:db8:0:1::1"), "") is True


def test_the_pause_between_tries_has_a_bound(guessers: Guessers) -> None:
    """However many were wrong, the next try from there waits no longer than LONGEST_PAUSE_SECONDS."""
    guessers = Guessers(tries=1000)
    for _ in range(100):
        guessers.guess()
        guessers.run()
    before = guessers.clock.seconds()
    guessers.guess(right=True)

    assert guessers.run() - before <= LONGEST_PAUSE_SECONDS + CHECK


def test_a_right_password_gets_in_behind_wrong_ones(guessers: Guessers) -> None:
    """A correct login from the same address waits for its turn, which comes in bounded time."""
    for _ in range(20):
        guessers.guess()
    login = guessers.guess(right=True)
    admitted: list[bool] = []
    login.addCallback(admitted.append)

    assert guessers.run() <= 20.0
    assert admitted == [True]


def test_right_passwords_do_not_slow_each_other_for_long(guessers: Guessers) -> None:
    """An office behind one address, a hundred clients at once: about as fast as their passwords are checked."""
    for _ in range(100):
        guessers.guess(right=True)

    assert guessers.run() <= 3.0


def test_a_right_password_is_no_licence_to_guess(guessers: Guessers) -> None:
    """An own account between the guesses takes nothing back."""
    for _ in range(20):
        guessers.guess()
        guessers.run()
        guessers.guess(right=True)
        guessers.run()

    assert guessers.clock.seconds() >= 5.0
    assert guessers.state.read(f"wrong passwords {HOME.network}", 600) == 20


def test_past_the_cut_off_nobody_is_let_in_until_the_window_has_passed() -> None:
    """The try after the last is refused at once, and so are those that wait; time opens the gate again."""
    guessers = Guessers(tries=10, window=600)
    for _ in range(30):
        guessers.guess()
    guessers.run()
    refused = [admitted for _, admitted in guessers.answered if not admitted]

    assert len(refused) >= 15
    assert guessers.limit.admit(HOME, "") is False
    assert guessers.limit.admit(ELSEWHERE, "") is True

    guessers.clock.advance(599)
    assert guessers.limit.admit(HOME, "") is False
    guessers.clock.advance(61)
    assert guessers.limit.admit(HOME, "") is True


def test_a_try_that_is_given_up_frees_its_place(guessers: Guessers) -> None:
    """A waiting try that is cancelled lets the others on; one that never ends is forgotten after a time."""
    for _ in range(FREE_TRIES + 1):
        assert guessers.limit.admit(HOME, "") is True
    first, second = guessers.limit.admit(HOME, ""), guessers.limit.admit(HOME, "")
    assert isinstance(first, Deferred)
    assert isinstance(second, Deferred)
    ended: list[object] = []
    first.addErrback(lambda failure: ended.append(failure.type))
    second.addCallback(ended.append)

    first.cancel()
    guessers.clock.advance(LONGEST_PAUSE_SECONDS)

    assert ended == [CancelledError, True]

    guessers.clock.advance(GIVEN_UP_SECONDS)
    for _ in range(FREE_TRIES + 1):
        assert guessers.limit.admit(HOME, "") is True


def test_the_queue_of_a_network_is_bounded(guessers: Guessers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond WAITING tries the next one is refused at once."""
    monkeypatch.setattr(guessing, "WAITING", 5)
    answers = [guessers.limit.admit(HOME, "") for _ in range(FREE_TRIES + 1 + 5 + 1)]

    assert answers[: FREE_TRIES + 1] == [True] * (FREE_TRIES + 1)
    assert all(isinstance(answer, Deferred) for answer in answers[FREE_TRIES + 1 : -1])
    assert answers[-1] is False


def test_an_answer_for_a_network_that_nobody_knows_is_counted(guessers: Guessers) -> None:
    """A wrong password that was let in by somebody else counts, a right one changes nothing."""
    guessers.limit.succeeded(HOME, "", ALICE)
    guessers.limit.failed(HOME, "")
    assert guessers.limit.admit(HOME, "") is True
    guessers.limit.failed(HOME, "")
    guessers.limit.failed(HOME, "")

    assert guessers.state.read(f"wrong passwords {HOME.network}", 600) == 3


def test_quiet_networks_are_forgotten(guessers: Guessers) -> None:
    """A scan of the whole Internet does not grow the memory: gates of old are dropped as others come."""
    for number in range(1000):
        peer = Peer(f"10.0.{number // 250}.{number % 250}")
        guessers.limit.admit(peer, "")
        guessers.limit.failed(peer, "")
        guessers.clock.advance(1)

    assert len(guessers.limit._gates) <= 8


def test_a_clock_that_is_set_back_keeps_nobody_out(guessers: Guessers) -> None:
    """The wait is at most the pause, whatever the clock says."""
    guessers.clock.advance(3600)
    for _ in range(10):
        guessers.guess()
        guessers.run()
    guessers.clock.rightNow = 0.0
    admitted: list[object] = []
    failed: list[Failure] = []
    guessers.guess(right=True).addCallbacks(admitted.append, failed.append)
    guessers.clock.advance(LONGEST_PAUSE_SECONDS)

    assert admitted == [True]
    assert failed == []


# Accounts and networks


def test_an_account_is_slowed_and_closed_for_all_the_world() -> None:
    """Each guess comes from a network of its own: they are slowed together all the same, and end at the cut-off."""
    guessers = Guessers(accounts=30)
    for number in range(40):
        guessers.guess(Peer(f"10.0.{number}.1"), account=ALICE)

    assert guessers.run() >= 10.0
    assert [admitted for _, admitted in guessers.answered].count(True) >= 30
    assert guessers.limit.admit(ELSEWHERE, ALICE) is False
    assert guessers.limit.admit(ELSEWHERE, "alice+folder@b.example") is False
    assert guessers.limit.admit(ELSEWHERE, "bob@b.example") is True


def test_a_network_is_slowed_and_closed_as_a_whole() -> None:
    """A new address in the same /24 for each guess, and another account."""
    guessers = Guessers(networks=30)
    for number in range(40):
        guessers.guess(Peer(f"192.0.2.{number}"), account=f"u{number}@b.example")

    assert guessers.run() >= 5.0
    assert guessers.limit.admit(Peer("192.0.2.200"), "new@b.example") is False
    assert guessers.limit.admit(ELSEWHERE, "new@b.example") is True


def test_a_stop_at_one_gate_gives_the_places_before_it_back() -> None:
    """Who is refused for the account has not used up a try of the address, nor of the network."""
    guessers = Guessers(accounts=1)
    guessers.limit.failed(ELSEWHERE, ALICE)

    for _ in range(FREE_NETWORK_TRIES * 2):
        assert guessers.limit.admit(HOME, ALICE) is False
    assert guessers.limit.admit(HOME, "bob@b.example") is True


def test_a_wait_that_is_cancelled_gives_the_places_before_it_back(guessers: Guessers) -> None:
    """The peer went away while it waited at the gate of the account, behind that of its address."""
    for number in range(FREE_TRIES + 1):
        assert guessers.limit.admit(Peer(f"10.0.{number}.1"), ALICE) is True
    waiting = guessers.limit.admit(HOME, ALICE)
    assert isinstance(waiting, Deferred)
    ended: list[object] = []
    waiting.addErrback(lambda failure: ended.append(failure.type))
    waiting.cancel()

    assert ended == [CancelledError]
    assert not guessers.limit._gates[HOME.network].under_way


def test_a_cut_off_is_a_ban() -> None:
    """At each of the three; its counter begins anew, so that the end of the ban is the end of it."""
    guessers = Guessers(tries=5, networks=8, accounts=6, ban_seconds=60)
    for number in range(5):
        guessers.limit.failed(HOME, f"u{number}@b.example")
    for number in range(3):
        guessers.limit.failed(Peer("192.0.2.9"), f"v{number}@b.example")
    for number in range(6):
        guessers.limit.failed(Peer(f"10.0.{number}.1"), "alice+x@b.example")

    assert guessers.banned == [
        ("192.0.2.1", 60, "5 wrong passwords from this address"),
        ("192.0.2.0/24", 60, "8 wrong passwords from this network"),
        (ALICE, 60, "6 wrong passwords for this account"),
    ]
    assert guessers.limit.admit(Peer("192.0.2.77"), "bob@b.example") is False
    assert guessers.limit.admit(ELSEWHERE, ALICE) is False

    guessers.clock.advance(60)
    assert guessers.limit.admit(HOME, ALICE) is True


def test_a_long_ban_leaves_the_counter_to_its_window() -> None:
    """By that another process, which does not know of the ban yet, cuts off at once."""
    guessers = Guessers(tries=5, window=600, ban_seconds=600)
    for number in range(5):
        guessers.limit.failed(HOME, f"u{number}@b.example")
    assert guessers.state.read(guessing.counter(HOME.network), 600) == 5
    guessers.clock.advance(600)

    assert guessers.state.read(guessing.counter(HOME.network), 600) == 0
    assert guessers.limit.admit(HOME, "u@b.example") is True


def test_who_waits_when_the_ban_comes_is_refused() -> None:
    """Those that stand at the gate do not come in behind it."""
    guessers = Guessers(tries=6, ban_seconds=60)
    for _ in range(20):
        guessers.guess()
    guessers.run()

    assert [admitted for _, admitted in guessers.answered].count(True) <= 6 + FREE_TRIES + 1
    assert len(guessers.answered) == 20


def test_nobody_is_locked_out_where_the_login_was_used_before() -> None:
    """Neither by wrong passwords of others there, nor by those of the whole world for the account."""
    guessers = Guessers(tries=5, networks=5, accounts=5, ban_seconds=60)
    guessers.limit.succeeded(HOME, ALICE, ALICE)
    for _ in range(10):
        guessers.limit.failed(HOME, "bob@b.example")
        guessers.limit.failed(ELSEWHERE, ALICE)

    assert guessers.limit.admit(HOME, "bob@b.example") is False
    assert guessers.limit.admit(ELSEWHERE, ALICE) is False
    assert guessers.limit.admit(HOME, ALICE) is True

    guessers.clock.advance(KNOWN_SECONDS)
    for _ in range(5):
        guessers.limit.failed(ELSEWHERE, ALICE)
    assert guessers.limit.admit(HOME, ALICE) is False


def test_guesses_from_a_known_place_are_slowed_and_ban_nobody() -> None:
    """Its own device with an old password, or a neighbour that knows the name: a pause, for that login alone."""
    guessers = Guessers(tries=5, networks=5, accounts=5, ban_seconds=60)
    guessers.limit.succeeded(HOME, ALICE, ALICE)
    for _ in range(20):
        guessers.guess(HOME, account=ALICE)

    assert guessers.run() >= 5.0
    assert guessers.banned == []
    assert all(admitted for _, admitted in guessers.answered)
    assert guessers.limit.admit(HOME, "bob@b.example") is True


def test_a_known_place_is_no_licence_to_guess_on() -> None:
    """Beyond what closes an account elsewhere no more come in than there; who waits is let in all the same."""
    guessers = Guessers(accounts=30)
    guessers.limit.succeeded(HOME, ALICE, ALICE)
    for _ in range(200):
        guessers.guess(HOME, account=ALICE)
    right = guessers.guess(HOME, right=True, account=ALICE)

    assert guessers.run() >= 200 / 30 * 600 / 4
    times = [at for at, _ in guessers.answered]
    assert times[40] - times[39] == pytest.approx(DISTRUST_SECONDS)
    assert max(sum(at <= each < at + 600 for each in times) for at in times) <= 30 + 600 / DISTRUST_SECONDS
    assert SynchronousTestCase().successResultOf(right) is True
    guessers.clock.advance(600)
    assert guessers.limit.admit(HOME, ALICE) is True


def test_an_operators_ban_holds_for_everybody(guessers: Guessers) -> None:
    """Of a place and of an account, also where the login was used before."""
    guessers.limit.succeeded(HOME, ALICE, ALICE)
    guessers.bans.put(Ban(ALICE, None, "", OPERATOR, LOGINS, 0.0))
    assert guessers.limit.admit(HOME, ALICE) is False
    assert guessers.limit.admit(HOME, "bob@b.example") is True
    assert guessers.limit.is_barred(HOME, "alice+folder@b.example")
    assert not guessers.limit.is_barred(HOME, "bob@b.example")

    assert guessers.limit.admit(HOME, "alice+folder@b.example") is False
    guessers.bans.put(Ban("bob+x@b.example", None, "", OPERATOR, LOGINS, 0.0))
    assert guessers.limit.admit(HOME, "bob+x@b.example") is False
    assert guessers.limit.admit(HOME, "bob@b.example") is True

    guessers.bans.put(Ban("192.0.0.0/16", None, "", OPERATOR, LOGINS, 0.0))
    assert guessers.limit.admit(HOME, "bob@b.example") is False
    assert guessers.limit.admit(ELSEWHERE, "bob@b.example") is True


def test_exempt_peers_are_held_for_the_account_alone() -> None:
    """One user's guesses in a webmail keep none of the others from theirs."""
    guessers = Guessers(tries=5, networks=5, accounts=20, ban_seconds=60)
    for _ in range(10):
        guessers.limit.failed(EXEMPT, ALICE)
    assert guessers.banned == []
    assert guessers.limit.admit(EXEMPT, "bob@b.example") is True

    for _ in range(10):
        guessers.limit.failed(EXEMPT, ALICE)
    assert guessers.limit.admit(EXEMPT, ALICE) is False
    assert guessers.limit.admit(EXEMPT, "bob@b.example") is True


def test_who_has_no_address_is_cut_off_and_not_banned() -> None:
    """A proxy could not tell who it is: nobody could be told from the others who come so."""
    guessers = Guessers(tries=5, ban_seconds=60)
    for number in range(5):
        guessers.limit.failed(Peer("unknown"), f"u{number}@b.example")

    assert guessers.banned == []
    assert guessers.limit.admit(Peer("unknown"), ALICE) is False


@pytest.mark.parametrize(
    "name", ["x" * 321, "a\n@b.example", "\ud800@b.example", "alice@b.example from 192.0.2.1", "alice@b.example\0"]
)
def test_a_name_that_can_be_no_login_has_no_gate(name: str) -> None:
    """Whatever is claimed, it is kept by the address alone: no file could take it, and it is nobody else's."""
    guessers = Guessers(accounts=1, ban_seconds=60)
    guessers.limit.admit(HOME, name)
    guessers.limit.failed(HOME, name)

    assert guessers.banned == []
    assert set(guessers.limit._gates) == {HOME.network, HOME.wider_network}


def test_a_name_may_be_as_long_as_any(guessers: Guessers) -> None:
    """To the character."""
    guessers.limit.failed(HOME, "x" * 320)

    assert guessers.state.read("wrong passwords " + "x" * 320, 600) == 1
