"""What the sessions of a site stand on."""

from collections.abc import Callable
from dataclasses import dataclass

from mailsuite.envelope import Peer
from mailsuite.interfaces import IIntake, IMailboxDirectory, IMailLog, IMailStore, IQuotas
from mailsuite.maybe import Maybe
from mailsuite.meaning import Login
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Site:
    """What all SMTP sessions of a site share. *now* gives POSIX time, *seconds* a monotonic one."""

    hostname: str
    directory: IMailboxDirectory
    store: IMailStore
    intake: IIntake
    log: IMailLog
    now: Callable[[], float]
    seconds: Callable[[], float]
    hop_limit: int = 100
    # Who may have which priority: peer, whether it has logged in, what it wants (RFC 6710 §4.1).
    priorities: Callable[[Peer, bool, int], int] = lambda peer, logged_in, wanted: min(wanted, 0)
    # Who may have one more message wait for a time of their own (RFC 4865 §6).
    may_hold: Callable[[Login], Maybe[bool]] = lambda login: True
    quotas: IQuotas | None = None
    # What is said of a mailbox that is full.
    full: Reply = replies.MAILBOX_FULL
