"""`IAuthenticator` over any back end: what it takes to say yes or no, in the same time for everybody."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeGuard

from twisted.logger import Logger
from zope.interface import implementer

from mailsuite.directory.backend import Backend
from mailsuite.directory.digests import is_digest
from mailsuite.directory.errors import AccountsError
from mailsuite.directory.passwords import Checked, Passwords, UnfitHash, UnfitPassword, prepared
from mailsuite.directory.records import Credential, LoginRecord
from mailsuite.directory.remembered import Remembered, Source
from mailsuite.directory.right_passwords import RightPasswords
from mailsuite.directory.secrets import NO_SECRETS, NONE_POSSIBLE, Secrets
from mailsuite.directory.spelling import login_name
from mailsuite.directory.threads import Run
from mailsuite.interfaces import IAuthenticator
from mailsuite.maybe import Maybe, step, then, value_of
from mailsuite.meaning import Login, Secret

# Logins of which the records are kept, those that are unknown too.
LOGINS_CACHED = 10_000
# Stands for a password that the back end alone can check.
_ELSEWHERE = Credential(0, "", "")

_log = Logger()


@implementer(IAuthenticator)
class Authenticator:
    """Looks the login up in *backend*, whose *source* keeps what was seen lately, and checks the password in a thread.

    An unknown or suspended login costs the check of a hash of the current scheme that nothing fits, so that its
    answer tells nothing. What the back end renews at login is a better hash in the place of an old one, and *wanted*
    secrets beside it that are not there yet. *root* is what decoys are made of, where the back end keeps no such.

    Hashes of one round are checked in place, unless *renews* says that they are to be replaced: those of app
    passwords (`mailsuite.directory.app_passwords`) always are. A wrong password then costs as much as that of an
    unknown login, so that its answer tells nothing either. What was right is remembered for *password_ttl* seconds;
    where the back end alone can check it, no longer than any other answer of its. *used* hears of each use of an app
    password.
    """

    def __init__(
        self,
        backend: Backend,
        source: Source,
        passwords: Passwords,
        run: Run,
        wanted: Secrets | None = None,
        root: bytes = b"",
        renews: bool = True,
        password_ttl: float = 0.0,
        used: Callable[[int], None] = lambda credential: None,
    ) -> None:
        self._backend = backend
        self._source = source
        self._passwords = passwords
        self._run = run
        self._rewrite = backend.rewriter()
        self._wanted = wanted or Secrets()
        self._renews = renews
        self._used = used
        self._right = RightPasswords(source.seconds, password_ttl)
        self._right_elsewhere = RightPasswords(source.seconds, min(password_ttl, source.terms.ttl))
        self._own_root = root or secrets.token_bytes(32)
        self._root: bytes | None = None
        self._decoy = Credential(0, "", passwords.hash(secrets.token_urlsafe()))
        self._logins: Remembered[str, LoginRecord | None] = Remembered(LOGINS_CACHED, source, _may_log_in)

    def authenticate(self, name: str, password: str, scope: str) -> Maybe[Login | None]:
        """See `IAuthenticator.authenticate`.

        Raises `CannotJudge` where the back end is away, and `TooBusy` when too many passwords wait to be checked.
        """
        return step(self._authenticate(name, password, scope))

    async def _authenticate(self, name: str, password: str, scope: str) -> Login | None:
        try:
            octets = prepared(password)
        except UnfitPassword:
            return None
        record = await value_of(self._record(name))
        if _may_log_in(record) and self._right_elsewhere.holds(record.login.name, _ELSEWHERE, octets):
            return record.login
        judged = self._backend.check_password(record if _may_log_in(record) else None, password)
        if judged is not None:
            right = await value_of(judged)
            if not (_may_log_in(record) and right):
                return None
            self._right_elsewhere.keep(record.login.name, _ELSEWHERE, octets)
            return record.login
        if not _may_log_in(record):
            await self._run(lambda: self._fits(password, None, self._decoy))
            return None
        return await self._own(record, password, octets, scope)

    async def _own(self, record: LoginRecord, password: str, octets: bytes, scope: str) -> Login | None:
        """Check *password* (*octets*) against what is stored of it."""
        name, left = record.login.name, []
        for credential in record.credentials:
            if credential.scope and scope not in credential.scope.split():
                continue
            if self._right.holds(name, credential, octets) or self._fits_in_place(password, record, credential):
                return self._proved(record, credential)
            if not self._is_quick(record, credential):
                left.append(credential)
        # Whoever is wrong waits for one slow hash at least, however few or quick theirs are.
        found, outdated = await self._run(lambda: self._first_fit(password, record, left or [self._decoy]))
        if outdated:
            self._logins.forget(name)
        if found is None or found is self._decoy:
            return None
        if not outdated:
            # What could not be renewed now is tried again by the next login.
            self._right.keep(name, found, octets)
        return self._proved(record, found)

    def _proved(self, record: LoginRecord, credential: Credential) -> Login:
        if not credential.label:
            return record.login
        self._used(credential.id)
        # It is the login's own password that has to be changed.
        return replace(record.login, must_change=False) if record.login.must_change else record.login

    def _is_quick(self, record: LoginRecord, credential: Credential) -> bool:
        """Say whether to check *credential* takes no time, whatever becomes of it."""
        # To check a digest takes some microseconds, to have a thread do it a hundred.
        if not is_digest(credential.stored):
            return False
        return bool(credential.label) or not (self._renews or self._wanted.lacking(record.secrets))

    def _fits_in_place(self, password: str, record: LoginRecord, credential: Credential) -> bool:
        if not self._is_quick(record, credential):
            return False
        try:
            return self._passwords.fits(password, credential.stored)
        except UnfitHash as error:
            _complain(credential, error)
            return False

    def secret(self, name: str, kind: str, scope: str) -> Maybe[Secret]:
        """See `IAuthenticator.secret`. A secret is good for all services, as the password is that it was made of."""

        def found(record: LoginRecord | None) -> Maybe[Secret]:
            return then(self._site_root(), lambda root: self._secret(name, kind, record, root))

        return then(self._record(name), found)

    def account(self, name: str, scope: str) -> Maybe[Login | None]:
        """See `IAuthenticator.account`."""
        return then(self._record(name), lambda record: record.login if _may_log_in(record) else None)

    def _secret(self, name: str, kind: str, record: LoginRecord | None, root: bytes) -> Secret:
        # Made in any case, so that it takes its time in any case.
        decoy = self._wanted.decoy(root, kind, login_name(name) or name)
        stored = None if record is None else record.secrets.get(kind)
        if record is None or stored is None or stored == NONE_POSSIBLE:
            return Secret(None, decoy)
        return Secret(None if record.suspended else record.login, stored)

    def _site_root(self) -> Maybe[bytes]:
        if self._root is not None:
            return self._root
        return then(self._backend.site_secret(), self._keep_root)

    def _keep_root(self, root: bytes | None) -> bytes:
        self._root = root or self._own_root
        return self._root

    def _record(self, name: str) -> Maybe[LoginRecord | None]:
        known = login_name(name)
        return None if known is None else self._logins.get(known, lambda: self._backend.login(known))

    def _first_fit(
        self, password: str, record: LoginRecord, credentials: Sequence[Credential]
    ) -> tuple[Credential | None, bool]:
        """Return the first of *credentials* whose password it is, and whether what is stored of it was out of date."""
        for credential in credentials:
            right, outdated = self._fits(password, record, credential)
            if right:
                return credential, outdated
        return None, False

    def _fits(self, password: str, record: LoginRecord | None, credential: Credential) -> tuple[bool, bool]:
        try:
            checked = self._passwords.check(password, credential.stored)
        except UnfitHash as error:
            _complain(credential, error)
            self._passwords.check(password, self._decoy.stored)
            return False, False
        outdated = checked.right and record is not None and self._improve(password, record, credential, checked)
        return checked.right, outdated

    def _improve(self, password: str, record: LoginRecord, credential: Credential, checked: Checked) -> bool:
        """Renew what is stored, if it is out of date; say whether it was."""
        # A password for one device, or for some services, is not what opens all the others.
        own = not (credential.label or credential.scope)
        lacking = self._wanted.lacking(record.secrets) if own else ()
        if self._rewrite is None or (checked.better is None and not lacking) or self._source.is_away:
            return False
        try:
            made = self._wanted.make(record.login.name, password, lacking, record.secrets) if lacking else NO_SECRETS
            self._rewrite(record.login.id, credential.id, credential.stored, checked.better, made)
        except AccountsError as error:
            _log.warn("What is stored of credential {number} could not be renewed: {reason}", number=credential.id,
                      reason=str(error))  # fmt: skip
        except Exception:
            # The password was right: that the file is busy is no reason to refuse it. The next login tries again.
            _log.failure("What is stored of credential {number} could not be renewed", number=credential.id)
        return True


def _may_log_in(record: LoginRecord | None) -> TypeGuard[LoginRecord]:
    return record is not None and not record.suspended


def _complain(credential: Credential, error: UnfitHash) -> None:
    _log.error("Credential {number} is of no use: {reason}", number=credential.id, reason=str(error))
