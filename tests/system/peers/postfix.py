"""Postfix, as it is installed, with a configuration of the test's."""

from tests.system.peers.peer import Peer
from tests.system.postfix import MASTER
from tests.system.programs import run

_MAIN = """\
compatibility_level = 3.6
myhostname = {hostname}
mydestination = {domain}
alias_maps =
alias_database =
local_recipient_maps = unix:passwd.byname
home_mailbox = Maildir/
inet_protocols = ipv4
inet_interfaces = all
relayhost = [{relay}]:{relay_port}
smtp_tls_security_level = may
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/mx.pem
smtpd_tls_key_file = /etc/mx.key
smtpd_peername_lookup = no
smtpd_recipient_restrictions = reject_unauth_destination
maillog_file = /var/log/postfix
biff = no
"""


class Postfix(Peer):
    """Its many programs run outside of chroot."""

    name = "postfix"
    server = ("/usr/lib/postfix/sbin/master", "-d")
    sendmail = ("/usr/sbin/sendmail",)
    log_file = "var/log/postfix"
    chunks = (r" bdat=[1-9]",)

    def configure(self) -> None:
        """See `Peer.configure`. The folders of its queue are made by its own program."""
        self._write("etc/postfix/main.cf", _MAIN)
        self._write("etc/postfix/master.cf", MASTER)
        self.quarters.make("var/spool/postfix")
        self.quarters.make("var/lib/postfix", "postfix")
        run(self.quarters.command("postfix", "check"))
