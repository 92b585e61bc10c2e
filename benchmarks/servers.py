"""The servers that are measured: the suite as shipped, and a Postfix set up for the same durable work."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

DOMAIN = "example.test"
RECIPIENT = f"alice@{DOMAIN}"
# A domain of others, whose mail goes to the sink, and one whose hosts take nothing.
RELAYED = "sink.test"
DEAD = "dead.test"
PASSWORD = "alice-has-a-password"
BIN = Path(sys.executable).parent


class Server(Protocol):
    """A server that runs: *pid* is the process whose tree is counted."""

    name: str
    pid: int
    smtp_port: int

    def maildir(self) -> Path:
        """Return the Maildir of `RECIPIENT`."""

    def stop(self) -> None:
        """End the server."""


def landed(server: Server) -> int:
    """Count the messages that lie in the mailbox."""
    folder = server.maildir() / "new"
    return len(os.listdir(folder)) if folder.exists() else 0


class Suite:
    """``twistd mailsuite`` on a fresh site under *folder*; fsync on, as ever.

    *sink* and *dead* are the ports of the hosts that take `RELAYED`'s mail, and that of domains below `DEAD`.
    *prepare* is called with the folder of the site before it starts, which takes *start_seconds*.
    """

    name = "mailsuite"

    def __init__(
        self, folder: Path, sink: int = 25, dead: int = 25, prepare: Callable[[Path], None] = lambda site: None
    ) -> None:
        self.folder = folder / "suite"
        self.smtp_port, self.pop3_port = free_port(), free_port()
        self._make_site(sink, dead)
        prepare(self.folder)
        began = time.monotonic()
        command = [str(BIN / "twistd"), "--nodaemon", "--pidfile=", "mailsuite"]
        command += ["--config", str(self.folder / "mailsuite.toml")]
        with open(self.folder / "twistd.log", "wb") as log:
            self._process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        self.pid = self._process.pid
        wait_for_greeting(self.smtp_port)
        self.start_seconds = time.monotonic() - began

    def maildir(self) -> Path:
        """See `Server.maildir`."""
        return self.folder / "mail" / DOMAIN / "alice"

    def stop(self) -> None:
        """See `Server.stop`."""
        self._process.terminate()
        self._process.wait(30)

    def _make_site(self, sink: int, dead: int) -> None:
        run(BIN / "mailsuite", "init", self.folder, "--hostname", f"mail.{DOMAIN}", "--domain", DOMAIN)
        (self.folder / "mailsuite.toml").write_text(
            f'hostname = "mail.{DOMAIN}"\nallow_root = true\n'
            f'[listen.mta]\nservice = "mta"\nendpoint = "tcp:{self.smtp_port}:interface=127.0.0.1:backlog=1024"\n'
            f'[listen.pop3]\nservice = "pop3"\nauth = "always"\n'
            f'endpoint = "tcp:{self.pop3_port}:interface=127.0.0.1:backlog=1024"\n'
            f'[routes.sink]\nrecipients = ["{RELAYED}"]\nhost = "127.0.0.1"\nport = {sink}\n'
            f'[routes.dead]\nrecipients = [".{DEAD}"]\nhost = "127.0.0.1"\nport = {dead}\n'
        )
        config = ["--config", self.folder / "mailsuite.toml"]
        run(BIN / "mailsuite", "domain", "add", RELAYED, "--class", "relay", *config)
        run(BIN / "mailsuite", "user", "add", RECIPIENT, "--password-stdin", *config, given=PASSWORD)


_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{domain}
mydestination =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:{domain}/alice/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
in_flow_delay = 0
default_process_limit = 100
smtpd_peername_lookup = no
smtpd_client_event_limit_exceptions = 127.0.0.0/8
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_banner = $myhostname ESMTP
relay_domains = {relayed}
transport_maps = inline:{{{relayed}=relay:[127.0.0.1]:{sink}}}
default_destination_concurrency_limit = 20
smtp_host_lookup = native
"""

_MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Debian's Postfix with a virtual Maildir: synced into its queue, then delivered and synced again."""

    name = "postfix"

    def __init__(self, folder: Path, sink: int = 25) -> None:
        self.folder = folder / "postfix"
        self.smtp_port = free_port()
        conf = self.folder / "conf"
        for part in (conf, self.folder / "spool", self.folder / "data", self.folder / "mail" / DOMAIN):
            part.mkdir(parents=True)
        owner = pwd.getpwnam("postfix")
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail" / DOMAIN, "postfix")
        os.chmod(folder, 0o755)
        (conf / "main.cf").write_text(
            _MAIN_CF.format(
                folder=self.folder, domain=DOMAIN, uid=owner.pw_uid, gid=owner.pw_gid, relayed=RELAYED, sink=sink
            )
        )
        (conf / "master.cf").write_text(_MASTER_CF.format(port=self.smtp_port))
        run("/usr/sbin/postfix", "-c", conf, "start")
        wait_for_port(self.smtp_port)
        self.pid = int((self.folder / "spool" / "pid" / "master.pid").read_text())

    def maildir(self) -> Path:
        """See `Server.maildir`."""
        return self.folder / "mail" / DOMAIN / "alice"

    def stop(self) -> None:
        """See `Server.stop`."""
        os.kill(self.pid, signal.SIGTERM)
        for _ in range(100):
            if not os.path.exists(f"/proc/{self.pid}"):
                return
            time.sleep(0.1)


def has_postfix() -> bool:
    """Say whether a Postfix can be started here: it is installed, and we are root."""
    return os.geteuid() == 0 and os.path.exists("/usr/sbin/postfix")


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30.0) -> None:
    """Return when something listens on *port*. Raises `TimeoutError`."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise TimeoutError(f"nothing listens on port {port}") from None
            time.sleep(0.05)


def wait_for_greeting(port: int, seconds: float = 120.0) -> None:
    """Return when a server greets at *port*, which may be bound long before. Raises `TimeoutError`."""
    wait_for_port(port, seconds)
    with socket.create_connection(("127.0.0.1", port), seconds) as session:
        session.recv(512)


def run(*command: object, given: str | None = None) -> None:
    """Run *command*; what it says is shown only if it fails."""
    done = subprocess.run([str(part) for part in command], input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
