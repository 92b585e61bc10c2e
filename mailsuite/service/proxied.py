"""XCLIENT's answer: a listed peer speaks for a client, which is judged from then on."""

from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login
from mailsuite.service.login import Logins
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply


def speak_for(logins: Logins, session: Reception, event: events.Proxied) -> Maybe[Reply]:
    """Let *session* begin anew; a login that the peer vouches for must be one of ours."""
    if not event.login:
        return session.begin_anew(event, None)
    name = event.login
    found: Maybe[Login | None] = logins.vouched(name, "smtp")
    return then(found, lambda login: _logged_in(session, event, name, login))


def _logged_in(session: Reception, event: events.Proxied, name: str, login: Login | None) -> Reply:
    if login is None:
        session.record_login(name, "XCLIENT", "no such login")
        return replies.NO_SUCH_LOGIN
    greeting = session.begin_anew(event, login)
    session.record_login(name, "XCLIENT", None)
    return greeting
