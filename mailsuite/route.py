"""Where mail goes next: what the routes table or DNS say, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

# How much TLS a destination needs: none at all, what can be had, any TLS, a certificate that we trust with the right
# name, what its TLSA records say (RFC 7672), what its MTA-STS policy says (RFC 8461).
TLSLevel: TypeAlias = Literal["none", "may", "encrypt", "verify", "dane", "mta-sts"]

# What the host of a route begins with that is the path of a socket.
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we log in at a next hop. The password is read when it is needed, so that it can be changed."""

    user: str
    password_file: str
    # The mechanisms that may be used, best first; empty: all that we have.
    mechanisms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a destination. Equal *destination* means: scheduled together, connections shared.

    *host* is empty where the MX records of *domain* say where to go; else a host name, an IP address, or
    ``unix:/path`` (LMTP). *source* is the address to send from, empty for any. *private*: the next hop may be a
    loopback or private address. *backup*: we are the backup MX of *domain*.
    """

    destination: str
    domain: str
    host: str = ""
    port: int = 25
    tls: TLSLevel = "may"
    # TLS from the first octet (port 465).
    implicit: bool = False
    lmtp: bool = False
    credentials: Credentials | None = field(default=None, repr=False)
    source: str = ""
    private: bool = False
    backup: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to connect to: an IP address, or the path of a UNIX socket where *port* is 0.

    *name* is the host's name as we know it, for SNI and for people. *source* is our address (empty: any).
    *seconds* bounds the time until the connection stands. *implicit*: TLS from the first octet. *worldwide*: its
    certificate is judged by the issuers that the system trusts, whatever file of issuers the site has of its own.
    """

    address: str
    port: int
    name: str
    source: str = ""
    seconds: float = 30.0
    implicit: bool = False
    worldwide: bool = False


def source_for(address: str, sources: Sequence[str]) -> str:
    """Return the one of *sources*, IP addresses, that is of the family of *address*; empty where none is."""
    return next((source for source in sources if (":" in source) == (":" in address)), "")


class CannotConnect(Exception):
    """A connection could not be made; the text says why."""


class NoWay(CannotConnect):
    """This machine has no way to that address, of IPv6 for example: that says nothing of what is there."""
