"""One exchange with a mechanism, its questions answered by `tests.sasl.store`."""

from base64 import b64decode, b64encode
from collections.abc import Callable

from mailsuite.encryption import Encryption
from mailsuite.sasl.claims import Challenge, Proof, Question, SecretWanted, Step, TokenShown
from mailsuite.sasl.exchange import Exchange
from mailsuite.sasl.terms import Terms
from tests.sasl import store


class Talk:
    """Drives *name* as a protocol would; *questions* are those that it has asked."""

    def __init__(
        self,
        name: str,
        terms: Terms,
        encryption: Encryption | None = None,
        answer: Callable[[Question], object] = store.answer,
    ) -> None:
        mechanism = terms.begin(name, encryption)
        assert mechanism is not None, f"{name} is not offered"
        self._exchange = Exchange(mechanism)
        self._answer = answer
        self.questions: list[Question] = []

    def begin(self, response: bytes | None = None) -> Step:
        """Begin, with an initial response or without."""
        if response is None:
            return self._settled(self._exchange.begin(None))
        return self._settled(self._exchange.begin(b64encode(response) or b"="))

    def say(self, response: bytes) -> Step:
        """Answer the last challenge."""
        return self._settled(self._exchange.line(b64encode(response)))

    def cancel(self) -> Step:
        """Cancel the exchange."""
        return self._settled(self._exchange.line(b"*"))

    def _settled(self, step: Step) -> Step:
        while isinstance(step, SecretWanted | Proof | TokenShown):
            self.questions.append(step)
            step = self._exchange.answered(self._answer(step))
        return step


def asked(step: Step) -> bytes:
    """Return what the challenge *step* says."""
    assert isinstance(step, Challenge), step
    return step.octets


def encoded(text: str) -> bytes:
    """Return what a line of base64 says."""
    return b64decode(text, validate=True)
