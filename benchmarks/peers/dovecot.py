"""Debian's Dovecot, unpacked and set for speed: one process for many sessions, no flags, no ``stat``."""

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accounts import MESSAGE, PASSWORD, salted
from benchmarks.peers.peer import IDLE_POP3, LONG_AGO, POP3, Letter, Mailboxes, address, fill
from benchmarks.peers.unpacked import Unpacked

# Below its folder: who may be asked about passwords.
AUTH_SOCKET = "run/auth-for-others"
_CONFIG = """\
protocols = pop3
log_path = /var/log/dovecot
ssl = no
disable_plaintext_auth = no
mail_location = maildir:/var/mail/%n
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 1
maildir_very_dirty_syncs = yes
pop3_fast_size_lookups = yes
pop3_no_flag_updates = yes
passdb {{
  driver = passwd-file
  args = scheme=SSHA /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/mail/%n
}}
service pop3-login {{
  service_count = 0
  client_limit = 10000
  process_min_avail = 2
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 0
  client_limit = 50
  process_limit = 1000
  process_min_avail = 2
}}
service anvil {{
  client_limit = 25000
}}
service auth {{
  client_limit = 25000
  unix_listener /{auth} {{
    mode = 0666
  }}
}}
mail_max_userip_connections = 0
default_vsz_limit = 4G
"""


class Dovecot(Unpacked, Mailboxes):
    """It runs in mounts of its own, in which it looks installed."""

    name = "dovecot"
    system = ("dovecot", "dovenull", "vmail")
    roles = frozenset({POP3, IDLE_POP3})
    setup = (
        "tuned: service_count 0, 50 sessions a process, maildir_very_dirty_syncs, pop3_fast_size_lookups,"
        " pop3_no_flag_updates; {SSHA} passwords, no authentication cache"
    )

    def furnish(self) -> None:
        """See `Unpacked.furnish`."""
        self.quarters.write("etc/dovecot/dovecot.conf", _CONFIG.format(port=self.pop3_port, auth=AUTH_SOCKET))
        rows = "".join(f"{address(user)}:{salted(PASSWORD)}\n" for user in self.ground.users)
        self.quarters.write("etc/dovecot/users", rows, "dovecot", 0o640)
        self.quarters.make("var/lib/dovecot")
        self.quarters.make("var/mail", "vmail")

    def server(self) -> Sequence[str]:
        """See `Unpacked.server`."""
        return ["/usr/sbin/dovecot", "-F"]

    def listens(self) -> Sequence[int]:
        """See `Peer.listens`."""
        return [self.pop3_port]

    def maildir(self, user: str) -> Path:
        """See `Peer.maildir`."""
        return self.folder / "var/mail" / user

    @property
    def owner(self) -> int:
        """See `Mailboxes.owner`."""
        return (self.folder / "var/mail").stat().st_uid

    def fill(self, user: str, count: int, content: bytes = MESSAGE, files: bool = False) -> None:
        """See `Mailboxes.fill`."""
        fill(self.maildir(user), count, self._letter(content, files, LONG_AGO))

    def deliver(self, user: str) -> None:
        """See `Mailboxes.deliver`."""
        fill(self.maildir(user), 1, self._letter(MESSAGE, True, int(time.time())))

    def _letter(self, content: bytes, files: bool, second: int) -> Letter:
        lines = content.replace(b"\r\n", b"\n")
        end = f".mail,S={len(lines)},W={len(content)}"
        return Letter(lines, end, self.owner, files, second)
