"""LOGIN (draft-murchison-sasl-login), client side: name, then password, whatever the server calls them."""

from typing import ClassVar

from mailsuite.sasl.initiator import Secret


class Login:
    """The server asks twice."""

    name: ClassVar[str] = "LOGIN"
    strength: ClassVar[int] = 10
    proved: ClassVar[bool] = True

    def __init__(self, secret: Secret) -> None:
        self._left = [secret.password.encode("utf-8", "replace"), secret.name.encode("utf-8", "replace")]

    def begin(self) -> bytes | None:
        """See `Initiator.begin`."""
        return None

    def respond(self, challenge: bytes) -> bytes | None:
        """See `Initiator.respond`. What the challenge asks for has many spellings, and always this order."""
        return self._left.pop() if self._left else None


PART = Login
