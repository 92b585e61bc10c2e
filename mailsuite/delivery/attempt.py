"""One try to deliver a message along one route: a session that waits, else host by host."""

from collections.abc import AsyncGenerator, Callable, MutableMapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from mailsuite.asked import NOTHING_ASKED
from mailsuite.delivery import trouble
from mailsuite.delivery.asked import NO_REQUIRETLS, in_time, lets_go_of_time, strictness
from mailsuite.delivery.body import Body, ContentTrouble
from mailsuite.delivery.connections import Connections
from mailsuite.delivery.mx import Hop, Lookup, Missing, Nowhere, next_hops
from mailsuite.delivery.pool import Pool
from mailsuite.delivery.sending import Sending
from mailsuite.delivery.session import RemoteSession
from mailsuite.delivery.tally import Tally
from mailsuite.delivery.tls_policy import Demand
from mailsuite.delivery.transactions import Fitted, fit, together
from mailsuite.delivery.trouble import Scope, SessionEnded, Trouble
from mailsuite.outcome import Deferred, Failed, Outcome
from mailsuite.queued import Job
from mailsuite.route import Route
from mailsuite.smtp.client_commands import BAD_ADDRESS, NEEDS_SMTPUTF8
from mailsuite.smtp.client_events import Capabilities, Ended, Stage

# Addresses that one try looks at, also those to which this machine has no way: these cost next to nothing.
LOOKED_AT = 200


