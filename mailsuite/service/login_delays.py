"""How long after a login the next one of the same user is refused (RFC 2449 §6.5, §8.1.1)."""

from typing import Protocol

from mailsuite.interfaces import ISharedState
from mailsuite.meaning import Login


class LoginDelays(Protocol):
    """Knows who logged in when."""

    def admit(self, login: Login, seconds: int) -> bool:
        """Say whether *login* may log in, if that is to be *seconds* after the last time; 0: always."""

    def logged_in(self, login: Login, seconds: int) -> None:
        """*login* was let in, and *seconds* are to pass before the next time."""


class SharedDelays:
    """Kept where all processes of a site see it. A login that was refused does not count: nobody waits for ever."""

    def __init__(self, state: ISharedState) -> None:
        self._state = state

    def admit(self, login: Login, seconds: int) -> bool:
        """See `LoginDelays.admit`."""
        return not seconds or not self._state.read(_counter(login), seconds)

    def logged_in(self, login: Login, seconds: int) -> None:
        """See `LoginDelays.logged_in`."""
        if seconds:
            self._state.add(_counter(login), 1, seconds)


class _NoDelays:
    def admit(self, login: Login, seconds: int) -> bool:
        return True

    def logged_in(self, login: Login, seconds: int) -> None:
        pass


def no_delays() -> LoginDelays:
    """Return what lets everybody in."""
    return _NoDelays()


def _counter(login: Login) -> str:
    return f"pop3 login:{login.id}"
