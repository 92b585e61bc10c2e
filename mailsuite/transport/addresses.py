"""Addresses of connections, and the peers that they mean."""

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from mailsuite.envelope import Peer


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class ProxiedAddress:
    """The address of a client as the proxy at *via* gives it."""

    host: str
    port: int
    via: str


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class LocalAddress:
    """The user of this system at the other end of a UNIX socket: *user* is the name of *uid*."""

    user: str
    uid: int


def peer_of(address: Any) -> Peer:
    """Return who is at *address*, a Twisted address; who has none came by a UNIX socket."""
    if isinstance(address, LocalAddress):
        return Peer("unix", user=address.user, uid=address.uid)
    host = getattr(address, "host", None)
    return Peer("unix") if host is None else Peer(host, address.port, getattr(address, "via", ""))
