"""Postfix, as it is installed, with a configuration of the test's."""

from tests.system.peers.peer import Peer
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
_MASTER = """\
{address}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
local unix - n n - - local
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Peer):
    """Its many programs run outside of chroot."""

    name = "postfix"
    server = ("/usr/lib/postfix/sbin/master", "-d")
    sendmail = ("/usr/sbin/sendmail",)

    def configure(self) -> None:
        """See `Peer.configure`. The folders of its queue are made by its own program."""
        self._write("etc/postfix/main.cf", _MAIN)
        self._write("etc/postfix/master.cf", _MASTER)
        self.quarters.make("var/spool/postfix")
        self.quarters.make("var/lib/postfix", "postfix")
        run(self.quarters.command("postfix", "check"))
