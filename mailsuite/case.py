"""What a policy judges: who wants to send from whom to whom."""

from dataclasses import dataclass

from mailsuite.address import Address
from mailsuite.envelope import Peer
from mailsuite.meaning import Login, Meaning


@dataclass(slots=True)
class Case:
    """One RCPT of a session. *sender* is ``None`` for the null path; *meaning* is the recipient's here."""

    peer: Peer
    helo: str
    login: Login | None
    sender: Address | None
    recipient: Address
    meaning: Meaning
