"""AUTH's claim to a login, for every SMTP role (RFC 4954 §6)."""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from mailsuite.meaning import CannotJudge, Login, Secret
from mailsuite.sasl.claims import SecretWanted
from mailsuite.service.login import GIVEN_UP, Refused
from mailsuite.service.smtp_records import record_login
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.service.reception import Reception

# What is not just wrong; in the course of an exchange too.
_REFUSALS = {
    Refused.TOO_MANY: replies.TOO_MANY_LOGINS,
    Refused.BARRED: replies.BARRED_LOGIN,
    Refused.MUST_CHANGE: replies.MUST_CHANGE,
}

_log = Logger()


async def log_in(
    session: "Reception", event: events.Authenticate | events.Consult
) -> Reply | Login | Secret | None:
    """Answer what AUTH asks. Set the session's login where a claim is good.

    Or say why not: 535, 454 where we cannot tell, 421 for guessers and who is banned. (In the course of an exchange
    ``None`` stands for 535: some mechanisms have more to say before it.)
    """
    try:
        if isinstance(event, events.Authenticate):
            return await _claimed(session, event)
        return await _consulted(session, event)
    except CannotJudge as error:
        _log.warn("Logins cannot be checked now: {reason}", reason=str(error))
        return replies.LOGIN_TROUBLE
    except Exception:
        _log.failure("Checking a login failed")
        return replies.LOGIN_TROUBLE


async def _claimed(session: "Reception", event: events.Authenticate) -> Reply:
    name = event.claim.name
    session.proved = None
    checked = await session.role.logins.check(event.claim, session.peer, "smtp")
    if isinstance(checked, Refused):
        record_login(session, name, event.mechanism, checked.value)
        return _REFUSALS.get(checked, replies.WRONG_CREDENTIALS)
    session.login = checked
    record_login(session, name, event.mechanism, None)
    return replies.AUTHENTICATED


def give_up(session: "Reception") -> None:
    """Write down an exchange that its client has ended behind a right proof: so one could try passwords unseen."""
    if session.proved is not None:
        name, mechanism = session.proved
        session.proved = None
        record_login(session, name, mechanism, GIVEN_UP)


async def _consulted(session: "Reception", event: events.Consult) -> Reply | Login | Secret | None:
    question = event.question
    if isinstance(question, SecretWanted):
        return await session.role.logins.secret(question, "smtp")
    judged = await session.role.logins.judge(question, session.peer, "smtp")
    if not isinstance(judged, Refused):
        if judged is not None:
            session.proved = (judged.name, event.mechanism)
        return judged
    record_login(session, question.name, event.mechanism, judged.value)
    return _REFUSALS.get(judged)
