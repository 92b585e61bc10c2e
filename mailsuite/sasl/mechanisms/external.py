"""EXTERNAL (RFC 4422 appendix A): who the client is was shown by its certificate, when TLS began."""

from typing import ClassVar

from mailsuite.sasl.claims import CertificateClaim, Challenge, Refusal, Step
from mailsuite.sasl.mechanism import Context, Mechanism


class External(Mechanism):
    """The client speaks first, and says whom it wants to act for, or nothing."""

    name: ClassVar[str] = "EXTERNAL"
    strength: ClassVar[int] = 80

    @classmethod
    def fits(cls, context: Context) -> bool:
        """See `Mechanism.fits`: offered to those whose certificate is an account's."""
        return bool(context.certified)

    def begin(self, response: bytes | None) -> Step:
        """See `Mechanism.begin`."""
        return Challenge(b"") if response is None else self.step(response)

    def step(self, response: bytes) -> Step:
        """See `Mechanism.step`."""
        try:
            authorize = response.decode("utf-8")
        except UnicodeDecodeError:
            return Refusal.MALFORMED
        if "\0" in authorize:
            return Refusal.MALFORMED
        return CertificateClaim(self.context.certified, authorize)


PART = External
