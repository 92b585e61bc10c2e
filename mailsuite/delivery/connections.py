"""Opens sessions with other servers: what TLS is asked for, the connection, TLS, the login."""

import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal, Protocol

from twisted.internet.threads import deferToThread

from mailsuite.delivery import trouble
from mailsuite.delivery.asked import Strictness
from mailsuite.delivery.mx import Hop
from mailsuite.delivery.sending import Sending
from mailsuite.delivery.session import RemoteSession
from mailsuite.delivery.tls_policy import Demand
from mailsuite.delivery.trouble import Scope, SessionEnded, Trouble
from mailsuite.dns import DnsTrouble
from mailsuite.interfaces import IConnector
from mailsuite.maybe import Maybe
from mailsuite.route import UNIX, CannotConnect, Endpoint, NoWay, Route, source_for
from mailsuite.smtp.client import ClientSession
from mailsuite.smtp.client_events import ClientSettings

# A password file is read up to so many octets.
PASSWORD_OCTETS = 4096


class Demands(Protocol):
    """Says what is asked of hosts: `mailsuite.delivery.tls_policy.TLSPolicy`."""

    async def demand(
        self,
        route: Route,
        mx_secure: bool,
        policy_domain: str,
        host: str,
        host_secure: bool,
        strictness: Strictness = "",
    ) -> Demand:
        """See `TLSPolicy.demand`."""


def read_password(path: str) -> str:
    """Return the first line of the file at *path*; a byte order mark is no part of it. This waits for the disk.

    Raises `OSError`, and `ValueError` where it is no UTF-8 or no file that can be read to its end.
    """
    # A FIFO does not keep the opening.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError(f"{path} is no regular file")
        with open(fd, "rb", closefd=False) as file:
            line = file.readline(PASSWORD_OCTETS)
    finally:
        os.close(fd)
    return line.decode("utf-8-sig").rstrip("\r\n")


def _read_in_thread(path: str) -> Awaitable[str]:
    return deferToThread(read_password, path)


class Connections:
    """Opens sessions by *connector*; *demands* says what TLS has to give.

    *nonce* makes fresh random text for a login (`ClientSettings.nonce`), *read_password* reads its file:
    in a thread, where nothing else is said.
    """

    def __init__(
        self,
        connector: IConnector,
        demands: Demands,
        sending: Sending,
        nonce: Callable[[], str],
        read_password: Callable[[str], Maybe[str]] = _read_in_thread,
    ) -> None:
        self._connector = connector
        self._demands = demands
        self._sending = sending
        self._nonce = nonce
        self._read_password = read_password

    async def demand(self, route: Route, hop: Hop, strictness: Strictness = "") -> Demand | Trouble:
        """Say what is asked of the host of *hop*, or why it cannot be used now. *strictness* is the message's own."""
        host = hop.address if route.host.startswith(UNIX) else hop.host
        domain = route.host or route.domain
        try:
            demand = await self._demands.demand(route, hop.mx_secure, domain, host, hop.host_secure, strictness)
        except DnsTrouble as error:
            return trouble.unknown(hop.host, str(error))
        return trouble.unusable(hop.host, demand.skip) if demand.skip else demand

    async def open(
        self, route: Route, hop: Hop, demand: Demand, chunking: bool = True
    ) -> RemoteSession | Trouble:
        """Return a session in which messages may be sent, or why there is none. *chunking*: BDAT may be used."""
        opened = await self._open(route, hop, demand, chunking)
        if isinstance(opened, Trouble) and opened.scope is Scope.TLS and demand.tls == "may" and not route.implicit:
            # RFC 7435: where TLS was no must, a handshake that breaks is no reason to keep the mail.
            opened = await self._open(route, hop, demand, chunking, without=opened)
        return opened

    async def _open(
        self, route: Route, hop: Hop, demand: Demand, chunking: bool, without: Trouble | None = None
    ) -> RemoteSession | Trouble:
        try:
            settings = await self._settings(route, demand.tls if without is None else "none", chunking)
        except (OSError, ValueError) as error:
            return trouble.no_password(hop.host, str(error))
        core = ClientSession(settings, encrypted=route.implicit)
        session = RemoteSession(core, hop.host, hop.address, demand, without)
        try:
            await self._connector.connect(self._endpoint(route, hop, demand), core, session)
            await session.opened()
        except NoWay as error:
            return trouble.no_way(str(error))
        except CannotConnect as error:
            return trouble.unreachable(str(error))
        except SessionEnded as end:
            return session.met(end)
        return session

    async def _settings(self, route: Route, tls: Literal["none", "may", "must"], chunking: bool) -> ClientSettings:
        sending = self._sending
        settings = ClientSettings(
            sending.hostname,
            tls,
            route.lmtp,
            # What the administrator names is meant, be it a filter beside us that greets by our name.
            foreign=not route.host,
            chunking=chunking,
            greeting_timeout=sending.greeting_timeout,
            command_timeout=sending.command_timeout,
            data_timeout=sending.data_timeout,
            end_timeout=sending.end_timeout,
            transaction_timeout=sending.transaction_timeout,
        )
        login = route.credentials
        if login is None:
            return settings
        password = self._read_password(login.password_file)
        return replace(
            settings,
            user=login.user,
            password=password if isinstance(password, str) else await password,
            mechanisms=login.mechanisms,
            nonce=self._nonce(),
            # Only where the route itself says that nothing there is to be encrypted.
            clear_auth=route.tls == "none",
        )

    def _endpoint(self, route: Route, hop: Hop, demand: Demand) -> Endpoint:
        port = 0 if route.host.startswith(UNIX) else route.port
        source = route.source or source_for(hop.address, self._sending.sources)
        name = demand.sni or hop.host
        seconds = self._sending.connect_timeout
        return Endpoint(hop.address, port, name, source, seconds, route.implicit, demand.by_policy)
