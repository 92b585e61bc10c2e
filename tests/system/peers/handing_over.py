"""Servers of other makes that take mail from anybody and hand it over by LMTP, for our site to deliver."""

from tests.system.peers.exim import Exim
from tests.system.peers.opensmtpd import OpenSMTPD

_EXIM = """\
primary_hostname = {hostname}
daemon_smtp_ports = {port}
local_interfaces = {address}
spool_directory = /var/spool/exim
log_file_path = /var/log/exim/%s
keep_environment =
host_lookup =
never_users =
acl_smtp_rcpt = accept
acl_smtp_data = accept

begin routers
store:
  driver = accept
  domains = {domain}
  transport = store

begin transports
store:
  driver = smtp
  protocol = lmtp
  hosts = {relay}
  port = {relay_port}
  allow_localhost
  hosts_override

begin retry
* * F,1h,1s
"""

_OPENSMTPD = """\
listen on {address} port {port} hostname {hostname}
action "store" lmtp "{relay}:{relay_port}" rcpt-to virtual {{ "@" = "vmail" }}
match from any for domain "{domain}" action "store"
"""


class HandingExim(Exim):
    """Its transport of SMTP speaks LMTP, too."""

    def configure(self) -> None:
        """See `Peer.configure`."""
        super().configure()
        self._write("etc/exim4/exim4.conf", _EXIM)


class HandingOpenSMTPD(OpenSMTPD):
    """It needs a user whom mail for addresses of others is for."""

    system = (*OpenSMTPD.system, "vmail")

    def configure(self) -> None:
        """See `Peer.configure`."""
        super().configure()
        self._write("etc/smtpd.conf", _OPENSMTPD)
