"""What types cannot say about settings: endpoints, name servers and addresses must make sense."""

from collections.abc import Iterator
from ipaddress import ip_address

from mailsuite.config.backups import backup_problems
from mailsuite.config.certificates import certificate_problems
from mailsuite.config.decoding import Problem
from mailsuite.config.domains import domain_problems
from mailsuite.config.endpoints import place
from mailsuite.config.forms import ip, is_mail_address, is_peer, network_around
from mailsuite.config.logins import login_problems
from mailsuite.config.policy import policy_problems
from mailsuite.config.routes import SMTP_PORT, route_problems
from mailsuite.config.settings import Settings
from mailsuite.config.tables.listen import Listener
from mailsuite.directory.spelling import is_domain, shown
from mailsuite.smtp.commands import EXTENSIONS

LMTP_NEEDS = ("PIPELINING", "ENHANCEDSTATUSCODES")
# The extensions that have a key of their own, and what switches them off.
_SWITCHED_BY = {"STARTTLS": 'tls = "none"', "AUTH": 'auth = "off"'}
# What a listener can be without.
SWITCHABLE = {extension.keyword for extension in EXTENSIONS} - set(_SWITCHED_BY)


def problems_of(settings: Settings) -> list[Problem]:
    """Return what is wrong with values of *settings* that have the right type and range."""
    problems: list[Problem] = []
    if not settings.listen:
        text = 'there is no listener, so nothing to serve: add a table such as [listen.mta] with service = "mta"'
        problems.append(Problem((), text))
    for name, listener in settings.listen.items():
        problems += _listener_problems(name, listener)
    problems += certificate_problems(settings)
    for server in settings.dns.servers:
        try:
            name_server(server)
        except ValueError as error:
            problems.append(Problem(("dns", "servers"), str(error)))
    people = {("directory", "postmaster"): settings.directory.postmaster, ("caps", "admin"): settings.caps.admin}
    for key, address in people.items():
        if address and not is_mail_address(address):
            text = f'expected an address such as postmaster@{settings.hostname}, got "{shown(address)}"'
            problems.append(Problem(key, text))
    if settings.srs.domain and not is_domain(settings.srs.domain):
        text = f'"{shown(settings.srs.domain)}" is not a domain name such as {settings.hostname}'
        problems.append(Problem(("srs", "domain"), text))
    if settings.submission.origin and not is_domain(settings.submission.origin):
        text = f'"{shown(settings.submission.origin)}" is not a domain name such as {settings.hostname}'
        problems.append(Problem(("submission", "origin"), text))
    problems += _source_problems(settings)
    problems += _ourselves_problems(settings)
    problems += login_problems(settings)
    problems += route_problems(settings)
    problems += backup_problems(settings)
    problems += domain_problems(settings)
    problems += policy_problems(settings)
    problems += _peer_problems(settings)
    if settings.smtp.early_talkers != "ignore" and not settings.smtp.greeting_delay:
        text = f'"{settings.smtp.early_talkers}" finds nobody unless greeting_delay gives them time to speak'
        problems.append(Problem(("smtp", "early_talkers"), text))
    return problems


