"""A mail server of another make: Debian's Postfix, on a host of the tests, as its administrator would set it up."""

import datetime
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mailsuite.certificates import self_signed, write_pair
from tests.system.network import Host
from tests.system.programs import run
from tests.system.site import until

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {hostname}
mydestination =
inet_interfaces = {address}
inet_protocols = ipv4
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
mynetworks_style = host
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {mailboxes} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtpd_peername_lookup = no
"""
# All of its programs that a test may want, none in chroot.
MASTER = """\
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
virtual unix - n n - - virtual
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Takes mail for *users* of *domain* into Maildirs, and sends what programs on its own host give it.

    *settings* are further ones. It is started by `start`, and gone after `close`.
    """

    def __init__(
        self, host: Host, hostname: str, domain: str, users: Iterable[str], settings: Mapping[str, str]
    ) -> None:
        self.host = host
        self.domain = domain
        self._folder = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
        self._folder.chmod(0o755)
        self._pid = 0
        for part in ("conf", "spool", "data", "mail"):
            (self._folder / part).mkdir()
        for part in ("data", "mail"):
            shutil.chown(self._folder / part, "postfix")
        pair = self_signed(hostname, datetime.datetime.now(datetime.UTC))
        write_pair(str(self._folder / "cert.pem"), str(self._folder / "key.pem"), pair)
        owner = pwd.getpwnam("postfix")
        main = _MAIN.format(
            folder=self._folder,
            hostname=hostname,
            domain=domain,
            address=host.address,
            mailboxes=", ".join(f"{{{user}@{domain} = {user}/}}" for user in users),
            uid=owner.pw_uid,
            gid=owner.pw_gid,
        )
        main += "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self._folder / "conf/main.cf").write_text(main)
        (self._folder / "conf/master.cf").write_text(MASTER.format(address=host.address, port=host.smtp_port))

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self._folder / "maillog").read_text()

    @property
    def running(self) -> bool:
        """Whether it is."""
        return self._pid != 0

    def start(self) -> None:
        """Begin to serve."""
        run(self.host.command(["/usr/sbin/postfix", "-c", self._folder / "conf", "start"]))
        self._pid = int((self._folder / "spool/pid/master.pid").read_text())

    def stop(self) -> None:
        """Serve no more: whoever connects is refused."""
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
            until(lambda: not os.path.exists(f"/proc/{self._pid}"), 20, "Postfix to stop")
            self._pid = 0

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._folder)

    def on_disk(self, user: str) -> list[bytes]:
        """Return the messages of *user*, with the line ends of the wire."""
        place = self._folder / "mail" / user / "new"
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in place.iterdir()] if place.is_dir() else []
