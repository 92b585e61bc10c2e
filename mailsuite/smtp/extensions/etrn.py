"""ETRN (RFC 1985): whoever may ask has the mail that waits for a domain sent now, over a connection of ours."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp import events, replies
from mailsuite.smtp.extension import Extension, Verb
from mailsuite.smtp.states import READY

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# A fully qualified domain name (RFC 1985 §5): labels of at most 63 octets (RFC 1035 §2.3.4), two of them at least.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HELP = ("ETRN domain, or ETRN @domain", "Has mail that waits for the domain, or for all below it too, sent now")
_NODE = re.compile(rf"(@?)({_LABEL}(?:\.{_LABEL})+)")


def etrn(session: "ServerSession", argument: str) -> None:
    """ETRN node, @node or #queue (RFC 1985 §5, §5.3)."""
    if not argument:
        session.refuse(replies.ETRN_NEEDS_NODE)
        return
    if argument.startswith("#"):
        # RFC 1985 §5.3: what queues there are beside those of domains is a local matter; here are none.
        session.refuse(replies.ETRN_NO_QUEUE)
        return
    found = _NODE.fullmatch(argument)
    if found is None or len(found[2]) > session.settings.limits.domain:
        session.refuse(replies.ETRN_BAD_NODE)
        return
    session.ask(events.Etrn(found[2], found[1] == "@"))


class RemoteQueue(Extension):
    """Offered to all by an MTA; who may ask is the respondent's to say."""

    keyword: ClassVar[str] = "ETRN"
    # RFC 1985 §5: not within a transaction.
    verbs: ClassVar[Mapping[str, Verb]] = {"ETRN": Verb(etrn, READY, guarded=True, help=_HELP)}


PART = RemoteQueue()
