"""Tokens of the HTTP API: drawn, found, taken back."""

import os
from pathlib import Path

import pytest

from mailsuite.admin.tokens import FOLDER, MOST, USE_SECONDS, TokenError, TokenFolder

NOW = 1_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> TokenFolder:
    """The tokens of a site that has none."""
    return TokenFolder(str(tmp_path), b"root")


def test_a_token_is_found_until_it_is_removed(folder: TokenFolder) -> None:
    """With its scope, and with the time of its last use, which is written once a minute."""
    assert folder.list() == []
    token = folder.add("billing", "read", NOW)
    assert [each.last_used for each in folder.list()] == [None]

    found = folder.find(token, NOW + 5)
    assert found is not None
    assert (found.label, found.scope, found.made) == ("billing", "read", NOW)
    folder.find(token, NOW + 5 + USE_SECONDS - 1)
    assert [each.last_used for each in folder.list()] == [NOW + 5]
    folder.find(token, NOW + 5 + USE_SECONDS)
    assert [each.last_used for each in folder.list()] == [NOW + 5 + USE_SECONDS]

    folder.remove("billing")
    assert folder.find(token, NOW) is None
    assert folder.list() == []


@pytest.mark.parametrize(
    "wrong", ["", "~", "billing", "billing~", "other~x", "../billing~x", "é~x", "a\0b~x", "\udc80~x"]
)
def test_what_is_no_token(folder: TokenFolder, wrong: str) -> None:
    """Nor is one with a letter more, or one less."""
    token = folder.add("billing", "write", NOW)

    for text in (wrong, token + "x", token[:-1]):
        assert folder.find(text, NOW) is None


def test_the_secret_is_not_kept(folder: TokenFolder, tmp_path: Path) -> None:
    """What lies on the disk opens nothing, nor with another root; only its owner reads it."""
    token = folder.add("billing", "write", NOW)
    file = tmp_path / FOLDER / "billing"

    assert token.partition("~")[2] not in file.read_text()
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / FOLDER) == ["billing"]
    assert TokenFolder(str(tmp_path), b"another").find(token, NOW) is None


def test_what_is_refused(folder: TokenFolder, tmp_path: Path) -> None:
    """Labels that are none, are taken, or are one too many; and nothing is left of the try."""
    for label in ("", ".hidden", "a/b", "a b", "x" * 65, "a~b"):
        with pytest.raises(TokenError, match="no label"):
            folder.add(label, "write", NOW)
        with pytest.raises(TokenError, match="no token"):
            folder.remove(label)
    token = folder.add("x" * 64, "write", NOW)
    with pytest.raises(TokenError, match="already"):
        folder.add("x" * 64, "read", NOW)
    assert folder.find(token, NOW) is not None
    for number in range(MOST - 1):
        (tmp_path / FOLDER / f"t{number}").write_text('{"scope": "read", "made": 1, "proof": ""}')
    with pytest.raises(TokenError, match="the most"):
        folder.add("one-more", "write", NOW)


def test_a_damaged_file_opens_nothing(folder: TokenFolder, tmp_path: Path) -> None:
    """It can be removed and made anew."""
    token = folder.add("billing", "write", NOW)
    for text in ("", "{", "[]", "{}", '{"scope": "write", "made": 1}'):
        (tmp_path / FOLDER / "billing").write_text(text)
        assert folder.find(token, NOW) is None
        assert folder.list() == []
    folder.remove("billing")
    assert folder.find(folder.add("billing", "write", NOW), NOW) is not None
