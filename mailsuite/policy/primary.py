"""Who is asked by a call-out, and how: the hosts that mail for the domain would go to, one after the other."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Literal, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.encryption import Encryption
from mailsuite.interfaces import IConnector, IRespondent, IRouter
from mailsuite.policy.callout import ASKING_SECONDS, CannotAsk
from mailsuite.route import CannotConnect, Endpoint, Route, source_for
from mailsuite.smtp.probe import Probed, ProbeSession

# Hosts that one question goes to at most, and how long a connection to each may take to stand.
HOSTS = 3
CONNECT_SECONDS = 4.0

# The levels of TLS that a question can have: a certificate is not looked at, so whatever asks for a good one is not
# asked at all. A wrong "no" would cost mail.
_LEVELS: dict[str, Literal["none", "may", "must"]] = {"none": "none", "may": "may", "encrypt": "must"}


class Hop(Protocol):
    """One address to ask: *host* is the name that led to it."""

    @property
    def host(self) -> str:
        """A host name, or the address again."""

    @property
    def address(self) -> str:
        """An IP address."""


def can_ask(route: Route) -> bool:
    """Say whether a question may go the way of *route*, and its answer be believed."""
    return not (route.lmtp or route.implicit or route.credentials is not None or route.tls not in _LEVELS)


class Primary:
    """Asks the primary of a domain about an address, as `mailsuite.policy.callout.Ask`.

    *hops* gives the addresses to which mail of a route goes, the best first, none that is ourselves or a worse
    exchanger than we are; it raises `CannotConnect` where there is none. *hostname* is our name. *sources* are the
    addresses to ask from where the route names none, one of a family.
    """

    def __init__(
        self,
        router: IRouter,
        hops: Callable[[Route], AsyncGenerator[Hop, None]],
        connector: IConnector,
        hostname: str,
        clock: IReactorTime,
        sources: Sequence[str] = (),
    ) -> None:
        self._router = router
        self._hops = hops
        self._connector = connector
        self._hostname = hostname
        self._clock = clock
        self._sources = sources

    async def ask(self, domain: str, address: Address) -> bool | None:
        """Say whether the primary of *domain* takes mail for *address*; ``None`` where it does not say now.

        Raises `CannotAsk` where no host has said anything about it.
        """
        route = self._router.route(address, None)
        if not can_ask(route):
            raise CannotAsk(f"{route.destination} is not a way on which we can ask")
        end = self._clock.seconds() + ASKING_SECONDS
        why, tried = "no host of it can be reached", 0
        try:
            async with aclosing(self._hops(route)) as hops:
                async for hop in hops:
                    if tried >= HOSTS or end <= self._clock.seconds():
                        break
                    tried += 1
                    probed = await self._ask_host(route, hop, address, end)
                    if probed.known is not None or probed.spoke:
                        return probed.known
                    why = f"{hop.host}: {probed.reason}"
        except CannotConnect as error:
            why = str(error)
        raise CannotAsk(why)

    async def _ask_host(self, route: Route, hop: Hop, address: Address, end: float) -> Probed:
        level = _LEVELS[route.tls]
        probed, broke = await self._probe(route, hop, address, level, end - self._clock.seconds())
        left = end - self._clock.seconds()
        if broke and level == "may" and left > 0:
            # RFC 7435, as for mail: where TLS was no must, a handshake that breaks is no reason not to ask.
            probed, _ = await self._probe(route, hop, address, "none", left)
        return probed

    async def _probe(
        self, route: Route, hop: Hop, address: Address, level: Literal["none", "may", "must"], seconds: float
    ) -> tuple[Probed, bool]:
        """Return what came of one connection, and whether its TLS broke."""
        core = ProbeSession(self._hostname, address, seconds, level)
        listener = _Listener()
        source = route.source or source_for(hop.address, self._sources)
        place = Endpoint(hop.address, route.port, hop.host, source, min(CONNECT_SECONDS, seconds))
        try:
            await self._connector.connect(place, core, listener)
        except CannotConnect as error:
            return Probed(None, str(error)), False
        return await listener.probed, core.began_tls and not listener.encrypted


@implementer(IRespondent)
class _Listener:
    """Waits for what a `ProbeSession` tells."""

    def __init__(self) -> None:
        self.probed: Deferred[Probed] = Deferred()
        self.encrypted = False

    def respond(self, event: Any) -> Any:
        """See `IRespondent.respond`: there are no questions."""
        if isinstance(event, Probed):
            self._tell(event)

    def lost(self, reason: str, cause: str = "") -> None:
        """See `IRespondent.lost`."""
        self._tell(Probed(None, f"the connection was lost: {cause}" if cause else "the connection was lost"))

    def tls_started(self, encryption: Encryption) -> None:
        """See `IRespondent.tls_started`: any TLS will do."""
        self.encrypted = True

    def _tell(self, probed: Probed) -> None:
        # Whoever waited may have given up; and a session that has told is lost in the end, too.
        if not self.probed.called:
            self.probed.callback(probed)
