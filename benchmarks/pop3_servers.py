"""The POP3 servers that are measured: the suite as shipped, and Debian's Dovecot where it is unpacked.

Both have the same passwords ({SSHA}, checked at every login), and mailboxes of the same messages.
"""

import base64
import hashlib
import os
import signal
import smtplib
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from benchmarks.servers import BIN, DOMAIN, PASSWORD, Suite, free_port, run, wait_for_greeting
from tests.system.network import Host
from tests.system.quarters import Quarters, refused
from tests.system.unpacked import PLACE, missing

MESSAGE = b"From: <bench@client.example>\r\nSubject: benchmark\r\n\r\n" + b"x" * 78 + b"\r\n"
_FIRST_SECOND = 1_700_000_000


class Pop3Server(Protocol):
    """A server with mailboxes; *pid* is the process whose tree is counted."""

    name: str
    pid: int
    pop3_port: int

    def fill(self, user: str, count: int, content: bytes = MESSAGE) -> None:
        """Let there be *count* messages in the mailbox of *user*, none of them just come."""

    def deliver(self, user: str) -> None:
        """Let one more message come, as mail comes to this server."""

    def stop(self) -> None:
        """End the server."""


def salted(password: str) -> str:
    """Return *password* as both servers have it."""
    salt = b"benchsalt"
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def login(user: str) -> str:
    """Return the login of *user*."""
    return f"{user}@{DOMAIN}"


class OwnServer(Suite):
    """The suite, with *users*."""

    def __init__(self, folder: Path, users: Iterable[str]) -> None:
        self._users = list(users)
        super().__init__(folder, prepare=self._add_users)

    def _add_users(self, site: Path) -> None:
        config = site / "mailsuite.toml"
        with config.open("a") as file:
            file.write("[directory]\nrenew_hashes = false\n")
        rows = "".join(f"{login(user)}:{PASSWORD}\n" for user in self._users)
        # Hashing by the current scheme would take longer than all that is measured.
        run(BIN / "mailsuite", "user", "import", "-", "--config", config, given=rows[: rows.index("\n") + 1])
        with sqlite3.connect(site / "accounts.sqlite") as accounts:
            for user in self._users[1:]:
                _insert(accounts, user)
            accounts.execute("UPDATE credentials SET stored = ? WHERE kind = 'password'", (salted(PASSWORD),))
        accounts.close()

    def fill(self, user: str, count: int, content: bytes = MESSAGE) -> None:
        """See `Pop3Server.fill`."""
        fill(self.folder / "mail" / DOMAIN / user, "new", count, content, -1, f",S={len(content)},W={len(content)}")

    def deliver(self, user: str) -> None:
        """See `Pop3Server.deliver`."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60) as session:
            session.sendmail("bench@client.example", login(user), MESSAGE)


def _insert(accounts: sqlite3.Connection, user: str) -> None:
    box = accounts.execute("INSERT INTO mailboxes (path) VALUES (?)", (f"{DOMAIN}/{user}",)).lastrowid
    number = accounts.execute("INSERT INTO logins (name, mailbox_id) VALUES (?, ?)", (login(user), box)).lastrowid
    accounts.execute(
        "INSERT INTO addresses (domain_id, local, mailbox_id) SELECT id, ?, ? FROM domains WHERE name = ?",
        (user, box, DOMAIN),
    )
    accounts.execute("INSERT INTO credentials (login_id, kind, stored) VALUES (?, 'password', '')", (number,))


_DOVECOT = """\
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
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
mail_max_userip_connections = 0
default_vsz_limit = 4G
"""


def no_dovecot() -> str:
    """Say why there is no Dovecot to be measured; empty: there is."""
    return missing("dovecot") or refused()


class Dovecot:
    """Debian's Dovecot, set for speed, with *users*: one process for many sessions, no flags, no ``stat``."""

    name = "dovecot"

    def __init__(self, folder: Path, users: Iterable[str]) -> None:
        self.pop3_port = free_port()
        os.chmod(folder, 0o755)
        self.folder = folder / "dovecot"
        self.folder.mkdir()
        host = Host("127.0.0.1", 25, 53, {})
        system = ("dovecot", "dovenull", "vmail")
        self._quarters = Quarters(self.folder, PLACE / "dovecot", host, f"mail.{DOMAIN}", system, ())
        self._quarters.write("etc/dovecot/dovecot.conf", _DOVECOT.format(port=self.pop3_port))
        rows = "".join(f"{login(user)}:{salted(PASSWORD)}\n" for user in users)
        self._quarters.write("etc/dovecot/users", rows, "dovecot", 0o640)
        for path in ("var/lib/dovecot", "var/mail"):
            self._quarters.make(path, "vmail" if path == "var/mail" else "root")
        self._owner = (self.folder / "var/mail").stat().st_uid
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._quarters.command("/usr/sbin/dovecot", "-F"), stdout=log, stderr=log, start_new_session=True
            )
        self.pid = self._process.pid
        wait_for_greeting(self.pop3_port)

    def fill(self, user: str, count: int, content: bytes = MESSAGE) -> None:
        """See `Pop3Server.fill`."""
        self._put(user, count, content)

    def deliver(self, user: str) -> None:
        """See `Pop3Server.deliver`."""
        self._put(user, 1, MESSAGE, int(time.time()))

    def stop(self) -> None:
        """See `Pop3Server.stop`."""
        os.killpg(self.pid, signal.SIGTERM)
        self._process.wait(30)

    def _put(self, user: str, count: int, content: bytes, second: int = _FIRST_SECOND) -> None:
        lines = content.replace(b"\r\n", b"\n")
        box = self.folder / "var/mail" / user
        fill(box, "new", count, lines, self._owner, f".mail,S={len(lines)},W={len(content)}", second)


def fill(
    box: Path, folder: str, count: int, content: bytes, owner: int, end: str, second: int = _FIRST_SECOND
) -> None:
    """Write *count* files into the Maildir *box*; all of it is *owner*'s, if that is not -1."""
    for part in ("", "tmp", "new", "cur"):
        if not (box / part).is_dir():
            (box / part).mkdir(parents=True)
            os.chown(box / part, owner, owner)
    for number in range(count):
        name = f"{second + number // 100}.M{number % 100 * 10_000:06d}P1Q{number:x}{end}"
        fd = os.open(box / folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, content)
        os.fchown(fd, owner, owner)
        os.close(fd)
    if second == _FIRST_SECOND:
        # Not just come: a listing taken so soon would be trusted by nobody.
        for part in ("new", "cur"):
            os.utime(box / part, ns=(1, _FIRST_SECOND * 1_000_000_000 + 123_456_789))
