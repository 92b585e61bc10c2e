"""One try to deliver a message along one route: a session that waits, else host by host."""

from collections.abc import MutableMapping, Sequence
from contextlib import aclosing

from mailsuite.delivery import trouble
from mailsuite.delivery.body import Body, ContentTrouble
from mailsuite.delivery.connections import Connections
from mailsuite.delivery.mx import Hop, Lookup, Nowhere, next_hops
from mailsuite.delivery.pool import Pool
from mailsuite.delivery.sending import Sending
from mailsuite.delivery.session import RemoteSession
from mailsuite.delivery.tls_policy import Demand
from mailsuite.delivery.transactions import fit, together, unsendable
from mailsuite.delivery.trouble import CLOSING, Scope, SessionEnded, Trouble
from mailsuite.outcome import Deferred, Failed, Outcome
from mailsuite.queued import Job
from mailsuite.route import Route
from mailsuite.smtp.client_commands import BAD_ADDRESS, NEEDS_SMTPUTF8
from mailsuite.smtp.client_events import Ended, Stage


class Attempt:
    """Tries the recipients of *job* at *indexes*, which have the same *route*.

    Only what is the trouble of a connection leads to the next address: what was said of the message or of a recipient
    holds. *outcomes* is filled.
    """

    def __init__(
        self,
        job: Job,
        indexes: Sequence[int],
        route: Route,
        body: Body,
        outcomes: MutableMapping[int, Outcome],
        network: "Network",
    ) -> None:
        self._job = job
        self._route = route
        self._body = body
        self._outcomes = outcomes
        self._network = network
        # Recipients whose fate is open, and those of them that the transaction under way is for.
        self._pending = list(indexes)
        self._batch: Sequence[int] = ()
        self._most = network.sending.recipients

    async def run(self) -> None:
        """Return when every recipient has its outcome. Never raises for what the other end does."""
        message, recipients = self._job.message, self._job.recipients
        for index in self._pending:
            failed = unsendable(message.reverse_path, recipients[index])
            if failed is not None:
                self._outcomes[index] = failed
        self._forget_settled()
        session = self._network.pool.take(self._route) if self._pending else None
        if session is not None:
            await self._use(session, False)
        if self._pending:
            await self._try_hosts()

    async def _try_hosts(self) -> None:
        troubles: list[Trouble] = []
        demands: dict[str, Demand | Trouble] = {}
        connections = self._network.connections
        tried = 0
        try:
            async with aclosing(next_hops(self._route, self._network.lookup)) as hops:
                async for hop in hops:
                    if hop.host not in demands:
                        demands[hop.host] = demand = await connections.demand(self._route, hop)
                        if isinstance(demand, Trouble):
                            troubles.append(demand)
                    demand = demands[hop.host]
                    if isinstance(demand, Trouble):
                        continue
                    met = await self._try(hop, demand)
                    tried += 1
                    if met is not None:
                        troubles.append(met)
                    if not self._pending:
                        return
                    if tried >= self._network.sending.hosts:
                        break
        except Nowhere as nowhere:
            troubles.append(Trouble(Scope.SESSION, nowhere.outcome))
        self._settle(self._pending, trouble.verdict(troubles))

    async def _try(self, hop: Hop, demand: Demand) -> Trouble | None:
        session = await self._network.connections.open(self._route, hop, demand)
        return session if isinstance(session, Trouble) else await self._use(session, True)

    async def _use(self, session: RemoteSession, fresh: bool) -> Trouble | None:
        """Send what is pending. Return why something of it still is."""
        try:
            while self._pending:
                await self._transact(session, fresh)
        except SessionEnded as end:
            session.quit()
            return self._ended(session, end)
        except ContentTrouble as error:
            # The same everywhere: another host would not help.
            self._settle(self._pending, Deferred("4.3.0", f"The message cannot be read now: {error}"))
        except BaseException:
            session.quit()
            raise
        self._network.pool.put(self._route, session)
        return None

    async def _transact(self, session: RemoteSession, fresh: bool) -> None:
        """Send one transaction. Raises `SessionEnded`."""
        job = self._job
        self._batch = batch = together(job.recipients, self._pending, self._most)
        recipients = [job.recipients[index] for index in batch]
        fitted = await fit(job.message, recipients, self._body, session.capabilities, self._route.lmtp)
        if isinstance(fitted, Failed):
            # Another host of the destination may take more, but which of them a message meets is chance.
            self._settle(batch, fitted)
            return
        stream = fitted.stream
        if stream is None:
            self._take(session, await session.send(fitted.transaction), fresh)
            return
        try:
            self._take(session, await session.send(fitted.transaction, stream.read), fresh)
        except SessionEnded:
            if stream.trouble:
                session.quit()
                raise ContentTrouble(stream.trouble) from None
            raise
        finally:
            stream.close()

    def _take(self, session: RemoteSession, ended: Ended, fresh: bool) -> None:
        """Note what became of the recipients of a transaction. Raises `SessionEnded` where that was no verdict."""
        informs = not self._route.lmtp and "DSN" in session.capabilities
        accepted = sum(stage not in (Stage.MAIL, Stage.RCPT) for stage in ended.stages)
        closed: SessionEnded | None = None
        for index, said, stage in zip(self._batch, ended.answers, ended.stages, strict=True):
            if said is BAD_ADDRESS or said is NEEDS_SMTPUTF8:
                # Our own client says so: the server was not asked.
                self._outcomes[index] = Failed(said.status, said.lines[0])
                continue
            answer = session.named(said)
            if answer.code == CLOSING or (not fresh and stage is Stage.MAIL and 400 <= answer.code < 500):
                # Of a session that has done its work before, MAIL may ask no more than that it ends now.
                closed = SessionEnded(stage, answer, "it closed the session")
            elif accepted and trouble.is_one_too_many(stage, answer):
                self._most = accepted
            else:
                self._outcomes[index] = trouble.outcome(session.where, stage, answer, informs)
        self._forget_settled()
        if closed is not None:
            raise closed

    def _ended(self, session: RemoteSession, end: SessionEnded) -> Trouble:
        met = trouble.ended(session.where, end)
        if met.scope is not Scope.MESSAGE:
            return met
        self._settle(self._batch, met.outcome)
        # To the recipients that it had not come to yet, it is one more connection that broke.
        return Trouble(Scope.SESSION, Deferred("4.4.2", f"{session.where}: {end.reason}", whole=False))

    def _settle(self, indexes: Sequence[int], outcome: Outcome) -> None:
        for index in indexes:
            self._outcomes[index] = outcome
        self._forget_settled()

    def _forget_settled(self) -> None:
        self._pending = [index for index in self._pending if index not in self._outcomes]


class Network:
    """What all attempts share."""

    def __init__(self, connections: Connections, lookup: Lookup, pool: Pool, sending: Sending) -> None:
        self.connections = connections
        self.lookup = lookup
        self.pool = pool
        self.sending = sending
