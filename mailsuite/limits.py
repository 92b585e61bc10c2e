"""Puts together quotas of mailboxes, caps on submission, and who is told of them, for `mailsuite.app`."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from mailsuite.address import Address
from mailsuite.config import Settings
from mailsuite.directory.spelling import parse_address
from mailsuite.interfaces import ISharedState
from mailsuite.mailbox.content import InThread
from mailsuite.mailbox.maildirsize import Ledger, Usage
from mailsuite.mailbox.quota_rules import Rules
from mailsuite.mailbox.quotas import Quotas
from mailsuite.mailbox.store import Clocks
from mailsuite.meaning import Cap, Counted, Login, Mailbox, Quota
from mailsuite.policy.caps import DAY, HOUR, Caps
from mailsuite.service.notices import Notices, Submit, Texts
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply


def ledger(settings: Settings) -> Ledger:
    """Return what counts mailboxes."""
    return Ledger(settings.quota.count_trash)


def quota_rules(settings: Settings) -> Rules:
    """Return what holds of quotas for all mailboxes."""
    quota = settings.quota
    return Rules(Quota(quota.octets, quota.messages), quota.unknown_size, tuple(sorted(set(quota.warn_at))))


def full(settings: Settings) -> Reply:
    """Return what is said of a mailbox that is full."""
    return replies.MAILBOX_FULL if settings.quota.full == "defer" else replies.MAILBOX_FULL_FOR_GOOD


def notices(settings: Settings, submit: Submit, now: Callable[[], float]) -> Notices:
    """Return what tells people by mail."""
    texts = Texts(settings.quota.warning_subject, settings.quota.warning_text)
    admin = parse_address(settings.caps.admin) if settings.caps.admin else _postmaster(settings)
    return Notices(settings.hostname, submit, now, lambda: secrets.token_hex(12), texts, admin)


def quotas(
    settings: Settings, ledger: Ledger, state: ISharedState, in_thread: InThread, clocks: Clocks, notices: Notices
) -> Quotas:
    """Return what knows of room in mailboxes."""

    def warn(mailbox: Mailbox, usage: Usage, quota: Quota, level: int) -> None:
        _begin(notices.nearly_full(mailbox, usage.octets, usage.messages, quota))

    return Quotas(settings.store.path, ledger, quota_rules(settings), state, in_thread, clocks, warn)


def caps(settings: Settings, state: ISharedState, notices: Notices) -> Caps:
    """Return what holds mail that is too much."""

    def tell(login: Login, reason: str) -> None:
        _begin(notices.held(login, reason))

    return Caps(default_caps(settings), state, tell)


def default_caps(settings: Settings) -> list[Cap]:
    """Return the caps of every login."""
    found: list[tuple[Counted, int, int]] = [
        ("messages", HOUR, settings.caps.messages_hour),
        ("messages", DAY, settings.caps.messages_day),
        ("recipients", HOUR, settings.caps.recipients_hour),
        ("recipients", DAY, settings.caps.recipients_day),
    ]
    return [Cap(counted, seconds, most) for counted, seconds, most in found if most]


def _postmaster(settings: Settings) -> Address | None:
    return parse_address(settings.directory.postmaster) if settings.directory.postmaster else None


def _begin(telling: Awaitable[None]) -> None:
    """Let it go on by itself; what a transaction waits for is not this."""
    coroutine: Any = telling
    Deferred.fromCoroutine(coroutine)
