"""What other servers leave of passwords, and lists of certificates: read as what it is, or refused."""

from mailsuite.directory.certified import BadCertificateList, parse_certificate_list
from mailsuite.directory.passwords import Passwords
from mailsuite.sasl.cram_keys import parse_cram_keys
from mailsuite.sasl.digest_keys import parse_digest_keys
from mailsuite.sasl.saslprep import Unprepared, saslprep
from mailsuite.sasl.scram_keys import parse_scram_keys
from mailsuite.unitext import decode, encode
from tests.fuzz.target import Target

PASSWORDS = Passwords()


def run(data: bytes) -> None:
    """Every reader reads the same text."""
    text = data.decode("utf-8", "replace")
    for parse in (parse_scram_keys, parse_cram_keys, parse_digest_keys):
        keys = parse(text)
        assert keys is None or parse(str(keys)) == keys
    PASSWORDS.known(text)
    try:
        listed = parse_certificate_list(text.splitlines())
    except BadCertificateList:
        pass
    else:
        assert all(len(fingerprint) == 64 for fingerprint in listed)
    try:
        prepared = saslprep(text)
    except Unprepared:
        pass
    else:
        assert saslprep(prepared) == prepared
    _unitext(text)


def _unitext(text: str) -> None:
    try:
        decode(text).encode()
    except ValueError:
        pass
    for utf8 in (False, True):
        encoded = encode(text, utf8)
        assert utf8 or encoded.isascii()
        assert not encoded or "\ufffd" in text or decode(encoded) == text


PART = Target("stored", run)
