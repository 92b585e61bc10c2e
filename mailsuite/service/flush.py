"""ETRN's answer (RFC 1985): whoever may ask has the mail that waits for a domain sent now."""

from collections.abc import Callable, Iterable, Sequence

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import IMailboxDirectory, IRouter, IRunner
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Login, Meaning, Relayed
from mailsuite.service.asking import fates
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
        """Start the queues of the event's domain and, if that is asked for, of those below it (RFC 1985 §5.3).

        That is: of those that we pass mail on for.
        """
        return then(self._may(session), lambda may: self._find(session, event) if may else replies.ETRN_NOT_ALLOWED)

    def _may(self, session: Reception) -> Maybe[bool]:
        if session.login is None or self._allowed(session.peer):
            return self._allowed(session.peer)
        # Who was suspended since is a stranger again.
        still: Maybe[Login | None] = session.role.logins.vouched(session.login.name, "smtp")
        return then(still, lambda login: login is not None)

    def _find(self, session: Reception, event: events.Etrn) -> Maybe[Reply]:
        directory = session.site.directory
        found: Maybe[Meaning] = directory.find(_any_at(event.domain))
        return then(found, lambda meaning: self._start(directory, event, meaning))

    def _start(self, directory: IMailboxDirectory, event: events.Etrn, meaning: Meaning) -> Maybe[Reply]:
        itself = [event.domain] if isinstance(meaning, Relayed) else []
        below: Maybe[Sequence[str]] = directory.relayed_below(event.domain) if event.subdomains else ()
        return then(below, lambda others: self._flush([*itself, *others]))

    def _flush(self, domains: Sequence[str]) -> Maybe[Reply]:
        destinations = dict.fromkeys(self._router.route(_any_at(domain), None).destination for domain in domains)
        return self._flush_each(destinations) if destinations else replies.ETRN_NOT_OURS

    async def _flush_each(self, destinations: Iterable[str]) -> Reply:
        count = 0
        for destination in destinations:
            for each in fates(destination):
                count += await self._runner.flush(each)
        return replies.etrn_started(count)


def _any_at(domain: str) -> Address:
    """Return an address at *domain*; any local part will do, what is asked is the way of all its mail."""
    return Address("postmaster", domain)
