"""The client's side of an authentication exchange (RFC 4422): a login becomes responses to challenges."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from mailsuite.sasl import base64_text
from mailsuite.sasl.exchange import LINE_OCTETS


@dataclass(frozen=True, slots=True)
class Secret:
    """What proves who we are. *nonce* is fresh random text for one exchange, or empty: then some mechanisms fail."""

    name: str
    password: str = field(repr=False)
    nonce: str = field(default="", repr=False)


class Initiator(Protocol):
    """One SASL mechanism, client side. An object serves one exchange; nothing that a server says makes it raise."""

    name: ClassVar[str]
    # Mechanisms are tried from the highest on: what gives least away, and proves the server, first.
    strength: ClassVar[int]

    def __init__(self, secret: Secret) -> None:
        """Begin an exchange with *secret*. Raises `Unfit` where the mechanism cannot carry it."""

    def begin(self) -> bytes | None:
        """Return the initial response; ``None`` where the server speaks first."""

    def respond(self, challenge: bytes) -> bytes | None:
        """Return the response to *challenge*; ``None``: it makes no sense, and the exchange has to be cancelled.

        So it is, after few steps at most, for a server that asks without end.
        """

    @property
    def proved(self) -> bool:
        """Whether the server's word that we are logged in may be believed."""


class Unfit(ValueError):
    """A name or password that a mechanism cannot carry; the message says why, and never what it is."""


def encoded(response: bytes) -> bytes:
    """Return *response* as a line of base64, without its end."""
    return b64encode(response)


def decoded(challenge: bytes) -> bytes | None:
    """Return what a line of base64 says; ``None`` where it is none (RFC 4954 §4), or too long a one."""
    return None if len(challenge) > LINE_OCTETS else base64_text.decoded(challenge)
