"""XCLIENT (Postfix's XCLIENT_README): a listed peer says for which client it speaks, and the session begins anew.

Nothing of it is a standard. What has been said of the client before holds no more, but for address and port where
they are not said again; TLS stays that of the connection.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, ClassVar

from mailsuite.smtp import events, grammar, replies
from mailsuite.smtp.extension import Extension, Verb
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.states import State

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# Of NAME and HELO by the document; of LOGIN here.
VALUE_OCTETS = 255
# A client keeps to 512 octets a command, by the document; xtext makes three of one.
_MORE_OCTETS = 3 * VALUE_OCTETS

_HELP = ("XCLIENT attribute=value ...", "Says for which client a proxy speaks; the session begins anew")
_UNAVAILABLE = "[UNAVAILABLE]"
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")


def xclient(session: "ServerSession", argument: str) -> None:
    """XCLIENT 1*( SP name=value )."""
    if not session.proxies:
        session.refuse(replies.NO_PROXY)
        return
    try:
        event = _read(session, argument)
    except ValueError:
        session.refuse(replies.BAD_XCLIENT)
        return

    def answered(reply: Reply) -> None:
        if reply.code == 220:
            session.begin_anew(event)

    session.ask(event, answered)


def _read(session: "ServerSession", argument: str) -> events.Proxied:
    """Return what *argument* says. Raises `ValueError` where it is wrong in any part."""
    said: dict[str, Any] = {}
    for word in argument.split():
        name, equals, value = word.partition("=")
        name = name.upper()
        if not (equals and value) or name in said:
            raise ValueError(name)
        value = grammar.xtext(value)
        # None of them may be longer, nor hold what breaks a line.
        if len(value) > VALUE_OCTETS or not value.isprintable():
            raise ValueError(name)
        said[name] = _reader(name)("" if value.upper() == _UNAVAILABLE else value)
    protocol = said.get("PROTO")
    if not said or (protocol == "LMTP") > session.settings.lmtp:
        raise ValueError("PROTO")
    return events.Proxied(said.get("ADDR"), said.get("PORT"), said.get("HELO"), protocol, said.get("LOGIN"))


def _reader(name: str) -> Callable[[str], Any]:
    reader = _READERS.get(name)
    if reader is None:
        raise ValueError(name)
    return reader


def _address(value: str) -> str:
    if not value:
        return value
    if value[:5].upper() != "IPV6:":
        return str(IPv4Address(value))
    if "%" in value:
        raise ValueError(value)  # a zone means nothing on another host
    address = IPv6Address(value[5:])
    return str(address.ipv4_mapped or address)


def _port(value: str) -> int:
    if value and (_PORT.fullmatch(value) is None or int(value) > 65_535):
        raise ValueError(value)
    return int(value or 0)


def _name(value: str) -> str:
    return "" if value.upper() == "[TEMPUNAVAIL]" else _helo(value)


def _helo(value: str) -> str:
    if value and not grammar.is_host(value):
        raise ValueError(value)
    return value


def _protocol(value: str) -> str:
    if value.upper() not in ("SMTP", "ESMTP", "LMTP"):
        raise ValueError(value)
    return value.upper()


# NAME is what the client's address is called in DNS, DESTADDR and DESTPORT are ours: nobody here goes by them.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "NAME": _name,
    "ADDR": _address,
    "PORT": _port,
    "PROTO": _protocol,
    "HELO": _helo,
    "LOGIN": str,
    "DESTADDR": _address,
    "DESTPORT": _port,
}


class Xclient(Extension):
    """Offered to peers that may speak for others, until they have given an address: then that one is judged."""

    keyword: ClassVar[str] = "XCLIENT"
    # At any time but within a transaction, EHLO or not.
    verbs: ClassVar[Mapping[str, Verb]] = {
        "XCLIENT": Verb(
            xclient, frozenset({State.CONNECTED, State.READY}), more_octets=_MORE_OCTETS, help=_HELP
        )
    }

    def offered(self, session: "ServerSession") -> bool:
        """See `Extension.offered`."""
        return session.settings.xclient and super().offered(session)

    def allowed(self, session: "ServerSession") -> bool:
        """See `Extension.allowed`."""
        return session.proxies

    def offer(self, session: "ServerSession") -> str | None:
        """See `Extension.offer`."""
        return f"XCLIENT {' '.join(_READERS)}" if session.proxies else None


PART = Xclient()
