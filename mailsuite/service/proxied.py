"""XCLIENT's answer: a listed peer speaks for a client, which is judged from then on."""

from typing import TYPE_CHECKING

from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login
from mailsuite.service.smtp_records import record_login
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.service.reception import Reception


def speak_for(session: "Reception", event: events.Proxied) -> Maybe[Reply]:
    """Let *session* begin anew; a login that the peer vouches for must be one of ours."""
    if not event.login:
        return session.begin_anew(event, None)
    name = event.login
    found: Maybe[Login | None] = session.role.logins.vouched(name, "smtp")
    return then(found, lambda login: _logged_in(session, event, name, login))


def _logged_in(session: "Reception", event: events.Proxied, name: str, login: Login | None) -> Reply:
    if login is None:
        record_login(session, name, "XCLIENT", "no such login")
        return replies.NO_SUCH_LOGIN
    greeting = session.begin_anew(event, login)
    record_login(session, name, "XCLIENT", None)
    return greeting
