"""Who may send where (RFC 5321 §3.6, §7.1; RFC 2505 §2.1): nothing is ever relayed for a stranger."""

from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import IRelayPolicy
from mailsuite.maybe import Maybe
from mailsuite.meaning import Foreign, Login, Meaning
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply


@implementer(IRelayPolicy)
class NoRelay:
    """The MTA's: mail for our own domains, from anybody; for others from nobody, loopback included."""

    def judge(self, peer: Peer, login: Login | None, recipient: Address, meaning: Meaning) -> Maybe[Reply | None]:
        """See `IRelayPolicy.judge`."""
        return replies.NO_RELAY if isinstance(meaning, Foreign) else None


@implementer(IRelayPolicy)
class SubmissionRelay:
    """The MSA's: a login may send anywhere; what is not for us has to wait until mail is sent out at all."""

    def judge(self, peer: Peer, login: Login | None, recipient: Address, meaning: Meaning) -> Maybe[Reply | None]:
        """See `IRelayPolicy.judge`."""
        if login is None:
            return replies.AUTH_REQUIRED
        return replies.NOT_YET_RELAYED if isinstance(meaning, Foreign) else None
