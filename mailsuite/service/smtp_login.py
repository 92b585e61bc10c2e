"""AUTH's claim to a login, for every SMTP role (RFC 4954 §6)."""

from twisted.logger import Logger

from mailsuite.service.login import Logins, Refused
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply

_log = Logger()


async def log_in(logins: Logins, session: Reception, event: events.Authenticate) -> Reply:
    """Check the claim; set the session's login, or say why not: 535, 454 where we cannot tell, 421 for guessers."""
    name = event.claim.name
    try:
        checked = await logins.check(event.claim, session.peer, "smtp")
    except Exception:
        _log.failure("Checking a login failed")
        return replies.LOGIN_TROUBLE
    if isinstance(checked, Refused):
        session.record_login(name, event.mechanism, checked.value)
        return replies.TOO_MANY_LOGINS if checked is Refused.TOO_MANY else replies.WRONG_CREDENTIALS
    session.login = checked
    session.record_login(name, event.mechanism, None)
    return replies.AUTHENTICATED
