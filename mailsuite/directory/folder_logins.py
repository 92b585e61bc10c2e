"""Logins to a folder: ``alice+Archive.2024@example.org`` is Alice, and opens her Maildir++ folder (``.Archive.2024``).

POP3 has one maildrop for each login (RFC 1939); this is how people get at their other folders. The password is the
login's own. A login that really has such a name comes first.
"""

from collections.abc import Callable
from dataclasses import replace

from zope.interface import implementer

from mailsuite.address import subaddress
from mailsuite.interfaces import IAuthenticator
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login, Mailbox, Secret

# The scope in which there are folders.
POP3 = "pop3"
_INBOX = "INBOX"


@implementer(IAuthenticator)
class FolderLogins:
    """See `IAuthenticator`: *authenticator*, which knows of no folders, for those who name one."""

    def __init__(self, authenticator: IAuthenticator) -> None:
        self._authenticator = authenticator

    def authenticate(self, name: str, password: str, scope: str) -> Maybe[Login | None]:
        """See `IAuthenticator.authenticate`."""
        return self._with_folder(name, scope, lambda login: self._authenticator.authenticate(login, password, scope))

    def secret(self, name: str, kind: str, scope: str) -> Maybe[Secret]:
        """See `IAuthenticator.secret`."""

        def opened(base: str, folder: str) -> Maybe[Secret]:
            return then(
                self._authenticator.secret(base, kind, scope),
                lambda secret: replace(secret, owner=_in_folder(secret.owner, folder)),
            )

        return then(self._split(name, scope), lambda parts: opened(*parts))

    def account(self, name: str, scope: str) -> Maybe[Login | None]:
        """See `IAuthenticator.account`."""
        return self._with_folder(name, scope, lambda login: self._authenticator.account(login, scope))

    def _with_folder(
        self, name: str, scope: str, ask: Callable[[str], Maybe[Login | None]]
    ) -> Maybe[Login | None]:
        def opened(parts: tuple[str, str]) -> Maybe[Login | None]:
            base, folder = parts
            return then(ask(base), lambda login: _in_folder(login, folder))

        return then(self._split(name, scope), opened)

    def _split(self, name: str, scope: str) -> Maybe[tuple[str, str]]:
        """Return the login that *name* means, and the folder; an empty one is the inbox."""
        local, at, domain = name.rpartition("@")
        base, folder = subaddress(local)
        if scope != POP3 or not (at and _is_folder(folder)):
            return name, ""

        def chosen(exact: Login | None) -> tuple[str, str]:
            if exact is not None:
                return name, ""
            return f"{base}@{domain}", "" if folder.upper() == _INBOX else folder

        return then(self._authenticator.account(name, scope), chosen)


def _is_folder(name: str) -> bool:
    """Say whether *name* can be that of a folder: parts with dots between them, and no way out of the mailbox."""
    return all(name.split(".")) and "/" not in name and name.isprintable()


def _in_folder(login: Login | None, folder: str) -> Login | None:
    if login is None or login.mailbox is None or not folder:
        return login
    return replace(login, mailbox=Mailbox(login.mailbox.id, login.mailbox.path, folder))
