"""Can mail be sent on as the configuration says: passwords of routes, issuers, addresses to send from?"""

import os
import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from shlex import quote

from mailsuite.address import domain_key
from mailsuite.administered import is_local
from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.config.routes import loops, port_of, tls_of
from mailsuite.config.tables.delivery import RouteTable
from mailsuite.delivery.connections import read_password
from mailsuite.outgoing import is_address_of_ours
from mailsuite.route import UNIX

# The mechanisms that show the password to the host; the others prove that we know it.
SHOWING = {"PLAIN", "LOGIN"}
# Where others find a mail server; what is on another port of this machine is more likely a filter.
MAIL_PORTS = {25, 465, 587}


def outbound(settings: Settings) -> Iterator[Finding]:
    """Look at each route, and at what holds for all deliveries."""
    if settings.delivery.ca_file:
        yield from _issuers(settings.delivery.ca_file)
    yield from _sources("delivery.source", settings.delivery.source)
    if settings.queue.delay_warning >= settings.queue.lifetime:
        text = "no sender is told of a delay: the message has failed by then"
        yield warning("queue.delay_warning", text, "set less than lifetime, or 0 to tell nobody")
    for name, route in settings.routes.items():
        where = f"routes.{name}"
        yield from _sources(f"{where}.source", [route.source] if route.source else [])
        yield from _local(where, route, settings)
        yield from _loop(where, route, settings)
        yield from _login(where, route)
        yield from _shown(where, route, settings)
        yield ok(where, f"{_whose(route)} goes to {_whither(route, settings)}")


def _issuers(path: str) -> Iterator[Finding]:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as problem:
        text = f"{path} cannot be used: {problem.strerror or problem}"
        yield error("delivery.ca_file", text, "put PEM certificates there, or remove ca_file for the system's")


def _sources(where: str, addresses: list[str]) -> Iterator[Finding]:
    for address in addresses:
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.bind((address, 0))
        except OSError as problem:
            text = f"nothing can be sent from {address}: {problem.strerror}"
            yield error(where, text, "name an address that this machine has")


def _local(where: str, route: RouteTable, settings: Settings) -> Iterator[Finding]:
    for domain in route.recipients:
        if not domain.startswith(".") and is_local(settings, domain):
            text = f"mail for {domain} goes into mailboxes of ours and never this way: it is a domain of class local"
            mend = f"mailsuite domain set {domain} --class relay, or remove it here"
            yield warning(f"{where}.recipients", text, mend)


def _loop(where: str, route: RouteTable, settings: Settings) -> Iterator[Finding]:
    """Say whether the next hop is this system, as far as only the machine knows: the rest is no configuration."""
    listeners, port = [name for name, _ in loops(route, settings)], port_of(route, settings)
    mend = "name the system that the mail is to go to"
    if listeners and is_address_of_ours(route.host):
        text = f"{route.host} port {port} is this system itself ({listeners[0]}): mail goes round"
        yield warning(f"{where}.host", text, mend)
    elif port in MAIL_PORTS and domain_key(route.host) == domain_key(settings.hostname):
        text = f"{route.host} is our own name: mail goes round if its port {port} leads to a listener of ours"
        yield warning(f"{where}.host", text, mend)


def _login(where: str, route: RouteTable) -> Iterator[Finding]:
    if not route.user:
        return
    path, where_file = route.password_file, f"{where}.password_file"
    try:
        password = read_password(path)
    except (OSError, ValueError) as problem:
        why = "it is not UTF-8" if isinstance(problem, UnicodeDecodeError) else getattr(problem, "strerror", None)
        text = f"{path} cannot be read by this user: {why or problem}"
        yield error(where_file, text, f"put the password into its first line, and chown USER {quote(path)}")
        return
    if not password:
        yield error(where_file, f"{path} has an empty first line", "put the password there")
    if os.stat(path).st_mode & 0o077:
        yield warning(where_file, f"{path} is open to other users of this machine", f"chmod 600 {quote(path)}")


def _shown(where: str, route: RouteTable, settings: Settings) -> Iterator[Finding]:
    """Say who may come to know the password beside the host that it is for."""
    if not route.user or route.host.startswith(UNIX):
        return
    tls = tls_of(route, settings)
    if tls == "none":
        yield warning(f"{where}.tls", "a login without TLS shows the password to all on the way", 'set tls = "verify"')
    elif tls in ("may", "encrypt") and (not route.mechanisms or not SHOWING.isdisjoint(route.mechanisms)):
        text = "the password is shown to whoever answers, with any certificate"
        yield warning(f"{where}.tls", text, 'set tls = "verify"')


def _whither(route: RouteTable, settings: Settings) -> str:
    if not route.host:
        return "where MX records say"
    return route.host if route.host.startswith(UNIX) else f"{route.host} port {port_of(route, settings)}"


def _whose(route: RouteTable) -> str:
    parts = [f"mail for {', '.join(route.recipients)}" if route.recipients else ""]
    parts.append(f"mail from {', '.join(route.senders)}" if route.senders else "")
    return " and ".join(filter(None, parts)) or "all other mail"
