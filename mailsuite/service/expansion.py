"""EXPN's answer (RFC 5321 §3.5): the members of an alias, for those who have logged in (§7.3)."""

from collections.abc import Sequence

from mailsuite.address import Address
from mailsuite.maybe import Maybe, then
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, grammar, replies
from mailsuite.smtp.replies import Reply

# No real address is longer; the limits of RCPT are the session's, this only bounds a question.
PATH = 512


def expand(session: Reception, event: events.Expand) -> Maybe[Reply]:
    """Return the reply: who has not logged in is told nothing."""
    if session.login is None:
        return replies.CANNOT_VERIFY
    text = event.text.removeprefix("<").removesuffix(">")
    # RFC 5321 §3.5.1: a user name stands for itself; it is one of the domain that the asker belongs to.
    address = _address(text) or _address(f"{text}@{session.login.name.rpartition('@')[2]}")
    if address is None:
        return replies.UNKNOWN_LIST
    return then(session.site.directory.expand(address), lambda members: _members(members, event.utf8))


def _address(text: str) -> Address | None:
    try:
        # RFC 6531 §3.7.4.2: the question may have any letters, whatever the answer may have.
        return grammar.mailbox(f"<{text}>", PATH, PATH, PATH, utf8=True)
    except (grammar.TooLong, grammar.BadDomain):
        return None


def _members(members: Sequence[Address] | None, utf8: bool) -> Reply:
    if not members:
        return replies.UNKNOWN_LIST
    if utf8:
        # RFC 6531 §3.7: with it, a domain is shown as U-labels.
        return Reply(250, "2.1.5", *(f"<{member.in_u_labels}>" for member in members))
    if any(member.needs_utf8 for member in members):
        return replies.NEEDS_UTF8_REPLY
    return Reply(250, "2.1.5", *(f"<{member.in_a_labels}>" for member in members))
