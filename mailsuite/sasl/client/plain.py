"""PLAIN (RFC 4616), client side: name and password in one message."""

from typing import ClassVar

from mailsuite.sasl.initiator import Secret, Unfit


class Plain:
    """The client speaks first, and once."""

    name: ClassVar[str] = "PLAIN"
    strength: ClassVar[int] = 20
    proved: ClassVar[bool] = True

    def __init__(self, secret: Secret) -> None:
        # RFC 4616 §2: both have at least one character, and neither has a NUL.
        if not secret.name or not secret.password or "\0" in secret.name + secret.password:
            raise Unfit("PLAIN carries neither an empty name or password nor a NUL")
        self._message: bytes | None = f"\0{secret.name}\0{secret.password}".encode("utf-8", "replace")

    def begin(self) -> bytes | None:
        """See `Initiator.begin`."""
        message, self._message = self._message, None
        return message

    def respond(self, challenge: bytes) -> bytes | None:
        """See `Initiator.respond`: everything was said."""
        return None


PART = Plain