def name_server(text: str) -> tuple[str, int]:
    """Return address and port of a name server. Raises `ValueError` where *text* has none."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text[1:].partition("]:" if "]:" in text else "]")
        port = port or ("53" if text.endswith("]") else "")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f'"{text}" is not an IP address, or an address and a port') from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise ValueError(f'"{text}": the port must be a number from 1 to 65535')
    return host, int(port)


def _listener_problems(name: str, listener: Listener) -> Iterator[Problem]:
    path = ("listen", name, "endpoint")
    if not listener.endpoints:
        yield Problem(path, "expected at least one endpoint string")
    for description in listener.endpoints:
        try:
            spot = place(description)
        except ValueError as error:
            yield Problem(path, f'"{description}" is not an endpoint to listen on: {error}')
            continue
        if listener.service == "lmtp" and spot.port == SMTP_PORT:
            yield Problem(path, f"port {SMTP_PORT} is that of SMTP, and LMTP must not be spoken there (RFC 2033 §5)")
        if listener.authentication == "peer" and spot.kind != "unix" and "domain=UNIX" not in description:
            yield Problem(path, f'"{description}" is no UNIX socket, and auth = "peer" goes by who has opened one')
        if listener.service == "admin" and listener.tls == "none" and not spot.is_here:
            yield Problem(
                path,
                f'"{description}" can be reached from other machines, and tokens must not cross the network in clear:'
                ' say "tcp:8025:interface=127.0.0.1", use a UNIX socket, or set tls = "implicit"',
            )
    if listener.service == "admin":
        yield from _admin_problems(name, listener)
    yield from _peer_auth_problems(name, listener)
    yield from _without_problems(("listen", name, "without"), listener)


def _peer_auth_problems(name: str, listener: Listener) -> Iterator[Problem]:
    if listener.authentication != "peer":
        return
    if listener.service != "submission":
        yield Problem(("listen", name, "auth"), '"peer" is for the service submission')
    if listener.tls != "none":
        yield Problem(("listen", name, "tls"), 'where auth = "peer" nothing leaves this machine: there is no TLS')
    if listener.proxy:
        yield Problem(("listen", name, "proxy"), 'where auth = "peer" nobody speaks for others')


def _admin_problems(name: str, listener: Listener) -> Iterator[Problem]:
    if listener.tls == "starttls":
        yield Problem(("listen", name, "tls"), 'HTTP has no STARTTLS: expected "implicit", or "none" on loopback')
    for key in ("auth", "mechanisms", "client_certificates"):
        if getattr(listener, key) not in ("", [], "off"):
            yield Problem(("listen", name, key), "the HTTP API is used by tokens alone: leave this key out")


def _without_problems(path: tuple[str, ...], listener: Listener) -> Iterator[Problem]:
    if listener.without and listener.service in ("pop3", "admin"):
        spoken = "POP3" if listener.service == "pop3" else "HTTP"
        yield Problem(path, f"these are extensions of SMTP, and this listener speaks {spoken}")
        return
    for keyword in listener.without:
        if listener.service == "lmtp" and keyword.upper() in LMTP_NEEDS:
            yield Problem(path, f"LMTP must have {keyword.upper()} (RFC 2033 §5)")
        elif keyword.upper() in _SWITCHED_BY:
            yield Problem(path, f"{keyword.upper()} is switched off by {_SWITCHED_BY[keyword.upper()]}")
        elif keyword.upper() not in SWITCHABLE:
            known = ", ".join(sorted(SWITCHABLE))
            yield Problem(path, f'"{shown(keyword)}" is no extension that there is here; these are: {known}')


def _source_problems(settings: Settings) -> Iterator[Problem]:
    path, families = ("delivery", "source"), set[int]()
    for text in settings.delivery.source:
        address = ip(text)
        if address is None:
            yield Problem(path, f'"{shown(text)}" is not an IP address')
        elif address.version in families:
            yield Problem(path, f'"{text}" is a second IPv{address.version} address: name one of each family at most')
        else:
            families.add(address.version)


def _ourselves_problems(settings: Settings) -> Iterator[Problem]:
    for text in settings.delivery.ourselves:
        if ip(text) is None and not is_domain(text):
            yield Problem(("delivery", "ourselves"), f'"{shown(text)}" is neither a host name nor an IP address')


def _peer_problems(settings: Settings) -> Iterator[Problem]:
    lists: dict[tuple[str, ...], list[str]] = {
        ("smtp", "priority_peers"): settings.smtp.priority_peers,
        ("smtp", "etrn_peers"): settings.smtp.etrn_peers,
        ("smtp", "xclient_peers"): settings.smtp.xclient_peers,
        ("limits", "exempt"): settings.limits.exempt,
    }
    for name, listener in settings.listen.items():
        lists |= {("listen", name, "peers"): listener.peers, ("listen", name, "proxy"): listener.proxy}
    for name, deny in settings.deny.items():
        lists |= {("deny", name, "networks"): deny.networks, ("deny", name, "exempt"): deny.exempt}
    for name, relay in settings.relay.items():
        lists |= {("relay", name, "networks"): relay.networks}
    for path, peers in lists.items():
        for text in peers:
            if not is_peer(text):
                forms = 'an IP address, nor a network such as 192.0.2.0/24, nor "unix"'
                whole = network_around(text)
                meant = "" if whole is None else f"; the network that it lies in is {whole}"
                yield Problem(path, f'"{shown(text)}" is not {forms}{meant}')
