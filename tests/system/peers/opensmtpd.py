"""OpenSMTPD, as Debian builds it."""

from collections.abc import Sequence
from typing import ClassVar

from tests.system.peers.peer import Peer

_CONFIG = """\
pki {hostname} cert "/etc/mx.pem"
pki {hostname} key "/etc/mx.key"
listen on {address} port {port} tls pki {hostname} hostname {hostname}
action "people" maildir "/var/home/%{{user.username}}/Maildir"
action "onward" relay host "smtp://{relay}:{relay_port}"
match from any for domain "{domain}" action "people"
match from local for any action "onward"
"""


class OpenSMTPD(Peer):
    """It offers STARTTLS, but Debian 12's build of it (6.8.0p2 with OpenSSL 3) breaks off in the handshake.

    "missing private key", says its log: its processes keep keys from each other in a way that OpenSSL 3 has left
    behind.
    """

    name = "opensmtpd"
    system: ClassVar[Sequence[str]] = ("opensmtpd", "opensmtpq")
    server = ("/usr/sbin/smtpd", "-d", "-v")
    # Where it is installed, the file itself is of this group.
    sendmail = ("setpriv", "--regid", "opensmtpq", "--clear-groups", "/usr/sbin/sendmail")
    # It makes quoted-printable of them.
    rewrites = ("long lines",)

    def configure(self) -> None:
        """See `Peer.configure`."""
        self._write("etc/smtpd.conf", _CONFIG)
        self.quarters.make("var/lib/opensmtpd/empty")
