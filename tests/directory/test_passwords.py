"""Passwords: our own hashes, those of other servers, and what we refuse to hash."""

import base64
import hashlib
import unicodedata

import bcrypt
import pytest

from mailsuite.directory.passwords import PASSWORD_OCTETS, Checked, Passwords, UnfitHash, UnfitPassword

SALT = b"saltsalt"


def ab64(octets: bytes) -> str:
    """Return what passlib calls adapted base64."""
    return base64.b64encode(octets, altchars=b"./").decode().rstrip("=")


def pbkdf2(prefix: str, digest: str) -> str:
    """Return a PBKDF2 hash of ``secret``, made by the standard library."""
    key = hashlib.pbkdf2_hmac(digest, b"secret", SALT, 1000)
    return f"{prefix}1000${ab64(SALT)}${ab64(key)}"


def ldap(scheme: str, digest: str, salt: bytes = b"") -> str:
    """Return an LDAP hash of ``secret`` (RFC 2307 §5.3), made by the standard library."""
    octets = hashlib.new(digest, b"secret" + salt).digest() + salt
    return f"{{{scheme}}}{base64.b64encode(octets).decode()}"


# Made by glibc's crypt, by the bcrypt of OpenBSD (as PHP and Apache write it too), and published with argon2.
SHA512_CRYPT = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"
SHA256_CRYPT = "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"
BCRYPT = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
ARGON2ID = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

KNOWN = [
    ("password", ARGON2ID),
    ("U*U", f"$2a$05${BCRYPT}"),
    ("U*U", f"$2b$05${BCRYPT}"),
    ("U*U", f"$2y$05${BCRYPT}"),
    ("U*U", f"{{CRYPT}}$2b$05${BCRYPT}"),
    ("secret", SHA512_CRYPT),
    ("secret", SHA256_CRYPT),
    ("secret", f"{{CRYPT}}{SHA512_CRYPT}"),
    ("secret", f"{{CRYPT}}{SHA256_CRYPT}"),
    ("secret", pbkdf2("$pbkdf2-sha512$", "sha512")),
    ("secret", pbkdf2("$pbkdf2-sha256$", "sha256")),
    ("secret", pbkdf2("$pbkdf2$", "sha1")),
    ("secret", pbkdf2("{PBKDF2-SHA512}", "sha512")),
    ("secret", pbkdf2("{PBKDF2-SHA256}", "sha256")),
    ("secret", pbkdf2("{PBKDF2}", "sha1")),
    ("secret", ldap("SSHA512", "sha512", SALT)),
    ("secret", ldap("SSHA256", "sha256", SALT)),
    ("secret", ldap("SSHA", "sha1", SALT)),
    ("secret", ldap("SMD5", "md5", SALT)),
    ("secret", ldap("SHA", "sha1")),
    ("secret", ldap("MD5", "md5")),
]


@pytest.mark.parametrize(("password", "stored"), KNOWN)
def test_hashes_of_other_servers_are_checked_and_renewed(passwords: Passwords, password: str, stored: str) -> None:
    """A right password is right, with a better hash in place of the old one; a wrong one is wrong."""
    checked = passwords.check(password, stored)

    assert checked.right
    assert checked.better is not None
    assert checked.better.startswith("$argon2id$")
    assert passwords.check(password, checked.better) == Checked(True)
    assert passwords.check(password + "!", stored) == Checked(False)


def test_a_new_hash_is_argon2id_at_the_advised_cost() -> None:
    """19 MiB, two passes, one lane, with its own salt each time."""
    one, two = Passwords().hash("secret"), Passwords().hash("secret")

    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != two
    assert Passwords().check("secret", one) == Checked(True)
    assert Passwords().check("Secret", one) == Checked(False)


def test_a_hash_of_another_cost_is_renewed(passwords: Passwords) -> None:
    """When the cost is changed, hashes follow at the next login."""
    checked = Passwords(memory_kib=16, passes=1).check("secret", passwords.hash("secret"))

    assert checked.right
    assert checked.better is not None


def test_a_long_password_still_fits_the_bcrypt_that_cut_it(passwords: Passwords) -> None:
    """Other servers gave bcrypt the first 72 octets; its replacement takes all of them."""
    password = "x" * 100
    stored = bcrypt.hashpw(password[:72].encode(), bcrypt.gensalt(4)).decode()
    checked = passwords.check(password, stored)

    assert checked.right
    assert checked.better is not None
    assert not passwords.check(password[:72], checked.better).right
    assert passwords.check("y" * 100, stored) == Checked(False)


@pytest.mark.parametrize("stored", ["", "!", "*", "secret", "{PLAIN}secret", "{SSHA}%%%", "$6$", "$argon2id$v=19$m=8"])
def test_a_stored_form_that_nobody_can_check_is_said(passwords: Passwords, stored: str) -> None:
    """A locked or damaged entry is no password at all, and never a plain text to be compared."""
    with pytest.raises(UnfitHash):
        passwords.check("secret", stored)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "empty"),
        ("a\0b", "control"),
        ("\ta", "control"),
        ("a\u0085", "control"),
        ("ä\u2028b", "control"),
        ("ä\ue000", "RFC 4013"),
        ("x" * (PASSWORD_OCTETS + 1), "1024 octets"),
        ("ß" * (PASSWORD_OCTETS // 2 + 1), "1024 octets"),
        ("x\ud800", "UTF-8"),
    ],
)
def test_what_cannot_be_a_password_is_refused_before_it_is_hashed(
    passwords: Passwords, password: str, told: str
) -> None:
    """The message says why, and does not say the password."""
    for ask in (passwords.hash, lambda text: passwords.check(text, ARGON2ID)):
        with pytest.raises(UnfitPassword, match=told) as refused:
            ask(password)
        assert not password or password not in str(refused.value)


def test_a_password_may_be_as_long_as_the_limit(passwords: Passwords) -> None:
    """The last octet counts."""
    password = "x" * PASSWORD_OCTETS
    stored = passwords.hash(password)

    assert passwords.check(password, stored).right
    assert not passwords.check(password[:-1] + "y", stored).right


def test_spaces_and_pictures_are_of_a_password(passwords: Passwords) -> None:
    """RFC 6856 §2.2 has some characters refused, and no others."""
    joined = ("a\u200cb", "\U0001f468\u200d\U0001f4bb", "\ufeffa")
    for password in ("two words", "drei\u00a0W\u00f6rter", "\U0001f511 key", *joined):
        assert passwords.check(password, passwords.hash(password)).right


def test_both_forms_of_an_accent_are_one_password(passwords: Passwords) -> None:
    """Keyboards differ in Unicode form; hashes are of NFC."""
    stored = passwords.hash(unicodedata.normalize("NFD", "Zoë"))

    assert passwords.check(unicodedata.normalize("NFC", "Zoë"), stored).right


def test_no_secret_is_shown(passwords: Passwords) -> None:
    """A result that is printed by mistake shows no hash."""
    assert "argon2" not in repr(passwords.check("secret", SHA512_CRYPT))


@pytest.mark.parametrize("stored", [ldap("SSHA", "sha1", SALT), SHA512_CRYPT])
def test_hashes_that_are_left_as_they_are(stored: str) -> None:
    """Where another server uses what is stored, nothing comes in its place; a wrong password is wrong."""
    passwords = Passwords(renew=False)

    assert passwords.check("secret", stored) == Checked(True)
    assert passwords.check("secrets", stored) == Checked(False)
