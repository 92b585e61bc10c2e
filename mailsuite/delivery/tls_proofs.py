"""What a host can prove where TLSA records have no say: a trusted issuer and a name, a place in a policy."""

from dataclasses import dataclass
from typing import Protocol

from mailsuite.delivery.certificate_names import certifies
from mailsuite.delivery.mta_sts_policy import Policy
from mailsuite.encryption import Encryption


class Proof(Protocol):
    """What a connection has to give. *word* says in logs what was given."""

    @property
    def word(self) -> str: ...

    def objection(self, encryption: Encryption) -> str:
        """Return why *encryption* does not give it; empty: it does. Never raises."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A certificate that leads to an issuer of ours and is for one of *names* (RFC 5280, RFC 6125)."""

    names: tuple[str, ...]
    word: str = "verified"

    def objection(self, encryption: Encryption) -> str:
        """See `Proof.objection`."""
        if not encryption.chain:
            return "it showed no certificate"
        if encryption.trust:
            return f"its certificate is not trusted: {encryption.trust}"
        if not certifies(encryption.chain[0], self.names):
            return f"its certificate is not for {' or '.join(self.names) or 'a host without a name'}"
        return ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A host that the MTA-STS policy of *domain* names, with a good certificate (RFC 8461 §4)."""

    domain: str
    policy: Policy
    host: str
    word: str = "MTA-STS"

    def objection(self, encryption: Encryption) -> str:
        """See `Proof.objection`."""
        return self.unlisted() or Verified((self.host,)).objection(encryption)

    def unlisted(self) -> str:
        """Return why this host is none of the domain's; empty: it is one (RFC 8461 §4.1)."""
        if self.policy.allows(self.host):
            return ""
        return f"the MTA-STS policy of {self.domain} does not name {self.host}"
