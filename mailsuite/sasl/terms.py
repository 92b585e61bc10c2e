"""What a listener offers of SASL: which mechanisms, in which order, in which sessions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mailsuite.discover import parts
from mailsuite.encryption import Encryption
from mailsuite.sasl import mechanisms
from mailsuite.sasl.mechanism import Context, Mechanism

MECHANISMS: Mapping[str, type[Mechanism]] = {
    mechanism.name: mechanism for mechanism in sorted(parts(mechanisms), key=lambda part: -part.strength)
}


def _serves_passwords(need: str) -> bool:
    return not need


def _no_nonce() -> str:
    return ""


def _nobody(encryption: Encryption) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Terms:
    """One listener's rules for logging in.

    *allowed* are mechanisms, empty means all. *serves* says whether the account store has what a mechanism needs
    (`Mechanism.needs`), *nonce* draws fresh random text, *account_of* names the account of a client's certificate.
    *scope* is what a bearer token must be good for.
    """

    service: str
    hostname: str
    allowed: tuple[str, ...] = ()
    serves: Callable[[str], bool] = _serves_passwords
    nonce: Callable[[], str] = _no_nonce
    account_of: Callable[[Encryption], str] = _nobody
    scope: str = ""

    def usable(self, encryption: Encryption | None) -> tuple[str, ...]:
        """Return the mechanisms that may be used in a session with this *encryption*."""
        return tuple(self._usable(self._context(encryption)))

    def begin(self, name: str, encryption: Encryption | None) -> Mechanism | None:
        """Return the mechanism *name*, ready for one exchange; ``None`` where it may not be used now."""
        context = self._context(encryption)
        offered = self.usable(encryption)
        if name not in offered:
            return None
        return MECHANISMS[name](replace(context, nonce=self.nonce(), offered=offered, scope=self.scope))

    @property
    def takes_passwords(self) -> bool:
        """Whether the password itself may cross the wire here, so that ways beside SASL may be open, too."""
        return not self.allowed or not {"PLAIN", "LOGIN"}.isdisjoint(self.allowed)

    def knows(self, name: str) -> bool:
        """Say whether *name* may be used by some sessions here: others lack TLS for it (RFC 4954 §4), or more."""
        mechanism = MECHANISMS.get(name)
        return mechanism is not None and self._allows(name) and self.serves(mechanism.needs)

    def _context(self, encryption: Encryption | None) -> Context:
        if encryption is None:
            return Context(self.service, self.hostname)
        return Context(
            self.service, self.hostname, binding=encryption.binding, certified=self.account_of(encryption)
        )

    def _usable(self, context: Context) -> Iterator[str]:
        served = {"": True}
        for name, mechanism in MECHANISMS.items():
            need = mechanism.needs
            if need not in served:
                # Several mechanisms need the same, and each EHLO asks for all of them.
                served[need] = self.serves(need)
            if served[need] and self._allows(name) and mechanism.fits(context):
                yield name

    def _allows(self, name: str) -> bool:
        return not self.allowed or name in self.allowed
