"""The key that signs lists: made once, for its owner's eyes, never replaced."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailsuite.policy.backup_key import signing_key
from mailsuite.policy.backup_list import BadKey
from mailsuite.policy.backup_store import FOLDER


def public(folder: Path) -> bytes:
    """Return the public key of the site in *folder*."""
    return signing_key(str(folder)).public_key().public_bytes_raw()


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The second call finds it; nobody else can read it; no draft is left."""
    assert public(tmp_path) == public(tmp_path)
    assert os.listdir(tmp_path / FOLDER) == ["signing.key"]
    assert stat.S_IMODE(os.stat(tmp_path / FOLDER / "signing.key").st_mode) == 0o600


def test_each_site_has_its_own(tmp_path: Path) -> None:
    """Drawn at random."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert public(tmp_path / "a") != public(tmp_path / "b")


def test_of_two_commands_at_once_one_key_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one finds the other's and uses it."""
    first = public(tmp_path)
    monkeypatch.setattr(os.path, "exists", lambda path: False)

    assert public(tmp_path) == first


@pytest.mark.parametrize(
    "content",
    [b"", b"not a key", X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())],
)
def test_what_is_no_such_key_is_said(tmp_path: Path, content: bytes) -> None:
    """It is not replaced: lists signed with a new one would be refused."""
    public(tmp_path)
    (tmp_path / FOLDER / "signing.key").write_bytes(content)

    with pytest.raises(BadKey, match=r"signing\.key is not an? "):
        signing_key(str(tmp_path))
    assert (tmp_path / FOLDER / "signing.key").read_bytes() == content
