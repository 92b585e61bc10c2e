"""What a TLSA record selects of a certificate, octet by octet (RFC 6698 §2.1.2, §2.1.3; RFC 5280 §4.1).

The octets of a key are taken as they stand in the certificate: a library would write some of them anew, and its form
need not be the one that was digested.
"""

import hashlib

from mailsuite.dns import TLSA

_VERSION = 0xA0
_LONG = 0x80
# Octets that the length of an element may take: a certificate has no 16 MiB.
_LENGTH_OCTETS = 3


def matches(record: TLSA, certificate: bytes) -> bool:
    """Say whether *record* selects *certificate* (DER). Never raises; an unknown selector or type matches nothing."""
    try:
        selected = certificate if record.selector == 0 else public_key_info(certificate)
    except ValueError:
        return False
    if record.selector not in (0, 1):
        return False
    if record.matching == 0:
        return record.data == selected
    if record.matching == 1:
        return record.data == hashlib.sha256(selected).digest()
    return record.matching == 2 and record.data == hashlib.sha512(selected).digest()


def public_key_info(certificate: bytes) -> bytes:
    """Return the octets of a certificate's subjectPublicKeyInfo (RFC 5280 §4.1). Raises `ValueError`."""
    start = _element(certificate, 0)[1]
    start = _element(certificate, start)[1]
    tag, _, end = _element(certificate, start)
    if tag == _VERSION:
        start = end
    # serialNumber, signature, issuer, validity, subject
    for _ in range(5):
        start = _element(certificate, start)[2]
    return certificate[start : _element(certificate, start)[2]]


def _element(data: bytes, start: int) -> tuple[int, int, int]:
    """Return the tag of the DER element at *start*, and where its contents begin and end."""
    if start + 2 > len(data):
        raise ValueError("the certificate is cut short")
    length = data[start + 1]
    begin = start + 2
    if length >= _LONG:
        octets = length - _LONG
        if not 0 < octets <= _LENGTH_OCTETS:
            raise ValueError("a length that no certificate has")
        length = int.from_bytes(data[begin : begin + octets], "big")
        begin += octets
    if begin + length > len(data):
        raise ValueError("the certificate is cut short")
    return data[start], begin, begin + length