class Attempt:
    """Tries the recipients of *job* at *indexes*, which have the same *route*.

    The trouble of a connection or of a host leads to the next address; what was said of the message or of a recipient
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
        self._asked = job.message.asked
        self._strictness = "" if self._asked is NOTHING_ASKED else strictness(job.message, route)
        # Recipients whose fate is open, and those of them that the transaction under way is for.
        self._pending = list(indexes)
        self._batch: Sequence[int] = ()
        self._most = network.sending.recipients
        # Those for which the host at hand lacks an extension, and what they get where all lack it.
        self._unfit: set[int] = set()
        self._lack: Failed | None = None
        # What was said to a recipient's commands of the trouble that a host has.
        self._said: dict[int, Deferred | Failed] = {}

    async def run(self) -> None:
        """Return when every recipient has its outcome. Never raises for what the other end does."""
        # A session that waits may have been begun with less TLS than this message must have.
        session = self._network.pool.take(self._route) if self._strictness != "required" else None
        if session is not None:
            await self._use(session, False)
        if self._pending:
            await self._try_hosts()

    async def _try_hosts(self) -> None:
        # A session that was used before has no last word.
        self._said.clear()
        tally = Tally(self._route)
        try:
            async with aclosing(next_hops(self._route, self._network.lookup)) as hops:
                await self._go_through(hops, tally)
        except Nowhere as nowhere:
            tally.search_ended(Trouble(Scope.SESSION, nowhere.outcome))
        if self._pending:
            self._conclude(tally.verdict())

    async def _go_through(self, hops: AsyncGenerator[Hop | Missing, None], tally: Tally) -> None:
        """Try one address after the other, until nothing is pending, or no more may be tried."""
        demands: dict[str, Demand] = {}
        done: set[str] = set()
        looked_at = tried = 0
        async for hop in hops:
            if isinstance(hop, Missing):
                tally.missing(hop)
                continue
            if hop.host in done:
                continue
            if looked_at >= LOOKED_AT or tried >= self._network.sending.hosts:
                # Who was not asked has not refused.
                tally.search_ended(trouble.not_all_tried(looked_at))
                return
            looked_at += 1
            met = await self._reach(hop, demands)
            if met is None or not self._pending:
                return
            tally.met(hop, met)
            if met.scope is Scope.LOOP:
                return
            if met.scope is Scope.HOST:
                done.add(hop.host)
            tried += hop.host in demands and met.scope is not Scope.HERE

    async def _reach(self, hop: Hop, demands: MutableMapping[str, Demand]) -> Trouble | None:
        """Try *hop*; return why something is still pending. *demands* are those of the hosts that were met."""
        demand = demands.get(hop.host)
        if demand is None:
            asked = await self._network.connections.demand(self._route, hop, self._strictness)
            if isinstance(asked, Trouble):
                return self._of_tls(asked)
            demands[hop.host] = demand = asked
        met = await self._try(hop, demand)
        if met is not None and met.scope is Scope.CHUNKING:
            met = await self._try(hop, demand, chunking=False)
        return met

    async def _try(self, hop: Hop, demand: Demand, chunking: bool = True) -> Trouble | None:
        while True:
            session = await self._network.connections.open(self._route, hop, demand, chunking)
            if isinstance(session, Trouble):
                return self._of_tls(session)
            # Whoever comes next may want more TLS than this message does.
            session.reusable = self._strictness != "optional"
            met = await self._use(session, True)
            if met is not None or not (self._pending and session.spent):
                return met

    def _of_tls(self, met: Trouble) -> Trouble:
        """RFC 8689 §4.2.1: that no way is safe enough the sender is told, and it is not tried again and again."""
        outcome = met.outcome
        if self._strictness == "required" and outcome.status in ("4.7.4", "4.7.5"):
            return replace(met, outcome=Failed("5.7.10", outcome.reason, outcome.answer))
        return met

    async def _use(self, session: RemoteSession, fresh: bool) -> Trouble | None:
        """Send what is pending. Return why something of it still is. *fresh*: the session has sent nothing yet."""
        self._unfit.clear()
        try:
            while (left := [index for index in self._pending if index not in self._unfit]) and not session.spent:
                sent = await self._transact(session, left, fresh)
                fresh = fresh and not sent
        except SessionEnded as end:
            session.quit()
            return self._ended(session, end)
        except ContentTrouble as error:
            # The same everywhere: another host would not help.
            self._settle(self._pending, Deferred("4.3.0", f"The message cannot be read now: {error}"))
        except BaseException:
            session.quit()
            raise
        if session.spent or not session.reusable:
            session.quit()
        else:
            self._network.pool.put(self._route, session)
        return Trouble(Scope.HOST, self._lack) if self._pending and self._lack is not None else None

    async def _transact(self, session: RemoteSession, left: Sequence[int], fresh: bool) -> bool:
        """Send one transaction for some of *left*; say whether there was one. Raises `SessionEnded`."""
        job = self._job
        offered = session.capabilities
        most = min(self._most, session.most_recipients or self._most)
        self._batch = batch = together(job.recipients, left, most, offered)
        recipients = [job.recipients[index] for index in batch]
        fitted: Fitted | Failed | None = None if self._asked is NOTHING_ASKED else self._unmet(offered)
        if fitted is None:
            now = self._network.now
            fitted = await fit(job.message, recipients, self._body, offered, self._route.lmtp, now)
        if isinstance(fitted, Failed):
            # Another host may offer more; that all lack it has to be known before the message is given up.
            self._unfit.update(batch)
            self._lack = fitted
            return False
        stream = fitted.stream
        if stream is None:
            self._take(session, await session.send(fitted.transaction), fresh)
            return True
        try:
            self._take(session, await session.send(fitted.transaction, stream.read), fresh)
        except SessionEnded:
            if stream.trouble:
                session.quit()
                raise ContentTrouble(stream.trouble) from None
            raise
        finally:
            stream.close()
        return True

    def _unmet(self, offered: Capabilities) -> Failed | None:
        """Say what a host that offers *offered* lacks of what was asked."""
        if self._strictness == "required" and "REQUIRETLS" not in offered:
            return NO_REQUIRETLS
        # What speaks LMTP puts it into the mailbox: that is delivery (RFC 2852 §1).
        return None if self._route.lmtp else in_time(self._asked, offered, self._network.now)

    def _take(self, session: RemoteSession, ended: Ended, fresh: bool) -> None:
        """Note what became of the recipients of a transaction. Raises `SessionEnded` where that was no verdict."""
        informs = not self._route.lmtp and "DSN" in session.capabilities
        announced = self._is_announced(session.capabilities)
        accepted = sum(stage not in (Stage.MAIL, Stage.RCPT) for stage in ended.stages)
        troubled: SessionEnded | None = None
        for index, said, stage in zip(self._batch, ended.answers, ended.stages, strict=True):
            if said is BAD_ADDRESS or said is NEEDS_SMTPUTF8:
                # Our own client says so: the server was not asked.
                self._outcomes[index] = Failed(said.status, said.lines[0])
                continue
            answer = session.named(said)
            # Of a session that has done its work before, MAIL may ask no more than that it ends now.
            tired = not fresh and stage is Stage.MAIL and 400 <= answer.code < 500
            if tired or trouble.is_of_the_session(stage, answer):
                troubled = SessionEnded(stage, answer, "it is in trouble")
                self._said[index] = session.met(troubled).outcome
            elif accepted and trouble.is_one_too_many(stage, answer):
                self._most = accepted
            else:
                self._outcomes[index] = trouble.outcome(session.where, stage, answer, informs, announced)
        self._forget_settled()
        if troubled is not None:
            raise troubled

    def _is_announced(self, offered: Capabilities) -> bool:
        """RFC 2852 §4.1.4: who has set a time hears of a relaying that he wants to trace, or that ends our watch."""
        asked = self._asked
        if not asked.by_mode or self._route.lmtp:
            return False
        return asked.traced or lets_go_of_time(asked, offered, self._network.now)

    def _ended(self, session: RemoteSession, end: SessionEnded) -> Trouble:
        met = session.met(end)
        if met.scope is not Scope.MESSAGE:
            return met
        self._settle(self._batch, met.outcome)
        # To the recipients that it had not come to yet, it is one more connection that broke.
        return Trouble(Scope.SESSION, Deferred("4.4.2", f"{session.where}: {end.reason}", whole=False))

    def _conclude(self, verdict: Deferred | Failed) -> None:
        """Settle what no host took: with what was said to a recipient's own commands, if that was not overruled."""
        for index in self._pending:
            said = self._said.get(index)
            if isinstance(said, Deferred) and isinstance(verdict, Deferred):
                self._outcomes[index] = replace(said, whole=verdict.whole)
            else:
                self._outcomes[index] = verdict
        self._forget_settled()

    def _settle(self, indexes: Sequence[int], outcome: Outcome) -> None:
        for index in indexes:
            self._outcomes[index] = outcome
        self._forget_settled()

    def _forget_settled(self) -> None:
        self._pending = [index for index in self._pending if index not in self._outcomes]


class Network:
    """What all attempts share. *now* gives POSIX time."""

    def __init__(
        self, connections: Connections, lookup: Lookup, pool: Pool, sending: Sending, now: Callable[[], float]
    ) -> None:
        self.connections = connections
        self.lookup = lookup
        self.pool = pool
        self.sending = sending
        self.now = now
