"""Guessing of passwords is slowed and cut, by address, by network and by account.

A try passes three gates, of its address, of its network, and of the account that it is for. At each of them the first
tries are free; after them each try is let in only so long after the one before it, and the time grows with the wrong
tries and with those that are still being checked: so it makes no difference whether they come one after the other or
all at once, from one address or from many. Past the cut-off of a gate no try is let in until enough wrong ones have
left the window, or until a ban has ended. A right password takes nothing back: otherwise an account of one's own would
be a licence to guess.

From a place that a login was used from before, it passes a gate of its own instead, which slows and never cuts: so
nobody is locked out there by what others do. Where it would be cut elsewhere that gate lets one try in every ten
seconds. Exempt peers, a webmail say, pass the gate of the account alone.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from mailsuite.address import subaddress
from mailsuite.envelope import Peer
from mailsuite.interfaces import IGuessingLimit, ISharedState
from mailsuite.maybe import Maybe, value_of
from mailsuite.policy.bans import Bans
from mailsuite.policy.known import KnownPlaces

# Wrong tries and tries under way that cost nothing yet: a mistyped password, a client with several connections.
FREE_TRIES = 3
# The same of a whole network, in which there are more people.
FREE_NETWORK_TRIES = 12
# So much later comes the next try for each one beyond these: twenty wrong tries take 6.8 seconds.
STEP_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
# The same where a gate that never closes has seen as many wrong tries as would close another one.
DISTRUST_SECONDS = 10.0
# Tries that may wait at one gate; one more is refused.
WAITING = 1000
# A try of which nothing was heard for so long was given up (its session died, the directory was away).
GIVEN_UP_SECONDS = 30.0
# No name of a login is longer; what is claimed beyond that is nobody's.
ACCOUNT_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class CutOffs:
    """The keys of ``[limits]`` that tell of wrong passwords: how many in the *window*, and how long a ban lasts."""

    address: float = 50
    network: float = 200
    account: float = 100
    window: float = 600.0
    # 0: no bans, only the cut-off.
    ban_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A gate that a try has to pass: of *subject*, closed at *most* wrong tries, distrustful at *many* of them.

    *words* tell people whose they were.
    """

    subject: str
    most: float
    free: int
    words: str = ""
    many: float = inf


