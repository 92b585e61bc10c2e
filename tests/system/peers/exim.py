"""Exim, as Debian builds it."""

from tests.system.peers.peer import Peer

_CONFIG = """\
primary_hostname = {hostname}
daemon_smtp_ports = {port}
local_interfaces = {address}
spool_directory = /var/spool/exim
log_file_path = /var/log/exim/%s
keep_environment =
tls_advertise_hosts = *
tls_certificate = /etc/mx.pem
tls_privatekey = /etc/mx.key
host_lookup =
never_users =
acl_smtp_rcpt = recipient
acl_smtp_data = content

begin acl
recipient:
  accept hosts = {address}
  deny !domains = {domain}
  require verify = recipient
  accept
content:
  accept

begin routers
onward:
  driver = manualroute
  domains = ! {domain}
  route_list = * {relay} byname
  self = send
  transport = onward
people:
  driver = accept
  domains = {domain}
  check_local_user
  transport = maildir
  cannot_route_message = Unknown user

begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = $home/Maildir
onward:
  driver = smtp
  port = {relay_port}
"""


class Exim(Peer):
    """It runs as the user whom Debian's build names, and finds its configuration where Debian has it."""

    name = "exim"
    system = ("Debian-exim",)
    key_owner = "Debian-exim"
    server = ("/usr/sbin/exim4", "-bdf")
    sendmail = ("/usr/sbin/exim4",)
    log_file = "var/log/exim/main"
    chunks = (r" <= .* K ", r" => .* K ")

    def configure(self) -> None:
        """See `Peer.configure`."""
        self._write("etc/exim4/exim4.conf", _CONFIG)
        for folder in ("var/spool/exim", "var/log/exim"):
            self.quarters.make(folder, "Debian-exim", 0o750)
