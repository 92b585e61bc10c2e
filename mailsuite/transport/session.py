"""Drives any session core over a connection: bytes in, questions to the respondent, bytes out, time-outs, TLS.

It knows no verb. While a question waits for its answer the core reads nothing, and while the peer does not read
its replies the core is not asked to make more: so a session's memory is bounded whatever the peer does.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IRespondent
from mailsuite.meaning import CannotJudge
from mailsuite.transport.bounds import UNBOUNDED, Bounds
from mailsuite.transport.causes import cause
from mailsuite.transport.client_tls import PeerTLS
from mailsuite.transport.direct_tls import start_tls
from mailsuite.transport.outbox import Outbox
from mailsuite.transport.tls import TLSContext
from mailsuite.wire.events import HANG_UP, SAID, START_TLS, Event, SessionCore

# Unread input past this stops the reading until the core has caught up.
UNREAD_OCTETS = 65_536
# Output past this is handed to the transport before more is made.
OUTPUT_OCTETS = 65_536
# After so much output in one turn of the reactor the others have theirs.
TURN_OCTETS = 524_288
# So too after so many events for the respondent: a thousand RCPT commands come at once, and each may cost a lookup.
TURN_EVENTS = 50
# And after so many replies that cost nothing but themselves.
TURN_REPLIES = 500
# For how many seconds a peer that was told goodbye may take to read it.
LINGER = 10.0


@implementer(IPushProducer, IHandshakeListener)
class SessionProtocol(Protocol):
    """One connection with one core and one respondent, at either end of it.

    *ended* is called once, with this protocol, when the connection is gone. A greeting that is to be delayed by
    *bounds* is one that nobody asks for: TLS that begins with the connection goes without. Sessions that share an
    *outbox* are answered together.
    """

    log = Logger()
    # Octets of which the core makes nothing yet are signs of life where the phase has a term: they are skipped input.
    _counts_octets = True
    # TCP, TLS over it, or a UNIX socket: no one interface names all that is used of them.
    transport: Any
    _writable = True  # the transport takes more output
    _reading = True
    _produces = False  # registered as the transport's producer
    _waiting = False  # a question waits for its answer
    _pumping = False
    _leaving = False  # goodbye was said
    _stopping = False  # the service wants the session to end
    _over = False
    _encrypted = False
    _shaking = False  # TLS has begun, its handshake is not done
    _opening: IDelayedCall | None = None  # the greeting has its time to wait
    _timer: IDelayedCall | None = None
    _turn: IDelayedCall | None = None  # goes on where much was done
    _armed = 0.0  # for how many seconds the timer was set
    _phase = 0
    _lost = "lost"  # how the respondent is told
    _cut = ""  # why we cut the connection off

    def __init__(
        self,
        core: SessionCore,
        respondent: IRespondent,
        clock: IReactorTime,
        tls: TLSContext | PeerTLS | None,
        ended: Callable[["SessionProtocol"], None],
        bounds: Bounds = UNBOUNDED,
        outbox: Outbox | None = None,
    ) -> None:
        self.core = core
        self.respondent = respondent
        self._clock = clock
        self._tls = tls
        self._ended = ended
        self._bounds = bounds
        self._outbox = outbox or Outbox(clock, lambda: False)
        self._began = self._heard = self._phase_since = self._shaking_since = clock.seconds()

    # From Twisted

    def connectionMade(self) -> None:
        """Begin the session: a server greets, a client waits for it."""
        self._shaking = isinstance(self.transport, TLSMemoryBIOProtocol)
        self._set_timer(self._left(self._clock.seconds()))
        delay = self._bounds.greeting_delay
        if delay and not self._shaking:
            self._waiting = True
            self._opening = self._clock.callLater(delay, self._open, self._bounds.early_delay)
        else:
            self._pump()

    def dataReceived(self, data: bytes) -> None:
        """Give *data* to the core; after goodbye it is dropped."""
        if self._leaving:
            return
        self.core.receive(data)
        self._pump()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the respondent; an answer that comes later goes nowhere."""
        self._over = True
        for call in (self._timer, self._opening, self._turn):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._opening = self._turn = None
        if self._leaving:
            self.respondent.lost("closed")
        else:
            self.respondent.lost(self._lost, self._cause(reason))
        self._ended(self)

    def handshakeCompleted(self) -> None:
        """Tell the core and the respondent what TLS was agreed on."""
        assert self._tls is not None
        self._encrypted = True
        self._shaking = False
        encryption = self._tls.encryption(self.transport.getHandle())
        self.core.encryption = encryption
        self.respondent.tls_started(encryption)

    def pauseProducing(self) -> None:
        """The peer does not read: make no more output."""
        self._writable = False

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self._writable = True
        self._heard = self._clock.seconds()
        self._pump()

    def stopProducing(self) -> None:
        """The connection is going away; `connectionLost` follows."""
        self._writable = False

    # From the outbox

    def kept_waiting(self) -> None:
        """See `Sender.kept_waiting`: the transport is to say when it has enough; after goodbye the peer has a term."""
        if self._leaving:
            self._bring_forward(LINGER)
        elif not (self._produces or self._over):
            self._produces = True
            self.transport.registerProducer(self, True)

    # From the service

    def shut_down(self) -> None:
        """End the session in good order: at once, or when the question at hand is answered."""
        self._stopping = True
        if self._opening is not None or self._shaking:
            # Nothing was said yet, and after a greeting there would be more to say; in a handshake nothing can be.
            self.abort()
        elif not (self._waiting or self._leaving or self._over):
            self.core.shut_down()
            self._writable = True
            self._pump()

    def abort(self) -> None:
        """End the connection now."""
        if not self._over:
            self.transport.abortConnection()

    # The loop

    def _open(self, early_delay: float) -> None:
        """The greeting has waited; for *early_delay* more where the peer did not."""
        if early_delay and self.core.unread:
            self._opening = self._clock.callLater(early_delay, self._open, 0.0)
            return
        self._opening = None
        self._waiting = False
        self._proceed()

    def _pump(self) -> None:
        """Take events and give answers until the core waits; then send what there is to be sent."""
        if self._pumping:
            return
        self._pumping = True
        pending: list[bytes] = []
        size = sent = events = replies = 0
        core = self.core
        moved = caught_up = False
        try:
            while self._writable and not self._waiting:
                event = core.next_event()
                if event is None:
                    caught_up = True
                    break
                output = core.bytes_to_send()
                if output:
                    pending.append(output)
                    size += len(output)
                moved = True
                if core.phase != self._phase:
                    self._begin_phase()
                if event.for_driver and event is not SAID:
                    self._send(pending)
                    self._obey(event)
                    size = 0
                    continue
                if size and (size > OUTPUT_OCTETS or event.can_wait):
                    self._send(pending)
                    sent += size
                    size = 0
                if event is SAID:
                    replies += 1
                else:
                    self._respond(event)
                    events += 1
                if sent > TURN_OCTETS or events >= TURN_EVENTS or replies >= TURN_REPLIES:
                    self._rest()
                    break
        finally:
            self._pumping = False
        output = core.bytes_to_send()
        # What is silently skipped (the rest of a refused message) is heard all the same.
        if moved or output or (caught_up and self._counts_octets and core.term):
            self._note_progress()
        if output:
            pending.append(output)
        if pending:
            self._send(pending)
        if not (caught_up and self._reading):
            self._balance()

    def _rest(self) -> None:
        """Go on in the reactor's next turn."""
        if self._turn is None or not self._turn.active():
            self._turn = self._clock.callLater(0, self._pump)

    def _respond(self, event: Event) -> None:
        try:
            answer = self.respondent.respond(event)
        except Exception:
            self._failed(event, Failure())
            return
        if not event.asks:
            return
        if hasattr(answer, "__await__"):
            self._waiting = True
            waited = answer if isinstance(answer, Deferred) else Deferred.fromCoroutine(answer)
            waited.addCallbacks(self._answered, self._answer_failed, callbackArgs=(event,), errbackArgs=(event,))
        else:
            self.core.answer(answer)

    def _answered(self, answer: Any, event: Event) -> None:
        self._waiting = False
        if self._over:
            return
        self.core.answer(answer)
        self._proceed()

    def _answer_failed(self, failure: Failure, event: Event) -> None:
        self._waiting = False
        if self._over:
            self.log.failure("{event} failed after its session had ended", failure, event=type(event).__name__)
            return
        self._failed(event, failure)
        self._proceed()

    def _failed(self, event: Event, failure: Failure) -> None:
        """An exception is a temporary error to the peer; one that nobody foresaw, a traceback in our log."""
        # Who cannot judge now has said so, once: not for each that asks.
        if not failure.check(CannotJudge):
            self.log.failure("Answering {event} failed", failure, event=type(event).__name__)
        if event.asks:
            self.core.fail()

    def _note_progress(self) -> None:
        self._heard = self._clock.seconds()
        if self.core.phase != self._phase:
            self._begin_phase()

    def _begin_phase(self) -> None:
        self._phase = self.core.phase
        self._phase_since = self._clock.seconds()
        self._hasten()

    def _hasten(self) -> None:
        """Set the timer anew where it would look too late for the patience there is now, or for the term."""
        wait, term = self.core.patience, self.core.term
        if term:
            wait = min(wait, max(self._phase_since + term - self._clock.seconds(), 0.0))
        self._look_within(wait)

    def _look_within(self, wait: float) -> None:
        if wait < self._armed:
            self._bring_forward(wait)

    def _bring_forward(self, wait: float) -> None:
        # Not by the timer's `reset`: that looks through the timers of all sessions for this one.
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._set_timer(wait)

    def _proceed(self) -> None:
        self._note_progress()
        if self._stopping:
            self.core.shut_down()
        self._pump()

    def _obey(self, event: Event) -> None:
        if event is START_TLS:
            self._outbox.push(self)
            self._shaking = True
            self._shaking_since = self._clock.seconds()
            self._look_within(self._bounds.handshake)
            assert self._tls is not None
            self.transport = start_tls(self.transport, self._tls, self)
            self.core.tls_started()
            return
        self._leaving = True
        if self._produces:
            self._produces = False
            self.transport.unregisterProducer()
        half_close = getattr(self.transport, "loseWriteConnection", None)
        in_tls = self._encrypted or self._shaking
        if event is HANG_UP and half_close is not None and not in_tls and not self._stopping:
            # A close with input unread would reset the connection, and the peer would never see our last reply.
            # (TLS says goodbye by an alert of its own, and reads on until the peer has answered it. A service that
            # stops does not wait for its peers.)
            self._reading = True
            self._outbox.push(self)
            self._bring_forward(LINGER)
            self.transport.resumeProducing()
            half_close()
        else:
            self._outbox.close(self)

    def _send(self, pending: list[bytes]) -> None:
        data = b"".join(pending)
        pending.clear()
        if data and not self._over:
            self._outbox.send(self, data)

    def _balance(self) -> None:
        """Read from the peer only as fast as the core can go on: what has caught up leaves no more than a line."""
        wanted = self._leaving or self.core.unread <= UNREAD_OCTETS
        if wanted != self._reading and not self._over:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _tick(self) -> None:
        """Look whether the peer was silent for too long; but for `_hasten` the timer is set anew here alone."""
        if self._leaving:
            self.abort()
            return
        now = self._clock.seconds()
        left = self._left(now)
        if left <= 0:
            if self._shaking:
                # No reply can reach the peer, and a client's core cannot be told: its question is for the outcome of
                # this handshake.
                self._cut = "TLS handshake failed: timed out"
                if now >= self._shaking_since + self._bounds.handshake:
                    self._lost = "handshake"
                self.abort()
                return
            if now >= self._began + self._bounds.lifetime:
                self.core.overstay()
            else:
                self.core.expire(outlasted=now < self._heard + self.core.patience)
            self._writable = True
            self._pump()
            left = LINGER
        if not self._over:
            self._set_timer(left)

    def _set_timer(self, seconds: float) -> None:
        self._armed = seconds
        self._timer = self._clock.callLater(seconds, self._tick)

    def _left(self, now: float) -> float:
        """For how many seconds this session may go on as it does."""
        patience = self.core.patience
        if self._waiting and not self._shaking:
            return patience
        left = min(self._heard + patience, self._began + self._bounds.lifetime) - now
        if self._shaking:
            return min(left, self._shaking_since + self._bounds.handshake - now)
        term = self.core.term
        return min(left, self._phase_since + term - now) if term else left

    def _cause(self, reason: Failure) -> str:
        """Say why the connection was lost; empty where the peer just closed it."""
        if self._cut:
            return self._cut
        words = cause(reason.value)
        if self._shaking:
            return f"TLS handshake failed: {words.removeprefix('TLS: ') or 'the connection was closed'}"
        return words