class Gate:
    """Lets tries in, one after the other; *free* of them at once. *many* wrong ones make it distrustful."""

    def __init__(self, free: int, many: float) -> None:
        self._free = free
        self._many = many
        self._longest = LONGEST_PAUSE_SECONDS if many == inf else DISTRUST_SECONDS
        self.waiting: deque[Deferred[bool]] = deque()
        # When each try that is being checked was let in.
        self.under_way: deque[float] = deque()
        self.opened = float("-inf")
        self.timer: IDelayedCall | None = None

    def pause(self, failures: int, now: float) -> float:
        """Return how long from *now* the next try has to wait."""
        while self.under_way and self.under_way[0] <= now - GIVEN_UP_SECONDS:
            self.under_way.popleft()
        beyond = max(0, failures + len(self.under_way) - self._free)
        pause = DISTRUST_SECONDS if failures >= self._many else min(LONGEST_PAUSE_SECONDS, STEP_SECONDS * beyond)
        # A clock that was set back must not keep anybody out for as long.
        self.opened = min(self.opened, now)
        return max(0.0, self.opened + pause - now)

    def let_in(self, now: float) -> None:
        """A try begins."""
        self.opened = now
        self.under_way.append(now)

    def stop_timer(self) -> None:
        """Nobody is to be let in by time."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()

    def is_idle(self, now: float) -> bool:
        """Say whether a new gate would do as well."""
        return not (self.waiting or self.under_way) and self.opened <= now - self._longest


@implementer(IGuessingLimit)
class GuessingLimit:
    """Counts wrong passwords in *state*, and asks *bans* and *known* who is out and who is known.

    *ban* is called with a subject, seconds and a reason where a cut-off is reached. *exempt* are the peers that limits
    by address and network do not hold.
    """

    def __init__(
        self,
        state: ISharedState,
        clock: IReactorTime,
        cut_offs: CutOffs,
        bans: Bans,
        known: KnownPlaces,
        ban: Callable[[str, float, str], None],
        exempt: Callable[[Peer], bool],
    ) -> None:
        self._state = state
        self._clock = clock
        self._cut_offs = cut_offs
        self._bans = bans
        self._known = known
        self._ban = ban
        self._exempt = exempt
        self._gates: OrderedDict[str, Gate] = OrderedDict()

    def admit(self, peer: Peer, account: str) -> Maybe[bool]:
        """See `IGuessingLimit.admit`."""
        known = self._known.has(account, peer.network)
        if any(self._bans.forbids(peer, each, known) for each in {account, _base(account)}):
            return False
        return self._pass(self._lanes(peer, account, known))

    def is_barred(self, peer: Peer, account: str) -> bool:
        """See `IGuessingLimit.is_barred`."""
        return any(self._bans.bars(peer, each) for each in {account, _base(account)})

    def failed(self, peer: Peer, account: str) -> None:
        """See `IGuessingLimit.failed`."""
        cut_offs = self._cut_offs
        lanes = self._lanes(peer, account, self._known.has(account, peer.network))
        for lane in lanes:
            failures = self._state.add(counter(lane.subject), 1, cut_offs.window)
            # Who has no address is only cut off: nobody could be told from the others.
            bannable = "@" in lane.subject or peer.address is not None
            if failures >= lane.most and cut_offs.ban_seconds and bannable:
                self._ban(lane.subject, cut_offs.ban_seconds, f"{failures} wrong passwords {lane.words}")
                # When the ban has ended, or was lifted, it begins anew. Where it is longer than the window, that comes
                # by itself, and till they know of the ban other processes of ours go by the counter.
                if cut_offs.ban_seconds < cut_offs.window:
                    self._state.forget(counter(lane.subject))
        self._ended(lanes)

    def succeeded(self, peer: Peer, account: str, login: str) -> None:
        """See `IGuessingLimit.succeeded`."""
        self._ended(self._lanes(peer, account, self._known.has(account, peer.network)))
        if login:
            self._known.note(account or login, peer.network)

    def _lanes(self, peer: Peer, account: str, known: bool) -> Sequence[Lane]:
        cut_offs = self._cut_offs
        if known:
            return (Lane(f"{account} from {peer.network}", inf, FREE_TRIES, many=cut_offs.account),)
        lanes = []
        if not self._exempt(peer):
            lanes.append(Lane(peer.network, cut_offs.address, FREE_TRIES, "from this address"))
            # Where there is no address, on a UNIX socket say, the two are one.
            if peer.wider_network != peer.network:
                lanes.append(Lane(peer.wider_network, cut_offs.network, FREE_NETWORK_TRIES, "from this network"))
        if _can_be_login(account):
            lanes.append(Lane(_base(account), cut_offs.account, FREE_TRIES, "for this account"))
        return lanes

    def _pass(self, lanes: Sequence[Lane]) -> Maybe[bool]:
        """Pass one gate after the other; a try that stops at one gives its places at those before it back."""
        for index, lane in enumerate(lanes):
            entered = self._enter(lane)
            if isinstance(entered, Deferred):
                return Deferred.fromCoroutine(self._pass_later(entered, lanes, index))
            if not entered:
                self._ended(lanes[:index])
                return False
        return True

    async def _pass_later(self, turn: Deferred[bool], lanes: Sequence[Lane], index: int) -> bool:
        try:
            entered = await turn
        except BaseException:
            self._ended(lanes[:index])
            raise
        if entered:
            if await value_of(self._pass(lanes[index + 1 :])):
                return True
            index += 1
        self._ended(lanes[:index])
        return False

    def _enter(self, lane: Lane) -> bool | Deferred[bool]:
        now, failures = self._clock.seconds(), self._failures(lane)
        if failures >= lane.most:
            return False
        gate = self._gate(lane, now)
        if not gate.waiting and not gate.pause(failures, now):
            gate.let_in(now)
            return True
        if len(gate.waiting) >= WAITING:
            return False
        turn: Deferred[bool] = Deferred(gate.waiting.remove)
        gate.waiting.append(turn)
        self._go_on(lane, gate)
        return turn

    def _ended(self, lanes: Sequence[Lane]) -> None:
        """A try that was let in has its answer: those behind it may come sooner or later now."""
        for lane in lanes:
            gate = self._gates.get(lane.subject)
            if gate is not None:
                if gate.under_way:
                    gate.under_way.popleft()
                self._go_on(lane, gate)

    def _go_on(self, lane: Lane, gate: Gate) -> None:
        """Let in who may come in, and set the timer for the next."""
        while gate.waiting:
            now, failures = self._clock.seconds(), self._failures(lane)
            cut_off = failures >= lane.most or lane.subject in self._bans
            pause = 0.0 if cut_off else gate.pause(failures, now)
            if pause:
                # Whoever was let in may have come back here at once: one timer, whoever sets it.
                gate.stop_timer()
                gate.timer = self._clock.callLater(pause, self._go_on, lane, gate)
                return
            turn = gate.waiting.popleft()
            if not cut_off:
                gate.let_in(now)
            turn.callback(not cut_off)

    def _failures(self, lane: Lane) -> int:
        return self._state.read(counter(lane.subject), self._cut_offs.window)

    def _gate(self, lane: Lane, now: float) -> Gate:
        subject = lane.subject
        gate = self._gates.get(subject)
        if gate is None:
            gate = self._gates[subject] = Gate(lane.free, lane.many)
        self._gates.move_to_end(subject)
        oldest = next(iter(self._gates))
        while oldest != subject and self._gates[oldest].is_idle(now):
            del self._gates[oldest]
            oldest = next(iter(self._gates))
        return gate


def counter(subject: str) -> str:
    """Return the name of the counter of *subject*'s wrong passwords in the shared state."""
    return f"wrong passwords {subject}"


def _can_be_login(account: str) -> bool:
    """Say whether *account* can be a login at all: what it is called is kept, shown and told from other subjects."""
    return 0 < len(account) <= ACCOUNT_CHARACTERS and account.isprintable() and " " not in account.rpartition("@")[2]


def _base(account: str) -> str:
    """Return *account* without what a plus-address adds: that opens a folder of the same login."""
    local, at, domain = account.rpartition("@")
    base, _ = subaddress(local)
    return f"{base}{at}{domain}"
