"""aiosmtpd, one process, with a handler that stores durably."""

from benchmarks.peers.peer import IDLE_SMTP, INBOUND, SUBMISSION
from benchmarks.peers.python import PythonPeer


class Aiosmtpd(PythonPeer):
    """It has no queue, so that it relays nothing."""

    name = "aiosmtpd"
    roles = frozenset({INBOUND, SUBMISSION, IDLE_SMTP})
    setup = "one process, the default event loop; a handler of ours; {SSHA} passwords"
    package = "aiosmtpd"
    module = "benchmarks.peers.aiosmtpd_server"
