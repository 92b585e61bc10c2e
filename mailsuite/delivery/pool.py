"""Sessions that have sent a message and wait for another one to the same place."""

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.delivery.session import RemoteSession
from mailsuite.route import Route

# Sessions that wait at a time, to all places together: each holds a descriptor here and a slot there.
WAITING = 500
# A time that is so near, in seconds, has come: sums of times are rounded.
SLACK = 0.001


class Pool:
    """Keeps idle sessions by their route, each for *seconds* and for *messages* messages at most."""

    def __init__(self, clock: IReactorTime, seconds: float, messages: int, waiting: int = WAITING) -> None:
        self._clock = clock
        self._seconds = seconds
        self._messages = messages
        self._room = waiting
        # With the time until which each is kept. The last to come is the first to go, so that few are kept busy.
        self._idle: dict[Route, list[tuple[float, RemoteSession]]] = {}
        self._count = 0
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def __len__(self) -> int:
        return self._count

    def take(self, route: Route) -> RemoteSession | None:
        """Return a session of *route* that is still there, now the caller's, or ``None``."""
        idle = self._idle.get(route)
        while idle:
            _, session = idle.pop()
            self._count -= 1
            if session.alive:
                return session
        return None

    def put(self, route: Route, session: RemoteSession) -> None:
        """Keep *session* for the next message, or let it go where it has done enough."""
        if not session.alive:
            return
        if self._stopped or not self._seconds or session.sent >= self._messages or self._count >= self._room:
            session.quit()
            return
        self._idle.setdefault(route, []).append((self._clock.seconds() + self._seconds, session))
        self._count += 1
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._sweep)

    def stop(self) -> None:
        """Let all idle sessions go, and from now on each that is put here."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle, self._count = self._idle, {}, 0
        for sessions in idle.values():
            for _, session in sessions:
                session.quit()

    def _sweep(self) -> None:
        """Let go what has waited for long enough, and come again when the next one will have."""
        self._timer = None
        now = self._clock.seconds()
        for route, sessions in list(self._idle.items()):
            while sessions and sessions[0][0] <= now + SLACK:
                _, session = sessions.pop(0)
                self._count -= 1
                session.quit()
            if not sessions:
                del self._idle[route]
        if self._idle:
            until = min(sessions[0][0] for sessions in self._idle.values())
            self._timer = self._clock.callLater(until - now, self._sweep)
