"""What types cannot say about routes: each has to lead somewhere, and no two may claim the same mail."""

from collections.abc import Iterator

from mailsuite.address import domain_key
from mailsuite.config.decoding import Problem
from mailsuite.config.forms import ip, is_domain, is_mechanism, is_pattern
from mailsuite.config.settings import RouteTable, Settings
from mailsuite.directory.spelling import shown

SOCKET = "unix:"
SMTP_PORT = 25


def route_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the routes, each alone and all together."""
    for name, route in settings.routes.items():
        for key, text in (*_host(route), *_way(route), *_login(route), *_source(route)):
            yield Problem(("routes", name, key), text)
    yield from _claims(settings.routes)


def _host(route: RouteTable) -> Iterator[tuple[str, str]]:
    if route.host.startswith(SOCKET):
        if not route.host.startswith(f"{SOCKET}/"):
            yield "host", f'"{shown(route.host)}": the path of a socket is absolute, as in unix:/run/lmtp'
        if route.protocol != "lmtp":
            yield "host", 'a socket is for another mail store: set protocol = "lmtp" too'
        if route.port:
            yield "port", "a socket has no port: remove it"
    elif route.host and ip(route.host) is None and not is_domain(route.host):
        yield "host", f'expected a host name, an IP address, or unix:/path of a socket, got "{shown(route.host)}"'


def _way(route: RouteTable) -> Iterator[tuple[str, str]]:
    socket = route.host.startswith(SOCKET)
    if route.protocol == "lmtp" and not socket:
        if not route.host:
            yield "protocol", "LMTP needs a host: no MX record leads to it"
        elif route.port in (0, SMTP_PORT):
            # RFC 2033 §5: LMTP must not be used on TCP port 25.
            yield "port", "LMTP never runs on port 25 (RFC 2033): set the port of the mail store"
    if not route.host and route.tls == "implicit":
        yield "tls", "servers that MX records name do not speak TLS from the first octet: name a host"
    if route.host and route.tls == "mta-sts":
        yield "tls", 'MTA-STS is about MX records (RFC 8461): for a host, set "verify"'
    if route.tls == "dane" and (socket or ip(route.host) is not None):
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
        if not is_mechanism(name):
            yield "mechanisms", f'"{shown(name)}" is not the name of a SASL mechanism, such as "PLAIN"'


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
