"""Hashes of one round: the same answers as the library's."""

import pytest
from passlib.hash import (
    ldap_md5,
    ldap_salted_md5,
    ldap_salted_sha1,
    ldap_salted_sha256,
    ldap_salted_sha512,
    ldap_sha1,
)

from mailsuite.directory.digests import parse_digest

SCHEMES = (ldap_md5, ldap_salted_md5, ldap_salted_sha1, ldap_salted_sha256, ldap_salted_sha512, ldap_sha1)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("password", ["secret", "pässwörd", "x" * 1024])
def test_what_the_library_writes(scheme: type, password: str) -> None:
    """The password fits, and no other does: none that is longer or shorter either."""
    digest = parse_digest(scheme.hash(password))  # type: ignore[attr-defined]

    assert digest is not None
    assert digest.fits(password.encode())
    assert not digest.fits(password.encode() + b"x")
    assert not digest.fits(password.encode()[:-1])
    assert not digest.fits(b"")


@pytest.mark.parametrize(
    "form",
    ["", "{SSHA}", "{SSHA}!", "{SSHA}AAAA", "{SSHA}A", "{FOO}AAAA", "{CRAM-MD5}" + "0" * 64, "$argon2id$v=19$m=8,t=1"],
)
def test_what_is_none(form: str) -> None:
    """Others' forms, and what is too short for a digest."""
    assert parse_digest(form) is None
