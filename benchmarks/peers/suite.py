"""The suite as shipped: ``twistd mailsuite`` on a fresh site."""

import smtplib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.accounts import DEAD, DOMAIN, HOSTNAME, MESSAGE, PASSWORD, RELAYED, salted
from benchmarks.peers.peer import (
    ANY_ROLE,
    INBOUND,
    POP3,
    RELAY,
    SUBMISSION,
    Ground,
    Letter,
    Mailboxes,
    address,
    fill,
    run,
)
from benchmarks.results import OURS, OURS_BY_TWO
from mailsuite import __version__

BIN = Path(sys.executable).parent
_ENDPOINT = "tcp:{port}:interface=127.0.0.1:backlog=1024"
_CONFIG = """\
hostname = "{hostname}"
allow_root = true
workers = {workers}
[tls]
certificate = "cert.pem"
key = "key.pem"
[directory]
renew_hashes = false
[sasl]
secrets = []
[limits]
connections = 30000
session_messages = 1000000
login_messages = 10000000
login_recipients = 10000000
[listen.mta]
service = "mta"
tls = "starttls"
endpoint = "{mta}"
[listen.submission]
service = "submission"
tls = "starttls"
endpoint = "{submission}"
[listen.pop3]
service = "pop3"
auth = "always"
endpoint = "{pop3}"
[routes.sink]
recipients = ["{relayed}"]
host = "127.0.0.1"
port = {sink}
[routes.dead]
recipients = [".{dead_domain}"]
host = "127.0.0.1"
port = {dead}
"""


def _nothing(site: Path) -> None:
    """A site as it is made."""


class Suite(Mailboxes):
    """*prepare* is called with the folder of the site before it starts."""

    name = OURS
    workers = 1
    roles = ANY_ROLE
    durable = "the file and its name, or the queue's row, are on disk before the 250 (one sync for all in flight)"
    setup = "one process; {SSHA} passwords, checked at every login; limits raised for one client that does all"

    def __init__(self, ground: Ground, prepare: Callable[[Path], None] = _nothing) -> None:
        super().__init__(ground)
        self._prepare = prepare

    @classmethod
    def missing(cls) -> str:
        """See `Peer.missing`."""
        return ""

    @classmethod
    def version(cls) -> str:
        """See `Peer.version`."""
        return __version__

    @property
    def config(self) -> Path:
        """The file of its configuration."""
        return self.folder / "mailsuite.toml"

    def configure(self) -> None:
        """See `Peer.configure`."""
        run(BIN / "mailsuite", "init", self.folder, "--hostname", HOSTNAME, "--domain", DOMAIN)
        ports = {"mta": self.smtp_port, "submission": self.submission_port, "pop3": self.pop3_port}
        endpoints = {name: _ENDPOINT.format(port=port) for name, port in ports.items()}
        self.config.write_text(
            _CONFIG.format(
                hostname=HOSTNAME,
                workers=self.workers,
                relayed=RELAYED,
                sink=self.ground.sink,
                dead_domain=DEAD,
                dead=self.ground.dead,
                **endpoints,
            )
        )
        run(BIN / "mailsuite", "domain", "add", RELAYED, "--class", "relay", "--config", self.config)
        if self.ground.users:
            rows = "".join(f"{address(user)}:{salted(PASSWORD)}\n" for user in self.ground.users)
            run(BIN / "mailsuite", "user", "import", "--hashed", "-", "--config", self.config, given=rows)
        self._prepare(self.folder)

    def command(self) -> Sequence[str | Path]:
        """See `Peer.command`."""
        return [BIN / "twistd", "--nodaemon", "--pidfile=", "mailsuite", "--config", self.config]

    def listens(self) -> Sequence[int]:
        """See `Peer.listens`."""
        return [self.smtp_port, self.submission_port, self.pop3_port]

    def maildir(self, user: str) -> Path:
        """See `Peer.maildir`."""
        return self.folder / "mail" / DOMAIN / user

    def fill(self, user: str, count: int, content: bytes = MESSAGE, files: bool = False) -> None:
        """See `Mailboxes.fill`."""
        fill(self.maildir(user), count, Letter(content, f",S={len(content)},W={len(content)}", files=files))

    def deliver(self, user: str) -> None:
        """See `Mailboxes.deliver`."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60) as session:
            session.sendmail("bench@client.example", address(user), MESSAGE)


class SuiteByTwo(Suite):
    """The same as two processes, which share its sockets."""

    name = OURS_BY_TWO
    workers = 2
    roles = frozenset({INBOUND, RELAY, SUBMISSION, POP3})
    setup = "the suite again, with workers = 2"
