"""Who may have mail of a higher priority than others (RFC 6710 §4.1, §11)."""

from collections.abc import Callable

from mailsuite.envelope import Peer


class Priorities:
    """*peers* says which ones are believed; who has logged in may ask for *most*, and no more."""

    def __init__(self, peers: Callable[[Peer], bool], most: int) -> None:
        self._peers = peers
        self._most = most

    def granted(self, peer: Peer, logged_in: bool, wanted: int) -> int:
        """Return the priority of mail from *peer* that asks for *wanted*: a lower one is had for the asking."""
        if wanted <= 0 or self._peers(peer):
            return wanted
        return max(0, min(wanted, self._most)) if logged_in else 0
