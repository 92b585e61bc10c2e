"""Do the listeners make sense, each alone and together?"""

import os
import socket
from collections.abc import Iterator

from mailsuite.cli.checks import Finding, error, ok, warning
from mailsuite.config import Settings
from mailsuite.config.endpoints import Place, place
from mailsuite.config.forms import ip
from mailsuite.config.tables.listen import Listener
from mailsuite.reach import closed_folder
from mailsuite.smtp.commands import EXTENSIONS

FIRST_FREE_PORT = 1024
# What our users log in to.
USERS = ("submission", "pop3")


def listeners(settings: Settings) -> Iterator[Finding]:
    """Look at every listener's rules and at the places where they listen."""
    taken: list[tuple[str, Place]] = []
    for name, listener in settings.listen.items():
        where = f"listen.{name}"
        yield from _rules(where, listener)
        yield from _reach(where, listener)
        yield from _trust(where, listener.proxy)
        yield from _lost(where, listener)
        for spot in map(place, listener.endpoints):
            yield from _clashes(where, spot, taken)
            yield from _folder(where, spot)
            yield from _interface(where, spot)
            taken.append((where, spot))
        yield ok(where, f"{listener.service} on {', '.join(listener.endpoints)}, TLS {listener.tls}")
    yield from _trust("smtp.xclient_peers", settings.smtp.xclient_peers)
    yield from _privileges([spot for _, spot in taken])


def _rules(where: str, listener: Listener) -> Iterator[Finding]:
    if listener.authentication == "tls" and listener.tls == "none":
        found = error if listener.service in USERS else warning
        yield found(
            where, "nobody can log in: passwords are taken under TLS only, and there is no TLS",
            'set tls = "starttls" or "implicit"',
        )
    if listener.authentication == "off" and listener.service in USERS:
        yield error(where, "nobody can log in: auth is off", 'remove auth, or set it to "tls"')
    if listener.authentication == "always" and listener.tls != "implicit":
        yield warning(where, "passwords are taken without TLS, for all to read on the way", 'set auth = "tls"')
    if listener.service == "mta" and listener.tls == "implicit":
        yield warning(where, "other servers do not speak TLS from the first octet", 'set tls = "starttls"')


def _lost(where: str, listener: Listener) -> Iterator[Finding]:
    """What goes with an extension that is switched off, and was not named."""
    off = listener.switched_off
    lost = [extension.keyword for extension in EXTENSIONS if extension.needs & off and extension.keyword not in off]
    if lost:
        yield warning(
            f"{where}.without", f"{' and '.join(lost)} cannot be had either",
            "name what goes with it, if that is meant",
        )


def _reach(where: str, listener: Listener) -> Iterator[Finding]:
    spots = list(map(place, listener.endpoints))
    hosts = [ip(spot.host) for spot in spots if spot.kind == "tcp"]
    wide = any(host is None or not host.is_loopback for host in hosts)
    if listener.service == "lmtp" and not listener.peers and wide:
        yield warning(
            where, "only this machine may connect, though it listens for others as well",
            "list those that may in peers, or add :interface=127.0.0.1 to the endpoint",
        )
    if set(listener.peers) == {"unix"} and all(spot.kind == "tcp" for spot in spots):
        yield error(
            where, "nobody can connect: it has no UNIX socket, and peers has nothing else", "list others in peers"
        )


def _trust(where: str, peers: list[str]) -> Iterator[Finding]:
    for everybody in (text for text in peers if text.endswith("/0")):
        yield error(where, f"anybody may speak for anybody: {everybody}", "list the proxies alone")


def _clashes(where: str, spot: Place, taken: list[tuple[str, Place]]) -> Iterator[Finding]:
    for other, place_taken in taken:
        if spot.clashes(place_taken):
            shown = spot.path or f"port {spot.port}"
            yield error(where, f"{other} listens on {shown} too", "give one of them another endpoint")


def _folder(where: str, spot: Place) -> Iterator[Finding]:
    folder = os.path.dirname(spot.path)
    if not os.path.isabs(folder):
        return
    if (closed := closed_folder(spot.path)) is not None:
        yield warning(where, closed.what, closed.mend)
    elif not os.path.isdir(folder):
        yield warning(
            where, f"{folder}, the folder of its socket, is not there", "make it, or have it made at each start"
        )


def _interface(where: str, spot: Place) -> Iterator[Finding]:
    """Say whether this machine has the address: the service does not wait for one that is to come."""
    if spot.kind != "tcp" or not spot.host:
        return
    try:
        family, _, _, _, address = socket.getaddrinfo(spot.host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except OSError as problem:
        text = f"nothing can listen on {spot.host}: {problem.strerror}"
        yield error(where, text, "write interface= with an address of this machine, or leave it out for all")


def _privileges(spots: list[Place]) -> Iterator[Finding]:
    low = sorted({spot.port for spot in spots if spot.kind == "tcp" and 0 < spot.port < FIRST_FREE_PORT})
    if low and os.geteuid() != 0:
        ports = ", ".join(map(str, low))
        yield warning(
            "listen", f"ports below {FIRST_FREE_PORT} ({ports}) need privileges that this user may lack",
            "start as root with twistd --uid USER --gid GROUP, or by etc/mailsuite.service",
        )
