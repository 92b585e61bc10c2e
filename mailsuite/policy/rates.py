"""How much mail may come in a time: by address from those who have no login, by login from those who have one."""

from collections.abc import Callable
from dataclasses import dataclass

from zope.interface import implementer

from mailsuite.envelope import Peer
from mailsuite.interfaces import IRates, ISharedState
from mailsuite.meaning import Login

ADDRESS_WINDOW = 60.0
LOGIN_WINDOW = 3600.0


@dataclass(frozen=True, slots=True)
class Allowances:
    """The keys of ``[limits]`` that tell of rates: by address in a minute, by login in an hour; 0: any number."""

    message_rate: int
    recipient_rate: int
    login_messages: int
    login_recipients: int


@implementer(IRates)
class Rates:
    """Counts in *state*. Peers that are *exempt* are free as long as they have no login."""

    def __init__(self, allowances: Allowances, state: ISharedState, exempt: Callable[[Peer], bool]) -> None:
        self._allowances = allowances
        self._state = state
        self._exempt = exempt

    def message(self, peer: Peer, login: Login | None) -> str:
        """See `IRates.message`."""
        if login is not None:
            return self._count("login_messages", self._allowances.login_messages, str(login.id), LOGIN_WINDOW)
        if self._exempt(peer):
            return ""
        return self._count("message_rate", self._allowances.message_rate, peer.network, ADDRESS_WINDOW)

    def recipient(self, peer: Peer, login: Login | None) -> str:
        """See `IRates.recipient`."""
        if login is not None:
            return self._count("login_recipients", self._allowances.login_recipients, str(login.id), LOGIN_WINDOW)
        if self._exempt(peer):
            return ""
        return self._count("recipient_rate", self._allowances.recipient_rate, peer.network, ADDRESS_WINDOW)

    def _count(self, limit: str, most: int, whose: str, window: float) -> str:
        counter = f"{limit} {whose}"
        if not most or self._state.add(counter, 1, window) <= most:
            return ""
        # What is refused does not count: the peer gets its share however often it tries.
        self._state.add(counter, -1, window)
        return limit
