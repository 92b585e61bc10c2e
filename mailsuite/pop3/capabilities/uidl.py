"""UIDL (RFC 1939 §7, RFC 2449 §6.8): an id for each message that stays the same in every session."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.pop3 import responses
from mailsuite.pop3.command import TRANSACTION, Capability, Command, Result, Words

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


def uidl(session: "ServerSession", words: Words) -> Result:
    """UIDL [msg]."""
    drop = session.drop
    return session.list_values(words, drop.unique_ids, drop.id_rows, responses.UNIQUE_IDS_FOLLOW)


class Uidl(Capability):
    """Always offered."""

    keyword: ClassVar[str] = "UIDL"
    verbs: ClassVar[Mapping[bytes, Command]] = {b"UIDL": Command(TRANSACTION, uidl, 0, 1)}


PART = Uidl()
