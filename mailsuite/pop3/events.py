"""What a POP3 server session asks and tells (`mailsuite.wire.events` has the contract).

A refusal is always a `mailsuite.pop3.responses.Response`; what else a question is answered with stands beside it.
Messages are counted from 0 here, as `IMaildrop` counts them; the client's numbers begin at 1 (RFC 1939 §4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from mailsuite.pop3.settings import Policy
from mailsuite.sasl.claims import Claim, Question
from mailsuite.wire.events import Ask, Event

# Gives the rows of a listing (RFC 1939 §5, §7) for the messages from one index to before another, marked or not.
Rows: TypeAlias = Callable[[int, int], bytes]


class Ending(Enum):
    """Why a session came to its end."""

    QUIT = "quit"
    REFUSED = "refused"
    ERRORS = "too many errors"
    GUESSES = "too many wrong passwords"
    BARRED = "banned by the operator"
    IDLE = "idle"
    LIFETIME = "session_time"
    FOREIGN = "other_protocol"
    SHUTDOWN = "shutdown"
    DAMAGED = "a message ended before its size"


class Connected(Ask):
    """A client has connected. Answer: the greeting, or the refusal that closes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Authenticate(Ask):
    """USER and PASS, or AUTH, came to a claim. Answer: the maildrop as `Opened`, or a refusal."""

    mechanism: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Consult(Ask):
    """AUTH goes on with what the *question* is answered with (`mailsuite.sasl.claims`). Answer: that, or a refusal."""

    mechanism: str
    question: Question


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to `Authenticate`: the snapshot, kept by reference and never copied (`mailsuite.pop3.drop`).

    Sizes and unique ids; where they are at hand, the sum of all sizes too, and the rows that LIST and UIDL send.
    *policy* is what holds for this user, ``None`` where one holds for all.
    """

    sizes: Sequence[int]
    unique_ids: Sequence[str]
    octets: int | None = None
    size_rows: Rows | None = None
    id_rows: Rows | None = None
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Retrieve(Ask):
    """RETR, or TOP with a number of *lines*. Answer: the first octets of message *index*, or a refusal.

    The octets have CRLF line ends and no transparency dots. Without *utf8* no header section in them has letters that
    are not ASCII (RFC 6856 §2.1). The message is over when as many were given as its
    size says; then nothing more is asked or told. Until then `ReadBody` asks for more.
    """

    index: int
    lines: int | None = None
    utf8: bool = False


class ReadBody(Ask):
    """More of the message that `Retrieve` began is wanted. Answer: its next octets."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Foreseen(Ask):
    """The client has all that it asked for, and is likely to retrieve message *index* next.

    Answer, at once: all of its octets as for `Retrieve`, or ``None`` where they are not at hand. With them the message
    is sent when it is asked for, and that is `Retrieved`.
    """

    can_wait = True

    index: int
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Retrieved(Event):
    """Told: message *index* was retrieved, and sent as it was foreseen."""

    can_wait = True

    index: int


class BodyDropped(Event):
    """Told: the rest of the message that `Retrieve` began is not wanted."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Update(Ask):
    """QUIT in the TRANSACTION state (RFC 1939 §6): remove *indexes*, durably, and give the lock back.

    Answer: `responses.GOODBYE`, or `responses.NOT_REMOVED`. The session closes after either.
    """

    indexes: Sequence[int]


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """Told: the session closes, for this reason."""

    ending: Ending


CONNECTED = Connected()
READ_BODY = ReadBody()
BODY_DROPPED = BodyDropped()
