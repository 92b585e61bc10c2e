"""twisted.mail, one process, with a delivery that stores durably."""

from collections.abc import Sequence

from benchmarks.peers.peer import IDLE_POP3, IDLE_SMTP, INBOUND, SUBMISSION
from benchmarks.peers.python import PythonPeer


class TwistedMail(PythonPeer):
    """Its relay manager has no durable queue, so that it relays nothing; its POP3 is there at rest alone."""

    name = "twisted.mail"
    roles = frozenset({INBOUND, SUBMISSION, IDLE_SMTP, IDLE_POP3})
    setup = "one process, the epoll reactor; ESMTP and POP3 of twisted.mail, a delivery of ours; {SSHA} passwords"
    package = "twisted"
    module = "benchmarks.peers.twisted_mail_server"

    def listens(self) -> Sequence[int]:
        """See `Peer.listens`."""
        return [*super().listens(), self.pop3_port]
