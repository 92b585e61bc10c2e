"""Whether a certificate is for a name: RFC 6125 §6, with a wildcard only as the whole left-most label.

One strange name in a certificate spoils no other. Matching itself is the service_identity library's, but for A-labels
under a wildcard.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import (
    DNS_ID,
    CertificatePattern,
    DNSPattern,
    IPAddress_ID,
    IPAddressPattern,
    ServiceID,
    verify_service_identity,
)

from mailsuite.address import domain_key


def host_key(host: str) -> str:
    """Return *host* as names are compared: lower-case A-labels without the last dot."""
    return domain_key(host.removesuffix("."))


def is_ip(host: str) -> bool:
    """Say whether *host* is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def certifies(der: bytes, names: Iterable[str], common_name: bool = False) -> bool:
    """Say whether the certificate *der* is for one of *names*, which are host names or IP addresses. Never raises.

    With *common_name* that of the subject counts where the certificate has no DNS names (RFC 7672 §3.2.3).
    """
    try:
        patterns = _patterns(x509.load_der_x509_certificate(der), common_name)
    except Exception:
        # What a hostile certificate makes a parser raise cannot be listed: it is for nobody.
        return False
    return any(_fits(patterns, name) for name in names)


def _patterns(certificate: x509.Certificate, common_name: bool) -> Sequence[CertificatePattern]:
    names: list[str] = []
    addresses: list[CertificatePattern] = []
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        names = found.get_values_for_type(x509.DNSName)
        # A network (RFC 5280 §4.2.1.10) has no place here.
        addresses = [IPAddressPattern(ip_address(str(ip))) for ip in found.get_values_for_type(x509.IPAddress)]
    if common_name and not names:
        subject = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [name.value for name in subject if isinstance(name.value, str)]
    return [*_dns_patterns(names), *addresses]


def _dns_patterns(names: Iterable[str]) -> Iterable[CertificatePattern]:
    for name in names:
        try:
            yield DNSPattern.from_bytes(name.encode())
        except CertificateError:
            continue


def _fits(patterns: Sequence[CertificatePattern], name: str) -> bool:
    try:
        wanted: ServiceID = IPAddress_ID(name) if is_ip(name) else DNS_ID(host_key(name))
        if isinstance(wanted, DNS_ID) and _wildcard(wanted.hostname) in patterns:
            return True
        verify_service_identity(patterns, [wanted], [])
    except (CertificateError, VerificationError, ValueError):
        return False
    return True


def _wildcard(host: bytes) -> DNSPattern | None:
    """Return the wildcard that an A-label of *host* stands under; ``None``: it begins with none.

    RFC 6125 §6.4.3: the whole left-most label is any label, of any script; only a part of an A-label is not to be
    matched. The library leaves out all of them.
    """
    first, _, rest = host.partition(b".")
    return DNSPattern(b"*." + rest) if first.startswith(b"xn--") else None
