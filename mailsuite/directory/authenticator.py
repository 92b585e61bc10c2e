"""`IAuthenticator` on the accounts file: what it takes to say yes or no, in the same time for everybody."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Protocol, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.directory.passwords import Checked, Passwords, UnfitHash, UnfitPassword, prepared
from mailsuite.directory.records import Credential, LoginRecord, Records
from mailsuite.directory.secrets import NO_SECRETS, NONE_POSSIBLE, Secrets
from mailsuite.directory.spelling import login_name
from mailsuite.interfaces import IAuthenticator
from mailsuite.meaning import Login, Secret

T = TypeVar("T")
Rewrite = Callable[[int, int, str, str | None, Mapping[str, str]], None]

_log = Logger()


class Run(Protocol):
    """Runs work in another thread: `mailsuite.directory.threads.HashingThreads.run`."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Return what *work* returns, later."""


@implementer(IAuthenticator)
class Authenticator:
    """Looks the login up on the reactor thread and checks the password in another.

    An unknown or suspended login costs the check of a hash of the current scheme that nothing fits, so that its
    answer tells nothing. *rewrite* puts a better hash in the place of an old one, and *wanted* secrets beside it that
    are not there yet (`mailsuite.directory.rewrite.Rewriter`).
    """

    def __init__(
        self, records: Records, passwords: Passwords, run: Run, rewrite: Rewrite, wanted: Secrets | None = None
    ) -> None:
        self._records = records
        self._passwords = passwords
        self._run = run
        self._rewrite = rewrite
        self._wanted = wanted or Secrets()
        self._decoy = Credential(0, "", passwords.hash(secrets.token_urlsafe()))

    async def authenticate(self, name: str, password: str, scope: str) -> Login | None:
        """See `IAuthenticator.authenticate`. Raises `TooBusy` when too many passwords wait to be checked."""
        try:
            prepared(password)
        except UnfitPassword:
            return None
        record = self._record(name)
        credentials = _usable(record, scope)
        right = await self._run(lambda: self._any_fits(password, record, credentials or (self._decoy,)))
        return record.login if record is not None and credentials and right else None

    def secret(self, name: str, kind: str, scope: str) -> Secret:
        """See `IAuthenticator.secret`. A secret is good for all services, as the password is that it was made of."""
        record = self._record(name)
        # Made in any case, so that it takes its time in any case.
        decoy = self._wanted.decoy(self._root, kind, login_name(name) or name)
        stored = None if record is None else record.secrets.get(kind)
        if record is None or stored is None or stored == NONE_POSSIBLE:
            return Secret(None, decoy)
        return Secret(None if record.suspended else record.login, stored)

    def account(self, name: str, scope: str) -> Login | None:
        """See `IAuthenticator.account`."""
        record = self._record(name)
        return None if record is None or record.suspended else record.login

    @cached_property
    def _root(self) -> bytes:
        return self._records.site_secret()

    def _record(self, name: str) -> LoginRecord | None:
        known = login_name(name)
        return None if known is None else self._records.login(known)

    def _any_fits(self, password: str, record: LoginRecord | None, credentials: tuple[Credential, ...]) -> bool:
        return any(self._fits(password, record, credential) for credential in credentials)

    def _fits(self, password: str, record: LoginRecord | None, credential: Credential) -> bool:
        try:
            checked = self._passwords.check(password, credential.stored)
        except UnfitHash as error:
            _log.error("Credential {number} is of no use: {reason}", number=credential.id, reason=str(error))
            self._passwords.check(password, self._decoy.stored)
            return False
        if checked.right and record is not None:
            self._improve(password, record, credential, checked)
        return checked.right

    def _improve(self, password: str, record: LoginRecord, credential: Credential, checked: Checked) -> None:
        # A password for one device, or for some services, is not what opens all the others.
        own = not (credential.label or credential.scope)
        lacking = self._wanted.lacking(record.secrets) if own else ()
        if checked.better is None and not lacking:
            return
        try:
            made = self._wanted.make(record.login.name, password, lacking) if lacking else NO_SECRETS
            self._rewrite(record.login.id, credential.id, credential.stored, checked.better, made)
        except Exception:
            # The password was right: that the file is busy is no reason to refuse it. The next login tries again.
            _log.failure("What is stored of credential {number} could not be renewed", number=credential.id)


def _usable(record: LoginRecord | None, scope: str) -> tuple[Credential, ...]:
    """Return the credentials good for *scope*; none of a suspended or unknown login."""
    if record is None or record.suspended:
        return ()
    return tuple(found for found in record.credentials if not found.scope or scope in found.scope.split())
