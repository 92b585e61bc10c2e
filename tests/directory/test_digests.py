"""Digests of passwords, held to what the standard library makes of them."""

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.directory.digests import fits, is_digest, salted

HASHES = {"SHA": "sha1", "SSHA": "sha1", "MD5": "md5", "SMD5": "md5", "SSHA256": "sha256", "SSHA512": "sha512"}


def written(scheme: str, octets: bytes) -> str:
    """Return *octets* in the form of RFC 2307."""
    return f"{{{scheme}}}{b64encode(octets).decode()}"


@given(st.sampled_from(["SSHA", "SMD5", "SSHA256", "SSHA512"]), st.binary(min_size=1), st.binary(min_size=1))
def test_salted(scheme: str, password: bytes, salt: bytes) -> None:
    """A salt of any length; the password alone is right."""
    stored = written(scheme, hashlib.new(HASHES[scheme], password + salt).digest() + salt)

    assert is_digest(stored)
    assert fits(password, stored) is True
    assert fits(password + b"x", stored) is False
    assert fits(b"", stored) is False


@pytest.mark.parametrize("scheme", ["SHA", "MD5"])
def test_without_a_salt(scheme: str) -> None:
    """The digest of the password alone."""
    stored = written(scheme, hashlib.new(HASHES[scheme], b"secret").digest())

    assert fits(b"secret", stored) is True
    assert fits(b"Secret", stored) is False


@pytest.mark.parametrize(
    "stored",
    [
        "", "secret", "{SSHA}", "{SSHA}%%%", "{SSHA}====", "{ssha}" + "A" * 32, "{SSHA}" + "A" * 31, "{SHA512}AAAA",
        # A digest that has lost its salt, one that has one too many, and one that was cut.
        written("SSHA", bytes(20)), written("SHA", bytes(21)), written("SHA", bytes(19)),
        written("SSHA512", bytes(64)), written("SSHA", bytes(24)) + "\n",
    ],
)  # fmt: skip
def test_what_is_none(stored: str) -> None:
    """Nobody's password fits it, and it is said that it is no digest."""
    assert not is_digest(stored)
    assert fits(b"secret", stored) is None


def test_what_is_made() -> None:
    """Each time with another salt."""
    one, two = salted(b"abcde-fghij"), salted(b"abcde-fghij")

    assert one != two
    assert fits(b"abcde-fghij", one) is fits(b"abcde-fghij", two) is True
    assert fits(b"abcde-fghik", one) is False
