"""What TLS gave to a connection, as a value: for trace fields, logs, and the judgement of a sending server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Encryption:
    """A completed handshake: *version* and *cipher* as OpenSSL names them.

    *chain* is the peer's certificates in DER, its own first, as it sent them (empty: it showed none). *trust* is empty
    where the chain leads to one of our trusted issuers and is in its time, else why it does not; names are not looked
    at here.
    """

    version: str
    cipher: str
    chain: tuple[bytes, ...] = ()
    trust: str = "not looked at"

    def __str__(self) -> str:
        return f"{self.version} {self.cipher}"
