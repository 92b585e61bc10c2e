"""Logins to folders: whose they are, and which folder."""

from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailsuite.directory.folder_logins import FolderLogins
from mailsuite.interfaces import IAuthenticator
from mailsuite.meaning import Login, Mailbox, Secret
from tests.doubles_pop3 import settled

ALICE = Login(1, "alice@example.org", Mailbox(7, "example.org/alice"))
EXACT = Login(2, "alice+own@example.org", Mailbox(8, "example.org/alice+own"))
NOBODY = Login(3, "nobody@example.org", None)


@implementer(IAuthenticator)
class Fixed:
    """Knows some logins, with the password "right"; *later* answers by coroutines."""

    def __init__(self, later: bool) -> None:
        self.later = later
        self.known = {login.name: login for login in (ALICE, EXACT, NOBODY)}

    def _given(self, value: Any) -> Any:
        async def given() -> Any:
            return value

        return given() if self.later else value

    def authenticate(self, name: str, password: str, scope: str) -> Any:
        return self._given(self.known.get(name) if password == "right" else None)

    def secret(self, name: str, kind: str, scope: str) -> Any:
        return self._given(Secret(self.known.get(name), f"{kind} of {name}"))

    def account(self, name: str, scope: str) -> Any:
        return self._given(self.known.get(name))


@pytest.fixture(params=[False, True], ids=["now", "later"])
def logins(request: pytest.FixtureRequest) -> FolderLogins:
    """Logins with folders."""
    return FolderLogins(Fixed(request.param))


def test_interface(logins: FolderLogins) -> None:
    """It is an authenticator, and so is the double."""
    verifyObject(IAuthenticator, logins)
    verifyObject(IAuthenticator, Fixed(False))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("alice@example.org", ""),
        ("alice+Archive@example.org", "Archive"),
        ("alice+Archive.2024@example.org", "Archive.2024"),
        ("alice+Größe@example.org", "Größe"),
        ("alice+a+b@example.org", "a+b"),
        ("alice+inbox@example.org", ""),
    ],
)
def test_folders(logins: FolderLogins, name: str, folder: str) -> None:
    """Each way to log in comes to the same login and the same folder."""
    ways = [
        settled(logins.authenticate(name, "right", "pop3")),
        settled(logins.account(name, "pop3")),
        settled(logins.secret(name, "scram-sha-256", "pop3")).owner,
    ]

    assert ways == [Login(1, "alice@example.org", Mailbox(7, "example.org/alice", folder))] * 3


@pytest.mark.parametrize(
    "name",
    [
        "alice+@example.org", "alice+.@example.org", "alice+a..b@example.org", "alice+../../bob@example.org",
        "alice+a/b@example.org", "alice+a\0b@example.org", "alice+.a@example.org", "+Archive@example.org",
        "alice+Archive", "bob+Archive@example.org",
    ],
)
def test_what_opens_nothing(logins: FolderLogins, name: str) -> None:
    """No way out of a mailbox, and nobody who is not there."""
    assert settled(logins.authenticate(name, "right", "pop3")) is None


def test_the_password_counts(logins: FolderLogins) -> None:
    """It is the login's own."""
    assert settled(logins.authenticate("alice+Archive@example.org", "wrong", "pop3")) is None


def test_a_login_of_that_name(logins: FolderLogins) -> None:
    """It comes first."""
    assert settled(logins.authenticate("alice+own@example.org", "right", "pop3")) == EXACT


def test_only_pop3(logins: FolderLogins) -> None:
    """Nobody sends as a folder."""
    assert settled(logins.authenticate("alice+Archive@example.org", "right", "smtp")) is None


def test_login_without_a_mailbox(logins: FolderLogins) -> None:
    """It has no folders either."""
    assert settled(logins.account("nobody+Archive@example.org", "pop3")) == NOBODY


def test_secret_of_nobody(logins: FolderLogins) -> None:
    """A secret without an owner stays one."""
    assert settled(logins.secret("bob+Archive@example.org", "apop", "pop3")).owner is None
