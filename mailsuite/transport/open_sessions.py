"""The sessions that are open now, and their orderly end."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Session(Protocol):
    """A session that can be told to end."""

    def shut_down(self) -> None:
        """End as soon as that is in good order."""

    def abort(self) -> None:
        """End now."""


class BuildsSessions(Protocol):
    """Builds sessions, and knows those that are open: a Twisted factory."""

    sessions: "OpenSessions"

    def buildProtocol(self, addr: Any) -> Any:
        """See `IProtocolFactory.buildProtocol`."""


class OpenSessions:
    """Knows a service's sessions from their first moment to their last."""

    def __init__(self) -> None:
        self._sessions: set[Session] = set()
        self._waiting: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._sessions)

    def several(self) -> bool:
        """Say whether more than one session is open."""
        return len(self._sessions) > 1

    def add(self, session: Session) -> None:
        """*session* begins."""
        self._sessions.add(session)

    def ended(self, session: Session) -> None:
        """*session* is over."""
        self._sessions.discard(session)
        self._look_empty()

    def stop(self, clock: IReactorTime, grace: float) -> Deferred[None]:
        """Ask all sessions to end, cut those off that have not done so in *grace* seconds; fires after the last."""
        emptied: Deferred[None] = Deferred()
        self._waiting.append(emptied)
        for session in list(self._sessions):
            session.shut_down()
        cut = clock.callLater(grace, self._abort)

        def done(result: Any) -> None:
            if cut.active():
                cut.cancel()

        emptied.addCallback(done)
        self._look_empty()
        return emptied

    def _abort(self) -> None:
        for session in list(self._sessions):
            session.abort()

    def _look_empty(self) -> None:
        if not self._sessions:
            waiting, self._waiting = self._waiting, []
            for emptied in waiting:
                emptied.callback(None)
