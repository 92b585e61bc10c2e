"""TLSA records beside the certificates of a server: RFC 6698 §2.1, RFC 7671 §9, RFC 7672 §3."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mailsuite.delivery import dane_chain
from mailsuite.delivery.certificate_names import certifies
from mailsuite.delivery.der import matches
from mailsuite.dns import TLSA
from mailsuite.encryption import Encryption

DANE_TA = 2
DANE_EE = 3
CERTIFICATE = 0
FULL = 0
# RFC 6698 §2.1.3: octets that the digest of each matching type has, the better one with the higher number.
DIGESTS = {1: hashlib.sha256().digest_size, 2: hashlib.sha512().digest_size}
# So many records of a host are looked at. Real ones have two to six.
RECORDS = 64


def usable(records: Sequence[TLSA]) -> tuple[TLSA, ...]:
    """Return the records that can authenticate a mail server, of each kind those with the best digest.

    Usages 0 and 1 cannot (RFC 7672 §3.1.3), nor can what is unknown or malformed.
    """
    good = [record for record in records[:RECORDS] if _is_usable(record)]
    # RFC 7671 §9: what only a weaker digest vouches for is not accepted; type Full(0) has none.
    best: dict[tuple[int, int], int] = {}
    for record in good:
        kind = (record.usage, record.selector)
        best[kind] = max(best.get(kind, FULL), record.matching)
    return tuple(r for r in good if r.matching in (FULL, best[r.usage, r.selector]))


def _is_usable(record: TLSA) -> bool:
    if record.usage not in (DANE_TA, DANE_EE) or record.selector not in (0, 1):
        return False
    if record.matching == FULL:
        return _is_whole(record)
    return len(record.data) == DIGESTS.get(record.matching)


def _is_whole(record: TLSA) -> bool:
    """Say whether a record's data is a certificate, or a public key, in DER."""
    try:
        if record.selector == CERTIFICATE:
            x509.load_der_x509_certificate(record.data)
        else:
            load_der_public_key(record.data)
    except UnsupportedAlgorithm:
        # Octets can be compared all the same.
        return True
    except Exception:
        # What a hostile record makes a parser raise cannot be listed: such a record is unusable.
        return False
    return True


@dataclass(frozen=True, slots=True)
class Associations:
    """What DNSSEC says of a host's certificate.

    *base* is the TLSA base domain, which is also the name for SNI (RFC 7672 §2.2.3, §8.1). *names* are those that a
    certificate under a DANE-TA record may have. *records* are the usable ones; empty: there are records, and
    encryption without authentication is what they ask for (RFC 7672 §2.2).
    """

    base: str
    names: tuple[str, ...]
    records: tuple[TLSA, ...]

    def objection(self, chain: Sequence[bytes], now: datetime) -> str:
        """Return why *chain*, certificates in DER with the server's own first, is not good; empty: it is."""
        if not chain:
            return "it showed no certificate"
        # RFC 7672 §3.1.1, §3.2.1: neither the names nor the dates of the certificate count.
        if any(matches(record, chain[0]) for record in self._of(DANE_EE)):
            return ""
        anchors = tuple(self._of(DANE_TA))
        if not anchors:
            return "its certificate is none that its TLSA records name"
        trouble = dane_chain.objection(chain, anchors, now)
        if trouble:
            return f"its certificates lead to none that its TLSA records name: {trouble}"
        # RFC 7672 §3.2.2, §3.2.3.
        if not certifies(chain[0], self.names, common_name=True):
            return f"its certificate is not for {' or '.join(self.names)}"
        return ""

    def _of(self, usage: int) -> Iterable[TLSA]:
        return (record for record in self.records if record.usage == usage)


@dataclass(frozen=True, slots=True)
class Associated:
    """The proof that a server's TLSA records ask for. *now* gives POSIX seconds."""

    associations: Associations
    now: Callable[[], float]
    word: str = "DANE"

    def objection(self, encryption: Encryption) -> str:
        """Return why *encryption* does not give it; empty: it does."""
        return self.associations.objection(encryption.chain, datetime.fromtimestamp(self.now(), UTC))
