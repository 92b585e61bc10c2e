"""What came of the hosts of a destination in one attempt, and what follows for mail that none of them took. Pure."""

from mailsuite.delivery import trouble
from mailsuite.delivery.mx import Hop, Missing, unfound
from mailsuite.delivery.trouble import Scope, Trouble
from mailsuite.outcome import Deferred, Failed
from mailsuite.route import Route


class Tally:
    """Troubles by the hosts that they were met at, in the order of these."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._met: list[tuple[Hop, Trouble]] = []
        self._missing: list[Missing] = []
        # Of the search itself.
        self._others: list[Trouble] = []
        self._loop: Trouble | None = None

    def missing(self, host: Missing) -> None:
        """Note that *host* has no address to try."""
        self._missing.append(host)

    def search_ended(self, trouble: Trouble) -> None:
        """Note that there may be more hosts, or that there are none."""
        self._others.append(trouble)

    def met(self, hop: Hop, trouble: Trouble) -> None:
        """Note what was met at *hop*."""
        if trouble.scope is Scope.LOOP:
            # RFC 5321 §5.1: we, and all that are no better, are discarded, with what they may have said.
            self._loop = trouble
            self._met = [each for each in self._met if each[0].rank < hop.rank]
            self._missing = [host for host in self._missing if host.rank < hop.rank]
            return
        if trouble.scope is Scope.HOST:
            # Its other addresses are the same host, which has said now what it has to say.
            self._met = [each for each in self._met if each[0].host != hop.host]
        self._met.append((hop, trouble))

    def verdict(self) -> Deferred | Failed:
        """Say what recipients get that no host took; ask after something was noted."""
        asked = {hop.host for hop, each in self._met if each.scope is not Scope.HERE}
        # That we have no way to one address of a host is nothing where another one was reached.
        troubles = [each for hop, each in self._met if each.scope is not Scope.HERE or hop.host not in asked]
        if self._missing:
            troubles.insert(0, Trouble(Scope.SESSION, unfound(self._route, self._missing)))
        troubles[:0] = self._others
        if not troubles and self._loop is not None:
            return trouble.verdict([self._loop])
        return trouble.verdict(troubles)
