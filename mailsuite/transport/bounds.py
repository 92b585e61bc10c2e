"""What a listener asks of a connection beside what the session core asks: who may come in, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from mailsuite.envelope import Peer
from mailsuite.interfaces import IConnectionLimit


@dataclass(frozen=True, slots=True)
class Bounds:
    """Times of a session that its core does not know; all in seconds."""

    # How long a TLS handshake may take, and how long the session in all.
    handshake: float = inf
    lifetime: float = inf
    # How long the peer waits for the greeting; and how much longer if it speaks meanwhile.
    greeting_delay: float = 0.0
    early_delay: float = 0.0


UNBOUNDED = Bounds()


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may come in. *refuse* takes note of a refusal by the limit so named, and returns what the peer is told."""

    limit: IConnectionLimit
    refuse: Callable[[Peer, str], bytes]
