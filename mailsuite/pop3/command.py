"""How a command is described: where it is legal, what arguments it takes, and what obeys it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from mailsuite.pop3.responses import Response
from mailsuite.wire.events import Event

if TYPE_CHECKING:
    from mailsuite.pop3.server import ServerSession


class State(Enum):
    """The states of RFC 1939 §3."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"
    UPDATE = "UPDATE"


AUTHORIZATION = (State.AUTHORIZATION,)
TRANSACTION = (State.TRANSACTION,)
EITHER = (State.AUTHORIZATION, State.TRANSACTION)

# A response to be given, an event that goes to the respondent, or nothing where the command has spoken for itself.
Result: TypeAlias = Response | Event | None
Words: TypeAlias = list[bytes]


@dataclass(frozen=True, slots=True)
class Command:
    """One verb. *obey* gets *least* to *most* words; with *raw*, all that follows the verb as one word."""

    states: tuple[State, ...]
    obey: Callable[["ServerSession", Words], Result]
    least: int = 0
    most: int = 0
    raw: bool = False

    def words(self, argument: bytes) -> Words | None:
        """Return the words of *argument*, ``None`` where they are too many, too few or empty.

        RFC 2449 §3: each parameter follows one space and has at least one octet.
        """
        if not argument:
            return None if self.least else []
        words = [argument] if self.raw else argument.split(b" ")
        return words if self.least <= len(words) <= self.most and all(words) else None


class Capability:
    """One POP3 capability (RFC 2449 §5). A subclass names what it adds; nothing else knows of it."""

    keyword: ClassVar[str]
    # Commands that the capability brings.
    verbs: ClassVar[Mapping[bytes, Command]] = {}

    def offer(self, session: "ServerSession") -> str | None:
        """Return this capability's line in the answer to CAPA; ``None`` where it is not offered now."""
        return self.keyword
