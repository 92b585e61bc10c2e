"""How much of a login's mail may wait for a time that it has named (FUTURERELEASE, RFC 4865 §6), or go at once."""

from typing import TYPE_CHECKING

from mailsuite.envelope import Envelope
from mailsuite.interfaces import IScheduled
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login
from mailsuite.service.smtp_records import record_limit
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.service.reception import Reception


class HoldQuota:
    """Lets *most* messages of a login wait in the queue at a time; 0: any number.

    Of those that come over several sessions at once, each session may have one more taken.
    """

    def __init__(self, queue: IScheduled, most: int) -> None:
        self._queue = queue
        self._most = most

    async def admits(self, login: Login) -> bool:
        """Say whether one more may. Raises `OSError`."""
        return not self._most or await self._queue.scheduled(login.name) < self._most


def on_quota(session: "Reception", login: Login, reply: Reply) -> Maybe[Reply]:
    """Return *reply*, to MAIL for a message that is to wait, or the refusal of one too many of *login*'s."""

    def judged(may: bool) -> Reply:
        if not may:
            record_limit(session, "held_messages")
        return reply if may else replies.TOO_MANY_HELD

    return reply if reply.code >= 400 else then(session.site.may_hold(login), judged)


def over_cap(session: "Reception", envelope: Envelope) -> str:
    """Count a message that is about to be accepted; say which cap of its login it is beyond, if it is: it is held."""
    if session.role.caps is None or session.login is None:
        return ""
    over: str = session.role.caps.judge(session.login, [recipient.address for recipient in envelope.recipients])
    if over:
        record_limit(session, "caps")
    return over
