"""What an ESMTP extension is to the server session (RFC 5321 §2.2); each module in `extensions/` holds one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.states import State

if TYPE_CHECKING:
    from mailsuite.smtp.server import ServerSession

# Takes the session and the parameter's value; returns what the parameter means, or the reply that refuses it.
Parameter: TypeAlias = Callable[["ServerSession", str | None], Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: what carries it out, and the states in which it is legal (elsewhere 503)."""

    run: "Callable[[ServerSession, str], None]"
    states: frozenset[State]
    # Refused with 530 until the peer has authenticated, where the listener requires that (RFC 4954 §6).
    guarded: bool = False
    # How many octets its line may have beyond `Limits.command_line`.
    more_octets: int = 0
    # The reply to a line beyond that.
    too_long: Reply = replies.LINE_TOO_LONG
    # Whether the refusal of a line that cannot be read has an enhanced code (RFC 2034 §4).
    coded: bool = True
    # Octets that are no commands come right behind its line: where that cannot be read, nothing after it can.
    octets_follow: bool = False
    # What HELP tells of it: syntax, and what it is for.
    help: tuple[str, ...] = ()


class Extension:
    """One ESMTP extension. A subclass names what it adds; nothing else knows of it."""

    keyword: ClassVar[str]
    # Extensions without which this one is not to be had.
    needs: ClassVar[frozenset[str]] = frozenset()
    # Commands that the extension brings.
    verbs: ClassVar[Mapping[str, Verb]] = {}
    # Parameters of MAIL and RCPT that it owns, by keyword.
    mail_parameters: ClassVar[Mapping[str, Parameter]] = {}
    rcpt_parameters: ClassVar[Mapping[str, Parameter]] = {}
    # Those of them whose values may have other letters than ASCII, where SMTPUTF8 is offered (RFC 6531 §3.3).
    wide_parameters: ClassVar[frozenset[str]] = frozenset()
    # What its parameters add to the length of a MAIL or RCPT line (RFC 5321 §4.5.3.1.4).
    mail_octets: ClassVar[int] = 0
    rcpt_octets: ClassVar[int] = 0

    def offered(self, session: "ServerSession") -> bool:
        """Say whether *session* has this extension at all; where not, its verbs are 502 and its parameters 555."""
        without = session.settings.without
        return self.keyword not in without and self.needs.isdisjoint(without)

    def allowed(self, session: "ServerSession") -> bool:
        """Say whether this peer may use its commands at all, where it is `offered`: HELP tells of no others."""
        return True

    def offer(self, session: "ServerSession") -> str | None:
        """Return its line in the answer to EHLO, where it is `offered`; ``None`` where there is no use for it now."""
        return self.keyword
