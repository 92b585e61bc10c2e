"""What an endpoint string says, without listening on it."""

import re
from dataclasses import dataclass
from typing import Any, NoReturn

from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory

from mailsuite.config.forms import ip

# Twisted has no types for it in some versions.
_parse: Any = serverFromString


# What would be an address, and no name.
_NUMBERS = re.compile(r"[0-9.]+|[^:]*:.*")
_SYSTEMD = re.compile(r"(?i:systemd):(\w+=[^:=]+(?::\w+=[^:=]+)*)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint listens: *kind* is ``tcp``, ``unix`` or ``other`` (a given socket)."""

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_here(self) -> bool:
        """Say whether it is known to be reached from this machine alone."""
        address = ip(self.host)
        return self.kind == "unix" or (self.kind == "tcp" and address is not None and address.is_loopback)

    def clashes(self, other: "Place") -> bool:
        """Say whether only one of the two can listen."""
        if self.kind != other.kind or self.kind == "other":
            return False
        if self.kind == "unix":
            return self.path == other.path
        if self.port != other.port or self.port == 0:
            return False
        return self.host == other.host or "::" in (self.host, other.host) or (
            "" in (self.host, other.host) and ":" not in self.host + other.host
        )


class _Clients(Factory):
    """Stands in for what makes the sessions of clients, of which there are none yet."""

    def buildProtocol(self, address: Any) -> NoReturn:
        """A real listener is asked for sessions when clients come; one that begins with one serves standard input."""
        raise ValueError('nobody can connect to it: expected one that waits for clients, such as "tcp:25"')


class _Sketch:
    """Stands in for a reactor and notes what it is asked to listen on."""

    def __init__(self) -> None:
        self.place = Place("other")

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        self.place = Place("tcp", host=interface, port=port)

    def listenUNIX(self, address: str, factory: Any, **options: Any) -> None:
        self.place = Place("unix", path=address)

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> None:
        self.place = Place("other")


def place(description: str) -> Place:
    """Return where *description* would listen. Raises `ValueError` that says what is wrong."""
    kind, _, rest = description.lower().partition(":")
    wrapped = rest.partition(":")[0] if kind == "haproxy" else kind
    if wrapped in ("ssl", "tls"):
        raise ValueError('write "tcp:" here and tls = "implicit" beside it')
    if kind == "systemd":
        _check_systemd(description)
        return Place("other")  # its sockets are there only under systemd
    sketch = _Sketch()
    try:
        _parse(sketch, description).listen(_Clients())
    except (ValueError, TypeError, LookupError, AttributeError, OSError) as error:
        raise ValueError(_reason(error)) from error
    host = sketch.place.host
    if _NUMBERS.fullmatch(host) and ip(host) is None:
        raise ValueError(f"interface={host} is no address: expected one of this machine, or none for all")
    if sketch.place.kind == "unix" and not sketch.place.path:
        raise ValueError("a socket needs a path, as in unix:/run/lmtp")
    if not 0 <= sketch.place.port <= 65535:
        raise ValueError(f"there is no port {sketch.place.port}")
    return sketch.place


def _check_systemd(description: str) -> None:
    """Raise `ValueError` where Twisted could not use *description* under systemd either."""
    found = _SYSTEMD.fullmatch(description)
    options = dict(part.split("=", 1) for part in found[1].split(":")) if found else {}
    domain, which = options.pop("domain", ""), sorted(options)
    if domain not in ("INET", "INET6", "UNIX") or which not in (["index"], ["name"]):
        raise ValueError("expected domain=INET, INET6 or UNIX, and index= or name=: systemd:domain=INET6:index=0")
    if not options.get("index", "0").isdecimal():
        raise ValueError("index must be a number")


def _reason(error: Exception) -> str:
    text = str(error)
    if "invalid literal for int()" in text:
        return f"expected a number, got {text.rpartition(': ')[2]}"
    if isinstance(error, TypeError) and "()" in text:
        return text.partition("() ")[2]
    return text or type(error).__name__
