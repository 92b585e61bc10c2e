"""Makes a site on disk: configuration, certificate, mail folder and accounts, in an order that can be repeated."""

import datetime
import os
import socket
from contextlib import suppress
from dataclasses import dataclass

from mailsuite.certificates import self_signed, write_pair
from mailsuite.cli.accounts import keeper
from mailsuite.cli.template import site_text
from mailsuite.config import Settings, load
from mailsuite.directory.accounts import Accounts
from mailsuite.directory.errors import Exists
from mailsuite.directory.spelling import parse_address
from mailsuite.mailbox.layout import create_maildir
from mailsuite.mailbox.sync import sync_folders

CONFIG = "mailsuite.toml"
# As the configuration that is written has it: certificate and key.
PAIR = ("cert.pem", "key.pem")
PRIVILEGED = {"mta": 25, "submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995}
UNPRIVILEGED = {"mta": 2525, "submission": 2587, "submissions": 2465, "pop3": 2110, "pop3s": 2995}


class SiteExists(Exception):
    """The folder holds a site already; its text names the file that says so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new site is to be: *interface* is where to listen, empty for everywhere; *names* are
    further names of the certificate; *users* are addresses with passwords."""

    folder: str
    hostname: str
    domain: str
    postmaster: str
    interface: str = ""
    ports: tuple[tuple[str, int], ...] = tuple(PRIVILEGED.items())
    names: tuple[str, ...] = ()
    users: tuple[tuple[str, str], ...] = ()

    @property
    def config(self) -> str:
        """Where its configuration is written."""
        return os.path.join(self.folder, CONFIG)


def make_site(plan: Plan, now: datetime.datetime) -> Settings:
    """Make the site in its folder, which is there and ours, and return its settings.

    The configuration gets its name last: a try that failed halfway is simply repeated. Raises `SiteExists`,
    `ConfigError`, `AccountsError` or `OSError`.
    """
    if os.path.exists(plan.config):
        raise SiteExists(plan.config)
    draft = plan.config + ".new"
    with suppress(FileNotFoundError):
        os.unlink(draft)  # with whatever mode it had
    with open(draft, "x", encoding="utf-8") as file:
        file.write(site_text(plan.hostname, _endpoints(plan), plan.postmaster, allow_root=os.geteuid() == 0))
    settings = load(draft)
    if not os.path.exists(settings.tls.certificate) and not os.path.exists(settings.tls.key):
        pair = self_signed(plan.hostname, now, plan.names)
        write_pair(settings.tls.certificate, settings.tls.key, pair)
    os.makedirs(settings.store.path, mode=0o700, exist_ok=True)
    _make_accounts(settings, plan)
    os.rename(draft, plan.config)
    return settings


def _make_accounts(settings: Settings, plan: Plan) -> None:
    keep = keeper(settings)
    kept = {address: keep(str(parse_address(address)), password) for address, password in plan.users}
    with Accounts.open(settings.directory.path, create=True) as accounts:
        with suppress(Exists):
            accounts.domains.add(plan.domain, postmaster=False)
        for address in (plan.postmaster, *kept):
            with suppress(Exists):
                if address in kept:
                    accounts.users.add(address, kept[address].hashed, kept[address].secrets)
                else:
                    accounts.users.add(address)
            made = create_maildir(settings.store.path, accounts.users.show(address).mailbox)
            sync_folders(settings.store.path, settings.store.sync, made)


def _endpoints(plan: Plan) -> dict[str, str]:
    return {name: endpoint(port, plan.interface) for name, port in plan.ports}


def endpoint(port: int, interface: str) -> str:
    """Return the endpoint string for *port* of *interface*; empty means all addresses, IPv6 too where there is any."""
    if interface:
        kind = "tcp6" if ":" in interface else "tcp"
        return f"{kind}:{port}:interface=" + interface.replace(":", "\\:")
    return f"tcp6:{port}" if _has_ipv6() else f"tcp:{port}"


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
            return probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    except OSError:
        return False
