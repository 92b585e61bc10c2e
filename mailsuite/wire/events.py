"""The contract between a session core and whatever drives it.

A core takes bytes (`receive`) and gives events (`next_event`) and bytes (`bytes_to_send`). An event either
*tells* something or *asks* something. After a question the core reads nothing more until `answer` is called,
so replies keep the order of commands however long an answer takes.
"""

from typing import Any, ClassVar, Protocol

from mailsuite.encryption import Encryption


class Event:
    """Something that a session core tells or asks its respondent."""

    __slots__ = ()
    asks: ClassVar[bool] = False
    # Told or asked when all that was said before is on its way: the peer need not wait for it.
    can_wait: ClassVar[bool] = False
    # Told to the driver: no respondent hears of it.
    for_driver: ClassVar[bool] = False


class Ask(Event):
    """A question: the core waits for `SessionCore.answer`."""

    __slots__ = ()
    asks = True


class StartTLS(Event):
    """Told to the driver: send what is pending, start TLS, then call `SessionCore.tls_started`."""

    __slots__ = ()
    for_driver = True


class Close(Event):
    """Told to the driver: send what is pending and close the connection."""

    __slots__ = ()
    for_driver = True


class HangUp(Event):
    """Told to the driver: send what is pending and close, though the peer may go on sending."""

    __slots__ = ()
    for_driver = True


class Said(Event):
    """Told to the driver: there is output that no question comes after; now it may send before more is made."""

    __slots__ = ()
    for_driver = True


START_TLS = StartTLS()
CLOSE = Close()
HANG_UP = HangUp()
SAID = Said()


class SessionCore(Protocol):
    """A pure protocol session, as `mailsuite.transport.session` drives it.

    *encryption* is set by the driver when a handshake is done, TLS from the first octet or not, and before anything
    that was encrypted comes in.
    """

    encryption: Encryption | None

    @property
    def unread(self) -> int:
        """How many received octets wait to be read."""

    @property
    def patience(self) -> float:
        """For how many seconds the peer may now be silent."""

    @property
    def term(self) -> float:
        """For how many seconds the present phase may last in all, however busy it is; 0: no such bound."""

    @property
    def phase(self) -> int:
        """A number that changes whenever a new phase begins (a message body, say)."""

    def receive(self, data: bytes) -> None:
        """Take *data* as it came from the peer."""

    def next_event(self) -> Event | None:
        """Return the next event, or ``None`` when more bytes or an answer are needed first."""

    def answer(self, answer: Any) -> None:
        """Answer the question that `next_event` returned last."""

    def fail(self) -> None:
        """Answer that question for a respondent that raised: a temporary error, the session goes on."""

    def tls_started(self) -> None:
        """Forget what came before TLS; what arrives from now on was encrypted."""

    def expire(self, outlasted: bool = False) -> None:
        """The peer was silent for too long, or (*outlasted*) its phase has lasted for its term: say so and close."""

    def overstay(self) -> None:
        """The session has lasted for as long as one may: say so and close."""

    def shut_down(self) -> None:
        """The service stops: say so and close."""

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent now, and forget it."""
