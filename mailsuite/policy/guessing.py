"""Guessing of passwords is slowed and cut, for all connections of one network together.

The first tries are free. After them each try of a network is let in only so long after the one before it, and the
time grows with its wrong tries and with those that are still being checked: so it makes no difference whether they
come one after the other or all at once. Past the cut-off no try is let in until enough wrong ones have left the
window. A right password takes nothing back: otherwise an account of one's own would be a licence to guess.
"""

from collections import OrderedDict, deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IGuessingLimit, ISharedState
from mailsuite.maybe import Maybe

# Wrong tries and tries under way that cost nothing yet: a mistyped password, a client with several connections.
FREE_TRIES = 3
# So much later comes the next try for each one beyond these: twenty wrong tries take 6.8 seconds.
STEP_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
# Tries of one network that may wait; one more is refused.
WAITING = 1000
# A try of which nothing was heard for so long was given up (its session died, the directory was away).
GIVEN_UP_SECONDS = 30.0


class Gate:
    """Lets the tries of one network in, one after the other."""

    def __init__(self) -> None:
        self.waiting: deque[Deferred[bool]] = deque()
        # When each try that is being checked was let in.
        self.under_way: deque[float] = deque()
        self.opened = float("-inf")
        self.timer: IDelayedCall | None = None

    def pause(self, failures: int, now: float) -> float:
        """Return how long from *now* the next try has to wait."""
        while self.under_way and self.under_way[0] <= now - GIVEN_UP_SECONDS:
            self.under_way.popleft()
        beyond = max(0, failures + len(self.under_way) - FREE_TRIES)
        pause = min(LONGEST_PAUSE_SECONDS, STEP_SECONDS * beyond)
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
        return not (self.waiting or self.under_way) and self.opened <= now - LONGEST_PAUSE_SECONDS


@implementer(IGuessingLimit)
class GuessingLimit:
    """Counts wrong passwords in *state* for *window* seconds and cuts a network off after *tries* of them."""

    def __init__(self, state: ISharedState, clock: IReactorTime, tries: int = 50, window: float = 600.0) -> None:
        self._state = state
        self._clock = clock
        self._tries = tries
        self._window = window
        self._gates: OrderedDict[str, Gate] = OrderedDict()

    def admit(self, peer: Peer) -> Maybe[bool]:
        """See `IGuessingLimit.admit`."""
        network, now = peer.network, self._clock.seconds()
        failures = self._failures(network)
        if failures >= self._tries:
            return False
        gate = self._gate(network, now)
        if not gate.waiting and not gate.pause(failures, now):
            gate.let_in(now)
            return True
        if len(gate.waiting) >= WAITING:
            return False
        turn: Deferred[bool] = Deferred(gate.waiting.remove)
        gate.waiting.append(turn)
        self._go_on(network, gate)
        return turn

    def failed(self, peer: Peer) -> None:
        """See `IGuessingLimit.failed`."""
        self._state.add(_counter(peer.network), 1, self._window)
        self._ended(peer.network)

    def succeeded(self, peer: Peer) -> None:
        """See `IGuessingLimit.succeeded`."""
        self._ended(peer.network)

    def _ended(self, network: str) -> None:
        """A try that was let in has its answer: those behind it may come sooner or later now."""
        gate = self._gates.get(network)
        if gate is not None:
            if gate.under_way:
                gate.under_way.popleft()
            self._go_on(network, gate)

    def _go_on(self, network: str, gate: Gate) -> None:
        """Let in who may come in, and set the timer for the next."""
        while gate.waiting:
            now, failures = self._clock.seconds(), self._failures(network)
            cut_off = failures >= self._tries
            pause = 0.0 if cut_off else gate.pause(failures, now)
            if pause:
                # Whoever was let in may have come back here at once: one timer, whoever sets it.
                gate.stop_timer()
                gate.timer = self._clock.callLater(pause, self._go_on, network, gate)
                return
            turn = gate.waiting.popleft()
            if not cut_off:
                gate.let_in(now)
            turn.callback(not cut_off)

    def _failures(self, network: str) -> int:
        return self._state.read(_counter(network), self._window)

    def _gate(self, network: str, now: float) -> Gate:
        gate = self._gates.get(network)
        if gate is None:
            gate = self._gates[network] = Gate()
        self._gates.move_to_end(network)
        oldest = next(iter(self._gates))
        while oldest != network and self._gates[oldest].is_idle(now):
            del self._gates[oldest]
            oldest = next(iter(self._gates))
        return gate


def _counter(network: str) -> str:
    return f"wrong passwords {network}"
