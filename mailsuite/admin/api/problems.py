"""What is answered where something cannot be done: problem details (RFC 9457), with the texts that commands print."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from mailsuite.admin.bans import BadBan
from mailsuite.admin.destinations import NoDestination, NotHeld
from mailsuite.admin.sharing import InTheWay
from mailsuite.directory import errors as accounts
from mailsuite.directory.passwords import UnfitPassword
from mailsuite.meaning import CannotJudge
from mailsuite.policy.ban_file import BanFileError
from mailsuite.queue.errors import NotQueued, QueueError

UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE
UNFIT = HTTPStatus.UNPROCESSABLE_ENTITY

# The first that fits holds.
STATUSES: Mapping[type[Exception], HTTPStatus] = {
    accounts.NoSuch: HTTPStatus.NOT_FOUND,
    NotQueued: HTTPStatus.NOT_FOUND,
    accounts.Exists: HTTPStatus.CONFLICT,
    accounts.StillNeeded: HTTPStatus.CONFLICT,
    accounts.WrongClass: HTTPStatus.CONFLICT,
    accounts.ReadOnly: HTTPStatus.NOT_IMPLEMENTED,
    accounts.NoAccounts: UNAVAILABLE,
    accounts.OlderSchema: UNAVAILABLE,
    accounts.NewerSchema: UNAVAILABLE,
    accounts.AccountsBusy: UNAVAILABLE,
    accounts.AccountsError: UNFIT,
    CannotJudge: UNAVAILABLE,
    QueueError: UNAVAILABLE,
    BanFileError: UNAVAILABLE,
    BadBan: UNFIT,
    InTheWay: HTTPStatus.CONFLICT,
    NoDestination: UNFIT,
    NotHeld: HTTPStatus.NOT_FOUND,
    UnfitPassword: UNFIT,
    # A disk that is full, or a folder that is not there.
    OSError: UNAVAILABLE,
    msgspec.ValidationError: UNFIT,
    msgspec.DecodeError: HTTPStatus.BAD_REQUEST,
}


class Problem(Exception):
    """An answer other than that all is well; *detail* says what was expected. *headers* go with it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.headers = headers or {}

    def body(self) -> bytes:
        """Return it as ``application/problem+json``."""
        return msgspec.json.encode(
            {"type": "about:blank", "title": self.status.phrase, "status": self.status.value, "detail": self.detail}
        )


def problem(error: Exception) -> Problem | None:
    """Return what is answered where *error* was raised; ``None`` for one that nobody expects."""
    if isinstance(error, Problem):
        return error
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return Problem(status, str(error), {"Retry-After": "10"} if status == UNAVAILABLE else None)
    return None
