"""``python -m benchmarks.peers.aiosmtpd_server CONFIG``: what somebody would write upon aiosmtpd."""

import asyncio
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from benchmarks.accounts import HOSTNAME, PASSWORD, salted
from benchmarks.peers.python import Config, Store

_KEPT = salted(PASSWORD)


class Durable:
    """The handler. All sessions share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(16)
        self.sessions = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Take mail for our users."""
        if self._store.user(address) is None:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Store, then answer."""
        users = [user for address in envelope.rcpt_tos if (user := self._store.user(address))]
        trace = f"Return-Path: <{envelope.mail_from}>\r\nReceived: from {session.host_name} by {HOSTNAME}\r\n"
        content = trace.encode() + envelope.original_content
        if self.sessions > 1:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._store.put, users, content)
        else:
            self._store.put(users, content)
        return "250 OK"


def _authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and salted(data.password.decode()) == _KEPT
    return AuthResult(success=good)


class Counted(SMTP):
    """A session that is counted while it is open."""

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        self.event_handler.sessions += 1
        super().connection_made(transport)

    def connection_lost(self, error: Any) -> None:
        """See `asyncio.Protocol`."""
        self.event_handler.sessions -= 1
        super().connection_lost(error)


async def _serve() -> None:
    config = Config()
    handler = Durable(Store(config))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(config.certificate, config.key)
    loop = asyncio.get_running_loop()
    common: dict[str, Any] = {"hostname": HOSTNAME, "data_size_limit": 50_000_000, "enable_SMTPUTF8": True}

    def inbound() -> SMTP:
        return Counted(handler, **common)

    def submission() -> SMTP:
        return Counted(handler, tls_context=tls, authenticator=_authenticate, auth_required=True, **common)

    servers: Sequence[asyncio.Server] = [
        await loop.create_server(factory, "127.0.0.1", port, backlog=1024)
        for factory, port in ((inbound, config.smtp), (submission, config.submission))
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve())
