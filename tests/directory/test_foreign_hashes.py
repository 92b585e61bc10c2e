"""What other servers keep of a password, as their own programs have made it: it is taken, and right for that alone."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.directory import system_crypt
from mailsuite.directory.foreign_hashes import clear_text, own_form
from mailsuite.directory.passwords import Passwords, UnfitPassword
from mailsuite.directory.secrets import Secrets, keeping_hashes
from mailsuite.sasl.scram_keys import parse_scram_keys


def made_by(program: str) -> list[str]:
    """Return what *program* has made of ``secret``."""
    text = (Path(__file__).parent / "foreign_hashes.txt").read_text()
    return text.split(f"[{program}]")[1].split("\n\n")[0].splitlines()[1:]


DOVECOT, SYSTEM = made_by("dovecot"), made_by("system")
LOWER = "{ssha}B5424sARQdqrXE1ZX3Bnqb2ef0pRGq/J"


@pytest.mark.parametrize("stored", [*DOVECOT, *made_by("openssl"), *made_by("mkpasswd"), LOWER])
def test_what_others_have_made_is_a_password(passwords: Passwords, stored: str) -> None:
    """Both as it stands, and as it is kept by an import; a better hash comes with the right password."""
    kept = keeping_hashes(passwords, Secrets())("alice@example.com", stored).hashed
    for form in {stored, kept} if clear_text(stored) is None else {kept}:
        assert passwords.known(form)
        checked = passwords.check("secret", form)
        assert checked.right
        assert not passwords.check("Secret", form).right
        better = checked.better or form
        assert better.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert "secret" not in kept


@pytest.mark.skipif(not system_crypt.is_known(SYSTEM[0]), reason="the system's crypt(3) does not know yescrypt")
@pytest.mark.parametrize("stored", SYSTEM)
def test_what_only_the_system_knows(passwords: Passwords, stored: str) -> None:
    """By its own crypt(3)."""
    assert passwords.known(stored)
    assert passwords.check("secret", stored).right
    assert (passwords.check("secret", stored).better or "").startswith("$argon2id$")
    assert not passwords.check("Secret", stored).right
    damaged = stored[:-1] + ("." if stored[-1] != "." else "/")
    assert not passwords.check("secret", damaged).right


@pytest.mark.parametrize(
    "stored",
    [
        "", "secret", "{FROB}x", "{NTLM}878d8014606cda29677a44efa1353fc7", "{OTP}x", "{SHA}", "{SHA}AAAA",
        "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SSHA256.HEX}zz", "{SHA256}2bb8", "{CRAM-MD5}00", "{CRYPT}", "{CRYPT}x",
        "{PBKDF2}$1$salt$0$59bb215fe826464da1cd1938ade1649f849fe317",
        "{PBKDF2}$1$salt$99999999$59bb215fe826464da1cd1938ade1649f849fe317",
        "{DIGEST-MD5}b1726872c344b6dc8365b774f8fd6412", "{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d",
        "{PLAIN.HEX}zz", "$y$", "$y$\0", "*", "!", "{PLAIN}", "{PLAIN}a\0b",
    ],
)  # fmt: skip
def test_what_is_none_is_not_imported(passwords: Passwords, stored: str) -> None:
    """It is said so, not kept."""
    with pytest.raises(UnfitPassword):
        keeping_hashes(passwords, Secrets())("alice@example.com", stored)


def test_keys_are_kept_for_their_mechanism_too(passwords: Passwords) -> None:
    """Where the site keeps such: of SCRAM in RFC 5803's form, of CRAM-MD5; of a clear one all that is wanted."""
    wanted = Secrets(["scram-sha-256", "cram-md5"], 4096, "mail.example.com")
    keep = keeping_hashes(passwords, wanted)
    scram = next(each for each in DOVECOT if each.startswith("{SCRAM-SHA-256}"))
    cram = next(each for each in DOVECOT if each.startswith("{CRAM-MD5}"))

    (kind, stored), = keep("alice@example.com", scram).secrets.items()
    assert (kind, stored) == ("scram-sha-256", str(parse_scram_keys(scram)))
    assert stored.startswith("SCRAM-SHA-256$4096:")
    assert keep("alice@example.com", stored).secrets == {kind: stored}
    assert keep("alice@example.com", cram).secrets == {"cram-md5": cram}
    assert set(keep("alice@example.com", "{PLAIN}secret").secrets) == {"scram-sha-256", "cram-md5"}
    assert keep("alice@example.com", DOVECOT[0]).secrets == {}


@given(
    st.sampled_from(["", ".HEX", ".B64"]),
    st.sampled_from(["SSHA", "SHA256", "PLAIN", "CRAM-MD5", "PBKDF2"]),
    st.text(),
)
def test_any_text_behind_a_scheme(encoding: str, scheme: str, value: str) -> None:
    """Nothing raises; and what has our form keeps it."""
    stored = f"{{{scheme}{encoding}}}{value}"
    form = own_form(stored)

    assert own_form(form) == form
    clear_text(stored)


@given(st.text(min_size=1))
def test_a_clear_text_comes_through(password: str) -> None:
    """As it is, and by its encodings."""
    octets = password.encode("utf-8", "replace")
    assert clear_text(f"{{PLAIN}}{password}") == password
    assert clear_text(f"{{plain.b64}}{base64.b64encode(octets).decode()}") == octets.decode()
    assert clear_text(f"{{CLEAR.hex}}{octets.hex()}") == octets.decode()
