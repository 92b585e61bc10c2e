"""Whose certificate a client has shown: by a list of fingerprints, or by the address that its issuer put in it."""

import hashlib
import re
from collections.abc import Iterable, Mapping

from cryptography import x509

from mailsuite.directory.errors import AccountsError, BadName
from mailsuite.directory.spelling import parse_address
from mailsuite.encryption import Encryption

# A list has no more lines.
LINES = 100_000

# Of a certificate that OpenSSL has taken: no such extension, two of them, a kind of name that has no reader.
_UNREADABLE = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class BadCertificateList(AccountsError):
    """The list of certificates cannot be used; the message says why."""


class Certified:
    """Names the account of a certificate: *listed* has accounts by the SHA-256 of certificates in DER, in hex.

    Who holds the key of a listed certificate is known by that, whoever has issued it and until when. With
    *by_address*, a certificate that is trusted is that of the one address in its subject alternative name (RFC 5280
    §4.2.1.6).
    """

    def __init__(self, listed: Mapping[str, str], by_address: bool) -> None:
        self._listed = listed
        self._by_address = by_address

    def __call__(self, encryption: Encryption) -> str:
        """Return the account, in key form; empty where there is none."""
        if not encryption.chain:
            return ""
        certificate = encryption.chain[0]
        named = self._listed.get(hashlib.sha256(certificate).hexdigest(), "")
        return named or (_address(certificate) if self._by_address and not encryption.trust else "")


def parse_certificate_list(lines: Iterable[str]) -> Mapping[str, str]:
    """Return accounts by fingerprints. Raises `BadCertificateList`.

    Each line has a fingerprint, with colons or without, and an address; empty lines and those that begin with ``#``
    say nothing.
    """
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        fingerprint = words[0].replace(":", "").lower()
        if len(words) != 2 or not _FINGERPRINT.fullmatch(fingerprint):
            raise BadCertificateList(f"line {number}: expected the SHA-256 of a certificate in hex, and an address")
        try:
            name = str(parse_address(words[1]))
        except BadName as error:
            raise BadCertificateList(f"line {number}: {error}") from error
        if listed.setdefault(fingerprint, name) != name:
            raise BadCertificateList(f"line {number}: this certificate is {listed[fingerprint]}'s already")
        if number > LINES:
            raise BadCertificateList(f"there are more than {LINES} lines")
    return listed


def read_certificate_list(path: str) -> Mapping[str, str]:
    """Return what the file *path* lists; nothing where *path* is empty. Raises `BadCertificateList`."""
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            return parse_certificate_list(file)
    except OSError as error:
        raise BadCertificateList(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadCertificateList(f"{path} cannot be read: {error}") from error
    except BadCertificateList as error:
        raise BadCertificateList(f"{path}: {error}") from error


def _address(certificate: bytes) -> str:
    """Return the address in *certificate*; empty where it has none, or several."""
    try:
        names = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        addresses = names.value.get_values_for_type(x509.RFC822Name)
        return str(parse_address(addresses[0])) if len(addresses) == 1 else ""
    except (ValueError, *_UNREADABLE, BadName):
        return ""
