"""``mailsuite settings``: what to type into a mail program."""

from dataclasses import asdict, dataclass

import click

from mailsuite.cli.output import as_json, print_json, print_table
from mailsuite.cli.owners import user
from mailsuite.cli.site import with_site
from mailsuite.config import Settings
from mailsuite.config.endpoints import place
from mailsuite.config.forms import ip
from mailsuite.config.tables.listen import Listener

SECURITY = {"none": "none", "starttls": "STARTTLS", "implicit": "SSL/TLS"}
PURPOSE = {"submission": "outgoing, SMTP", "pop3": "incoming, POP3"}


@dataclass(frozen=True, slots=True)
class Access:
    """One way in for a mail program: the fields that its account dialog asks for."""

    mail: str
    server: str
    port: int
    security: str
    user_name: str
    password: str


@click.command()
@click.argument("address", required=False)
@as_json
@with_site
def settings(settings: Settings, address: str | None, as_json: bool) -> None:
    """Print what to type into a mail program for the user ADDRESS."""
    name = "ADDRESS"
    if address is not None:
        name = user(settings, address).name
    ways = accesses(settings, name)
    if as_json:
        print_json([asdict(way) for way in ways])
    else:
        print_accesses(ways)


def print_accesses(ways: list[Access]) -> None:
    """Print *ways* as a table."""
    rows = [list(asdict(way).values()) for way in ways]
    print_table(["Mail", "Server", "Port", "Security", "User name", "Password"], rows)


def accesses(settings: Settings, address: str) -> list[Access]:
    """Return the ways into the site for a user's mail program, the safer of two kinds first."""
    ways = [
        Access(PURPOSE[listener.service], server(settings, where.host), where.port,
               SECURITY[listener.tls], address, _password(listener))
        for listener in settings.listen.values()
        if listener.service in PURPOSE and listener.authentication != "off"
        for where in map(place, listener.endpoints)
        if where.kind == "tcp"
    ]
    return sorted(dict.fromkeys(ways), key=lambda way: (way.mail, way.security != "SSL/TLS"))


def server(settings: Settings, interface: str) -> str:
    """Return the name by which clients reach *interface*: our host name, but for loopback, by address or name."""
    address = ip(interface.partition("%")[0])
    labels = interface.lower().split(".")
    # With names below it (pop.localhost), and as many a hosts file has it (localhost.localdomain).
    here = address.is_loopback if address is not None else "localhost" in (labels[0], labels[-1])
    return interface if here else settings.hostname


def _password(listener: Listener) -> str:
    return "normal" if listener.tls != "none" else "normal, unprotected"
