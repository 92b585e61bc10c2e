"""LOGIN (draft-murchison-sasl-login): name and password, each asked for; obsolete, and still what printers speak."""

from typing import ClassVar

from mailsuite.sasl.claims import Challenge, PasswordClaim, Refusal, Step
from mailsuite.sasl.mechanism import Context, Mechanism


class Login(Mechanism):
    """Asks ``Username:`` and ``Password:``; an initial response is taken as the name."""

    name: ClassVar[str] = "LOGIN"
    strength: ClassVar[int] = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._name: str | None = None

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`."""
        return Challenge(b"Username:") if response is None else self.step(response)

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`."""
        try:
            text = response.decode("utf-8")
        except UnicodeDecodeError:
            return Refusal.MALFORMED
        if not text or "\0" in text:
            return Refusal.MALFORMED
        if self._name is None:
            self._name = text
            return Challenge(b"Password:")
        return PasswordClaim(self._name, text)


PART = Login
