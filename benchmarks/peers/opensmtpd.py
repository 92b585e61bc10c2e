"""Debian's OpenSMTPD, unpacked."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.accounts import DOMAIN, HOSTNAME, RELAYED
from benchmarks.peers.peer import INBOUND, RELAY
from benchmarks.peers.unpacked import Unpacked

_CONFIG = """\
listen on lo port {port} hostname {hostname}
smtp max-message-size 50M
smtp limit max-mails 1000000
smtp limit max-rcpt 1000000
action "people" maildir "/var/home/%{{user.username}}/Maildir"
action "onward" relay host "smtp://127.0.0.1:{sink}"
match from any for domain "{domain}" action "people"
match from any for domain "{relayed}" action "onward"
"""


class OpenSMTPD(Unpacked):
    """Debian 12's build of it breaks off every handshake of TLS, so that it takes no part in submission."""

    name = "opensmtpd"
    system = ("opensmtpd", "opensmtpq")
    roles = frozenset({INBOUND, RELAY})
    durable = "its queue file is not synced before the 250 (as traced); its Maildir helper syncs later"
    setup = "its limits of mails and recipients a session raised"
    pace = 0.1
    # It stands still for seconds when many connections open at once, which is no measure of anything.
    full_only = True

    def furnish(self) -> None:
        """See `Unpacked.furnish`."""
        facts = {"hostname": HOSTNAME, "domain": DOMAIN, "relayed": RELAYED}
        ports = {"port": self.smtp_port, "sink": self.ground.sink}
        self.quarters.write("etc/smtpd.conf", _CONFIG.format(**ports, **facts))
        self.quarters.make("var/lib/opensmtpd/empty")

    def people(self) -> Sequence[str]:
        """See `Unpacked.people`."""
        return self.ground.users

    def server(self) -> Sequence[str]:
        """See `Unpacked.server`."""
        return ["/usr/sbin/smtpd", "-d"]

    def maildir(self, user: str) -> Path:
        """See `Peer.maildir`."""
        return self.folder / "var/home" / user / "Maildir"
