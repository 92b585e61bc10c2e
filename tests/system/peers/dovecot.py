"""Dovecot, as Debian builds it: a mail store that is delivered to by LMTP (RFC 2033)."""

from typing import Any

from tests.system.peers.peer import Peer

LMTP_PORT = 24

_CONFIG = """\
protocols = lmtp
log_path = /var/log/dovecot
ssl = no
hostname = {hostname}
mail_location = maildir:~/Maildir
auth_username_format = %n
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd
}}
service lmtp {{
  inet_listener lmtp {{
    address = {address}
    port = {port}
  }}
}}
"""


class Dovecot(Peer):
    """It has no command for sending mail, nor a name in DNS."""

    name = "dovecot"
    system = ("dovecot", "dovenull")
    server = ("/usr/sbin/dovecot", "-F")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.port = LMTP_PORT

    def configure(self) -> None:
        """See `Peer.configure`. Another program listens there than that which is started."""
        self._write("etc/dovecot/dovecot.conf", _CONFIG)
        self.quarters.make("var/lib/dovecot")
