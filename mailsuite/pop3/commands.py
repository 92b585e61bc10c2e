"""The commands that every POP3 server has: RFC 1939 §5 and §6, and CAPA (RFC 2449 §5)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mailsuite.pop3 import responses
from mailsuite.pop3.command import EITHER, TRANSACTION, Command, Result, State, Words
from mailsuite.pop3.events import Update

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


def capa(session: "ServerSession", words: Words) -> Result:
    """CAPA: tells the truth of this moment, before TLS and after."""
    lines = "".join(f"{line}\r\n" for line in session.offers())
    session.list_rows(responses.CAPABILITIES_FOLLOW, iter((lines.encode("ascii"),)))
    return None


def stat(session: "ServerSession", words: Words) -> Result:
    """STAT: messages and octets without the marked ones."""
    return responses.drop_listing(session.drop.count, session.drop.octets)


def list_sizes(session: "ServerSession", words: Words) -> Result:
    """LIST [msg]."""
    drop = session.drop
    return session.list_values(words, drop.sizes, drop.size_rows, responses.contents(drop.count, drop.octets))


def retr(session: "ServerSession", words: Words) -> Result:
    """RETR msg."""
    return session.send_message(words[0])


def dele(session: "ServerSession", words: Words) -> Result:
    """DELE msg: marks; nothing is removed before QUIT."""
    found = session.drop.find(words[0])
    if not isinstance(found, int):
        return found
    session.drop.mark(found)
    return responses.MARKED


def noop(session: "ServerSession", words: Words) -> Result:
    """NOOP."""
    return responses.OK


def rset(session: "ServerSession", words: Words) -> Result:
    """RSET: takes all marks away."""
    session.drop.unmark_all()
    return responses.contents(session.drop.count, session.drop.octets)


def quit_session(session: "ServerSession", words: Words) -> Result:
    """QUIT: the one way into the UPDATE state, and from TRANSACTION alone (RFC 1939 §6)."""
    if session.state is State.AUTHORIZATION:
        return responses.GOODBYE
    session.state = State.UPDATE
    return Update(session.drop.marked())


VERBS: Mapping[bytes, Command] = {
    b"CAPA": Command(EITHER, capa),
    b"STAT": Command(TRANSACTION, stat),
    b"LIST": Command(TRANSACTION, list_sizes, 0, 1),
    b"RETR": Command(TRANSACTION, retr, 1, 1),
    b"DELE": Command(TRANSACTION, dele, 1, 1),
    b"NOOP": Command(TRANSACTION, noop),
    b"RSET": Command(TRANSACTION, rset),
    b"QUIT": Command(EITHER, quit_session),
}
