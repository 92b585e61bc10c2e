"""Debian's Exim, unpacked."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.accounts import DOMAIN, HOSTNAME, PASSWORD, RELAYED
from benchmarks.peers.peer import INBOUND, RELAY, SUBMISSION, write_certificate
from benchmarks.peers.unpacked import Unpacked

_CONFIG = """\
primary_hostname = {hostname}
daemon_smtp_ports = {port} : {submission}
local_interfaces = 127.0.0.1
spool_directory = /var/spool/exim
log_file_path = /var/log/exim/%s
keep_environment =
tls_advertise_hosts = ${{if eq{{$received_port}}{{{submission}}}{{*}}{{}}}}
tls_certificate = /etc/cert.pem
tls_privatekey = /etc/key.pem
host_lookup =
rfc1413_query_timeout = 0s
never_users =
message_logs = false
split_spool_directory = true
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 1000000
smtp_connect_backlog = 1024
remote_max_parallel = 20
acl_smtp_rcpt = recipient
acl_smtp_data = content

begin acl
recipient:
  accept domains = {domain} : {relayed}
  deny
content:
  accept

begin routers
onward:
  driver = manualroute
  domains = {relayed}
  route_list = * 127.0.0.1 byname
  self = send
  transport = onward
people:
  driver = accept
  domains = {domain}
  local_parts = lsearch;/etc/exim4/people
  transport = maildir

begin transports
maildir:
  driver = appendfile
  maildir_format
  create_directory
  user = vmail
  group = vmail
  directory = /var/mail/$local_part_data
onward:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_try_fastopen =

begin retry
* * F,1h,1s

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{{password}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""


class Exim(Unpacked):
    """It forks and executes itself for each message, and is slow by that."""

    name = "exim"
    system = ("Debian-exim", "vmail")
    roles = frozenset({INBOUND, RELAY, SUBMISSION})
    durable = "its spool files are synced before the 250; the Maildir file is synced later"
    setup = "no message logs, no look-ups, no limit of messages a connection; the password stands in its configuration"
    pace = 0.1

    def furnish(self) -> None:
        """See `Unpacked.furnish`."""
        facts = {"hostname": HOSTNAME, "domain": DOMAIN, "relayed": RELAYED, "password": PASSWORD}
        ports = {"port": self.smtp_port, "submission": self.submission_port, "sink": self.ground.sink}
        self.quarters.write("etc/exim4/exim4.conf", _CONFIG.format(**facts, **ports))
        people = "".join(f"{user}: {user}\n" for user in self.ground.users)
        self.quarters.write("etc/exim4/people", people)
        for folder in ("var/spool/exim", "var/log/exim"):
            self.quarters.make(folder, "Debian-exim", 0o750)
        self.quarters.make("var/mail", "vmail")
        write_certificate(self.folder / "etc")
        self.quarters.write("etc/key.pem", (self.folder / "etc/key.pem").read_text(), "Debian-exim", 0o400)

    def server(self) -> Sequence[str]:
        """See `Unpacked.server`."""
        return ["/usr/sbin/exim4", "-bdf"]

    def listens(self) -> Sequence[int]:
        """See `Peer.listens`."""
        return [self.smtp_port, self.submission_port]

    def maildir(self, user: str) -> Path:
        """See `Peer.maildir`."""
        return self.folder / "var/mail" / user
