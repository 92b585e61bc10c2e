"""ETRN's answer (RFC 1985): whoever may ask has the mail that waits for a domain sent now."""

from collections.abc import Callable

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import IRouter, IRunner
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login, Meaning, Relayed
from mailsuite.service.reception import Reception
from mailsuite.smtp import events, replies
from mailsuite.smtp.replies import Reply


class Flush:
    """Answers ETRN. *allowed* says of a peer whether it may ask; who has logged in may."""

    def __init__(self, runner: IRunner, router: IRouter, allowed: Callable[[Peer], bool]) -> None:
        self._runner = runner
        self._router = router
        self._allowed = allowed

    def answer(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        """Start the queue of the event's domain, if it is one that we pass mail on for."""
        if not self._may(session.peer, session.login):
            return replies.ETRN_NOT_ALLOWED
        # Any local part will do: what is asked is the class of the domain.
        address = Address("postmaster", event.domain)
        found: Maybe[Meaning] = session.site.directory.find(address)
        return then(found, lambda meaning: self._start(address, meaning))

    def _may(self, peer: Peer, login: Login | None) -> bool:
        return login is not None or self._allowed(peer)

    def _start(self, address: Address, meaning: Meaning) -> Maybe[Reply]:
        if not isinstance(meaning, Relayed):
            return replies.ETRN_NOT_OURS
        destination = self._router.route(address, None).destination
        return then(self._runner.flush(destination), _started)


def _started(count: int) -> Reply:
    return replies.etrn_started(count)
