"""What types cannot say about routes: each has to lead somewhere, and no two may claim the same mail."""

from collections.abc import Iterator

from mailsuite.address import domain_key
from mailsuite.config.decoding import Problem
from mailsuite.config.endpoints import Place, place
from mailsuite.config.forms import ip, is_pattern
from mailsuite.config.settings import Settings
from mailsuite.config.tables.delivery import OutboundTLS, RouteTable
from mailsuite.config.tables.listen import Listener
from mailsuite.directory.spelling import is_domain, shown
from mailsuite.route import UNIX
from mailsuite.sasl.choice import MECHANISMS

SMTP_PORT = 25
# RFC 8314 §7.3.
IMPLICIT_PORT = 465
# The levels of TLS that rest on a host's name.
_BY_NAME = ("verify", "implicit", "dane", "mta-sts")


def port_of(route: RouteTable, settings: Settings) -> int:
    """Return the port of a route, its default worked out."""
    if route.port:
        return route.port
    if not route.host:
        return settings.queue.remote_port
    return IMPLICIT_PORT if route.tls == "implicit" else SMTP_PORT


def tls_of(route: RouteTable, settings: Settings) -> OutboundTLS:
    """Return how much TLS a route needs, its default worked out."""
    if route.tls == "implicit":
        return "verify"
    if route.tls:
        return route.tls
    if route.host.startswith(UNIX):
        # Nobody is on the way.
        return "none"
    if route.user:
        # A password is for the one host, not for whoever answers in its place.
        return "verify"
    return "may" if route.host else settings.delivery.tls


def loops(route: RouteTable, settings: Settings) -> Iterator[tuple[str, bool]]:
    """Yield the listeners of ours to which the host of *route* leads, and whether that is sure.

    Where it is not, only the machine knows whether the address is one of its own.
    """
    address = ip(route.host)
    if address is None and domain_key(route.host) != domain_key(settings.hostname):
        return
    hop = Place("tcp", "::" if address is None else str(address), port_of(route, settings))
    for name, listener in settings.listen.items():
        for spot in _spots(listener):
            bound = ip(spot.host)
            if not hop.clashes(spot) or (address is None and bound is not None and bound.is_loopback):
                continue
            yield f"listen.{name}", address is None or address.is_loopback or address == bound


def _spots(listener: Listener) -> Iterator[Place]:
    """Yield where a listener takes mail."""
    for description in listener.endpoints if listener.service != "pop3" else ():
        try:
            yield place(description)
        except ValueError:
            continue  # a problem of its own


def route_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the routes, each alone and all together."""
    for name, route in settings.routes.items():
        for key, text in (*_host(route), *_itself(route, settings), *_way(route), *_login(route), *_source(route)):
            yield Problem(("routes", name, key), text)
    yield from _claims(settings.routes)


def _host(route: RouteTable) -> Iterator[tuple[str, str]]:
    if route.host.startswith(UNIX):
        if not route.host.startswith(f"{UNIX}/"):
            yield "host", f'"{shown(route.host)}": the path of a socket is absolute, as in unix:/run/lmtp'
        if route.protocol != "lmtp":
            yield "host", 'a socket is for another mail store: set protocol = "lmtp" too'
        if route.port:
            yield "port", "a socket has no port: remove it"
    elif route.host and ip(route.host) is None and not is_domain(route.host):
        yield "host", f'expected a host name, an IP address, or unix:/path of a socket, got "{shown(route.host)}"'


def _itself(route: RouteTable, settings: Settings) -> Iterator[tuple[str, str]]:
    for listener in [name for name, sure in loops(route, settings) if sure][:1]:
        where = f'"{shown(route.host)}" port {port_of(route, settings)}'
        yield "host", f"expected another system, got {where}, which is this one ({listener}): mail would go round"


def _way(route: RouteTable) -> Iterator[tuple[str, str]]:
    socket = route.host.startswith(UNIX)
    if route.protocol == "lmtp" and not socket:
        if not route.host:
            yield "protocol", "LMTP needs a host: no MX record leads to it"
        elif route.port in (0, SMTP_PORT):
            # RFC 2033 §5: LMTP must not be used on TCP port 25.
            yield "port", "LMTP never runs on port 25 (RFC 2033): set the port of the mail store"
    if not route.host and route.tls == "implicit":
        yield "tls", "servers that MX records name do not speak TLS from the first octet: name a host"
    if socket and route.tls in _BY_NAME:
        yield "tls", f'no certificate is for the path of a socket: expected "none" or "encrypt", got "{route.tls}"'
    elif route.host and route.tls == "mta-sts":
        yield "tls", 'MTA-STS is about MX records (RFC 8461): for a host, set "verify"'
    elif route.tls == "dane" and ip(route.host) is not None:
        yield "tls", "TLSA records are found by a host's name (RFC 7672): name the host, not its address"


def _login(route: RouteTable) -> Iterator[tuple[str, str]]:
    if route.user and not route.password_file:
        yield "user", "a login needs a password: name its file in password_file"
    if route.password_file and not route.user:
        yield "password_file", "a password needs a name to log in with: set user"
    if route.user and not route.host:
        # Whoever controls a destination's DNS would be shown the password.
        yield "user", "a password is for one host, not for all that MX records name: name a host"
    for name in route.mechanisms:
        if name not in MECHANISMS:
            ours = ", ".join(f'"{each}"' for each in MECHANISMS)
            yield "mechanisms", f'expected some of {ours}, got "{shown(name)}"'


def _source(route: RouteTable) -> Iterator[tuple[str, str]]:
    if route.source and ip(route.source) is None:
        yield "source", f'"{shown(route.source)}" is not an IP address'


def _claims(routes: dict[str, RouteTable]) -> Iterator[Problem]:
    """Look at what each route is for; what two routes claim would go by chance."""
    taken: dict[tuple[str, str], str] = {}
    for name, route in routes.items():
        if not route.recipients and not route.senders and (other := taken.setdefault(("", ""), name)) != name:
            yield Problem(("routes", name), f"routes.{other} takes all mail already: say recipients or senders")
        for key in ("recipients", "senders"):
            for pattern in getattr(route, key):
                if not is_pattern(pattern):
                    text = f'"{shown(pattern)}" is not a domain such as example.org, or .example.org for all below it'
                    yield Problem(("routes", name, key), text)
                elif (other := taken.setdefault((key, domain_key(pattern)), name)) != name:
                    yield Problem(("routes", name, key), f'"{shown(pattern)}" is one of routes.{other} already')
