"""`IAuthenticator` on the accounts file: what it takes to say yes or no, in the same time for everybody."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.directory.passwords import Checked, Passwords, UnfitHash, UnfitPassword, prepared
from mailsuite.directory.records import Credential, LoginRecord, Records
from mailsuite.directory.spelling import login_name
from mailsuite.interfaces import IAuthenticator
from mailsuite.meaning import Login

T = TypeVar("T")
Rewrite = Callable[[int, str, str], None]

_log = Logger()


class Run(Protocol):
    """Runs work in another thread: `mailsuite.directory.threads.HashingThreads.run`."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Return what *work* returns, later."""


@implementer(IAuthenticator)
class Authenticator:
    """Looks the login up on the reactor thread and checks the password in another.

    An unknown or suspended login costs the check of a hash of the current scheme that nothing fits, so that its
    answer tells nothing. *rewrite* puts a better hash in the place of an old one
    (`mailsuite.directory.rewrite.Rewriter`).
    """

    def __init__(self, records: Records, passwords: Passwords, run: Run, rewrite: Rewrite) -> None:
        self._records = records
        self._passwords = passwords
        self._run = run
        self._rewrite = rewrite
        self._decoy = Credential(0, "", passwords.hash(secrets.token_urlsafe()))

    async def authenticate(self, name: str, password: str, scope: str) -> Login | None:
        """See `IAuthenticator.authenticate`. Raises `TooBusy` when too many passwords wait to be checked."""
        try:
            prepared(password)
        except UnfitPassword:
            return None
        record = self._record(name)
        credentials = _usable(record, scope)
        right = await self._run(lambda: self._any_fits(password, credentials or (self._decoy,)))
        return record.login if record is not None and credentials and right else None

    def account(self, name: str, scope: str) -> Login | None:
        """See `IAuthenticator.account`."""
        record = self._record(name)
        return None if record is None or record.suspended else record.login

    def _record(self, name: str) -> LoginRecord | None:
        known = login_name(name)
        return None if known is None else self._records.login(known)

    def _any_fits(self, password: str, credentials: tuple[Credential, ...]) -> bool:
        return any(self._fits(password, credential) for credential in credentials)

    def _fits(self, password: str, credential: Credential) -> bool:
        try:
            checked = self._passwords.check(password, credential.stored)
        except UnfitHash as error:
            _log.error("Credential {number} is of no use: {reason}", number=credential.id, reason=str(error))
            self._passwords.check(password, self._decoy.stored)
            return False
        self._improve(credential, checked)
        return checked.right

    def _improve(self, credential: Credential, checked: Checked) -> None:
        if checked.better is None:
            return
        try:
            self._rewrite(credential.id, credential.stored, checked.better)
        except Exception:
            # The password was right: that the file is busy is no reason to refuse it. The next login tries again.
            _log.failure("The hash of credential {number} could not be renewed", number=credential.id)


def _usable(record: LoginRecord | None, scope: str) -> tuple[Credential, ...]:
    """Return the credentials good for *scope*; none of a suspended or unknown login."""
    if record is None or record.suspended:
        return ()
    return tuple(found for found in record.credentials if not found.scope or scope in found.scope.split())
