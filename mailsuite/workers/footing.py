"""What a process that serves stands on: itself, where it is the only one of its site, or its parent (`worker`)."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from mailsuite import __version__
from mailsuite.config import Settings
from mailsuite.config.endpoints import place
from mailsuite.interfaces import ISharedState
from mailsuite.mailbox.ownership import Ownership
from mailsuite.mailbox.run_mark import RunMark
from mailsuite.policy.state import MemoryState
from mailsuite.transport.certificate_watch import NOTHING_KNOWN
from mailsuite.transport.ports import CannotListen
from mailsuite.transport.unix_socket import FreshSocket

_log = Logger()


class Footing(Protocol):
    """See the module.

    *shared*: there are other processes that serve the site. *certificates* is what `CertificateWatch.told` another
    process. *signals* are those by which it is told something, and what is to be done then.
    """

    shared: bool
    certificates: Mapping[str, Sequence[bytes]]

    def endpoint(self, name: str, text: str) -> IStreamServerEndpoint:
        """Return the endpoint that *text* describes, of the listener *name*. Raises `CannotListen`."""

    def state(self, name: str) -> ISharedState:
        """Return the shared state *name*, which has bounds of its own."""

    def begin(self) -> None:
        """To be called before anything of the site is opened. Raises `OSError`, also `SiteInUse`, `HalfRestored`."""

    def committed(self) -> None:
        """A barrier has ended well."""

    def serves(self, where: str) -> None:
        """From now on mail is served at *where*."""

    def end(self) -> None:
        """To be called when everything is closed, and all that was promised is durable."""

    def signals(self, drain: Callable[[], None]) -> Mapping[int, Callable[[], None]]:
        """Return what is to be done at further signals. *drain*: take nothing new, and go when all has ended."""


class Alone:
    """The only process of its site."""

    shared = False
    certificates = NOTHING_KNOWN

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._reactor = reactor
        mark = RunMark(settings.state_dir, time.monotonic)
        self._ownership = Ownership(mark, settings.store.path, time.time)
        self.committed = mark.committed
        self.begin = self._ownership.begin
        self.end = self._ownership.end

    def endpoint(self, name: str, text: str) -> IStreamServerEndpoint:
        """See `Footing`."""
        return endpoint(self._reactor, name, text)

    def state(self, name: str) -> ISharedState:
        """See `Footing`."""
        return cast(ISharedState, MemoryState(time.monotonic))

    def serves(self, where: str) -> None:
        """See `Footing`."""
        _log.info("mailsuite {version} serves {where}", version=__version__, where=where)

    def signals(self, drain: Callable[[], None]) -> Mapping[int, Callable[[], None]]:
        """See `Footing`."""
        return {signal.SIGUSR2: _not_replaced}


def endpoint(reactor: Any, name: str, text: str) -> IStreamServerEndpoint:
    """Return the endpoint that *text* describes, of the listener *name*. Raises `CannotListen`."""
    try:
        found: IStreamServerEndpoint = serverFromString(reactor, text)
        spot = place(text)
    except Exception as error:
        # Each kind of endpoint has its own ways to fail; systemd's where systemd did not start us, say.
        raise CannotListen(f"[listen.{name}] cannot use {text!r}: {error}") from error
    return cast(IStreamServerEndpoint, FreshSocket(spot.path, found)) if spot.kind == "unix" else found


def _not_replaced() -> None:
    _log.warn("One process alone cannot be replaced while it serves: set workers in the configuration, or restart it")
