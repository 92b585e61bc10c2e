"""Who may send where (RFC 5321 §3.6, §7.1; RFC 2505 §2.1): nothing is ever relayed for a stranger."""

from zope.interface import implementer

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.interfaces import IBackupRecipients, IRelayPolicy
from mailsuite.maybe import Maybe, then
from mailsuite.meaning import Foreign, Known, Login, Meaning, Relayed
from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply


@implementer(IRelayPolicy)
class NoRelay:
    """The MTA's: mail for domains of ours, from anybody; for others from nobody, loopback included.

    A domain that we are the backup MX of is one of ours, and a recipient that its primary would refuse is refused
    here: what is not taken need not be returned. *recipients* knows of these; without it all of them are taken.
    """

    def __init__(self, recipients: IBackupRecipients | None = None) -> None:
        self._recipients = recipients

    def judge(self, peer: Peer, login: Login | None, recipient: Address, meaning: Meaning) -> Maybe[Reply | None]:
        """See `IRelayPolicy.judge`."""
        if isinstance(meaning, Foreign):
            return replies.NO_RELAY
        if isinstance(meaning, Relayed) and meaning.backup and self._recipients is not None:
            return then(self._recipients.known(recipient), _unless_unknown)
        return None


@implementer(IRelayPolicy)
class OwnOnly:
    """The MDA's: mail for addresses of ours and nothing else; what is only passed on is the MTA's."""

    def judge(self, peer: Peer, login: Login | None, recipient: Address, meaning: Meaning) -> Maybe[Reply | None]:
        """See `IRelayPolicy.judge`."""
        return replies.NOT_DELIVERED_HERE if isinstance(meaning, Foreign | Relayed) else None


@implementer(IRelayPolicy)
class SubmissionRelay:
    """The MSA's: a login may send anywhere."""

    def judge(self, peer: Peer, login: Login | None, recipient: Address, meaning: Meaning) -> Maybe[Reply | None]:
        """See `IRelayPolicy.judge`."""
        return replies.AUTH_REQUIRED if login is None else None


def _unless_unknown(known: Known) -> Maybe[Reply | None]:
    if known == "later":
        # That we are too busy to ask is no reason to take what the primary may refuse: a flood would see to it.
        return replies.TOO_BUSY
    # Where nobody can say it is taken: a backup is for the time when the primary is away.
    return replies.UNKNOWN_USER if known is False else None
