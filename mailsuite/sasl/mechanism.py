"""What a SASL mechanism is to the server, and what it is told of the session that it serves (RFC 4422 §5)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mailsuite.encryption import no_binding
from mailsuite.sasl.claims import Refusal, Step


@dataclass(frozen=True, slots=True)
class Context:
    """The session that an exchange is part of.

    *service* is the protocol's name with SASL (``smtp``, ``pop``). *nonce* is fresh random text without commas and
    quotes. *binding* is `Encryption.binding` of its TLS. *certified* is the account of the client's certificate, or
    empty. *offered*: the mechanisms that the client could see. *scope*: what a bearer token must be good for.
    """

    service: str
    hostname: str
    nonce: str = field(default="", repr=False)
    binding: Callable[[str], bytes | None] = no_binding
    certified: str = ""
    offered: tuple[str, ...] = ()
    scope: str = ""


class Mechanism:
    """One SASL mechanism, server side. An object serves one exchange."""

    name: ClassVar[str]
    # Offered from the highest on: what gives least away comes first.
    strength: ClassVar[int]
    # What the account store must have for it beside passwords, as `Terms.serves` names it.
    needs: ClassVar[str] = ""

    def __init__(self, context: Context) -> None:
        self.context = context

    @classmethod
    def fits(cls, context: Context) -> bool:
        """Say whether the session is one that this mechanism can serve."""
        return True

    def begin(self, response: bytes | None) -> Step:
        """Start; *response* is the initial response, ``None`` where the client sent none."""
        raise NotImplementedError

    def step(self, response: bytes) -> Step:
        """Go on with the answer to the last challenge."""
        return Refusal.MALFORMED

    def answered(self, answer: Any) -> Step:
        """Go on with the answer to the last question."""
        return Refusal.DENIED
