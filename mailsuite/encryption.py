"""What TLS gave to a connection, as a value: for trace fields, logs, logins, and the judgement of the other end."""

from collections.abc import Callable
from dataclasses import dataclass, field


def no_binding(kind: str) -> bytes | None:
    """Know of no channel binding at all."""
    return None


@dataclass(frozen=True, slots=True)
class Encryption:
    """A completed handshake: *version* and *cipher* as OpenSSL names them.

    *chain* is the peer's certificates in DER, its own first, as it sent them (empty: it showed none). *trust* is empty
    where the chain leads to one of our trusted issuers and is in its time, else why it does not; names are not looked
    at here.

    *binding* gives what ties a login to this connection (RFC 5056), by the name of its kind: ``tls-exporter`` or
    ``tls-server-end-point``; ``None`` where this connection has none of that kind. It is worked out when it is asked
    for, and only as long as the connection is open.
    """

    version: str
    cipher: str
    chain: tuple[bytes, ...] = ()
    trust: str = "not looked at"
    binding: Callable[[str], bytes | None] = field(default=no_binding, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.version} {self.cipher}"
