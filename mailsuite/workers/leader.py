"""One process of a site leads: it does what has to be done once for all, as long as it holds a lock."""

from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.interfaces import ISharedState

LOCK = "leader of the site"
# How often a process that does not lead asks whether nobody does, in seconds.
ASK_SECONDS = 1.0


class Leader:
    """Calls *lead* once it has the lock in *state*, for *owner*, and *step_down* when it is stopped after that."""

    def __init__(
        self,
        state: ISharedState,
        owner: str,
        clock: IReactorTime,
        lead: Callable[[], None],
        step_down: Callable[[], Awaitable[None]],
    ) -> None:
        self._state = state
        self._owner = owner
        self._clock = clock
        self._lead = lead
        self._step_down = step_down
        self._leads = False
        self._asking: IDelayedCall | None = None

    def start(self) -> None:
        """Lead from now on, or as soon as nobody else does."""
        self._asking = None
        if self._state.acquire(LOCK, self._owner):
            self._leads = True
            self._lead()
        else:
            self._asking = self._clock.callLater(ASK_SECONDS, self.start)

    async def stop(self) -> None:
        """Lead no more; another process may when this returns."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if self._leads:
            self._leads = False
            await self._step_down()
            self._state.release(LOCK, self._owner)
