"""What differs between the services that take mail: `service.mta`, `service.msa` and `service.mda` each have one."""

from typing import TYPE_CHECKING, Literal, Protocol

from mailsuite.address import Address
from mailsuite.envelope import Envelope
from mailsuite.interfaces import ICaps, IRates, IRelayPolicy
from mailsuite.maybe import Maybe
from mailsuite.service.login import Logins
from mailsuite.smtp import events
from mailsuite.smtp.replies import Reply

if TYPE_CHECKING:
    from mailsuite.service.reception import Reception


class Role(Protocol):
    """What sets MTA, MSA and MDA apart. One object serves all sessions of its kind of listener."""

    @property
    def name(self) -> str:
        """How the mail log calls it."""

    @property
    def protocol(self) -> Literal["ESMTP", "LMTP"]:
        """What is spoken, as greeting and Received field have it."""

    @property
    def relay(self) -> IRelayPolicy:
        """Who may send where."""

    @property
    def rates(self) -> IRates | None:
        """How much may come in a time; ``None``: any amount."""

    @property
    def caps(self) -> ICaps | None:
        """How much a login may send before its mail is held; ``None``: any amount."""

    @property
    def logins(self) -> Logins:
        """What judges who logs in, where the listener offers AUTH or the peer may say XCLIENT."""

    def sender(self, session: "Reception", reverse_path: Address | None) -> Maybe[Reply]:
        """Judge MAIL."""

    def head(self, session: "Reception", header: bytes, message_id: str, envelope: Envelope) -> bytes:
        """Return the header section as it is kept."""

    def content(self, session: "Reception", header: bytes) -> Maybe[Reply | None]:
        """Judge the whole message by its header section as it came; ``None`` accepts it."""

    def expand(self, session: "Reception", event: events.Expand) -> Maybe[Reply]:
        """Answer EXPN."""

    def flush(self, session: "Reception", event: events.Etrn) -> Maybe[Reply]:
        """Answer ETRN."""
