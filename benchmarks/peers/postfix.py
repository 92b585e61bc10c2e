"""Debian's Postfix, with virtual Maildirs, and for submission a Dovecot that it asks about passwords."""

import os
import pwd
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from benchmarks.accounts import DOMAIN, HOSTNAME, RELAYED
from benchmarks.peers.dovecot import AUTH_SOCKET, Dovecot
from benchmarks.peers.peer import INBOUND, RELAY, SUBMISSION, Ground, Peer, address, installed, run, write_certificate

_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {hostname}
mydestination =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
in_flow_delay = 0
default_process_limit = 110
smtpd_peername_lookup = no
smtpd_client_event_limit_exceptions = 127.0.0.0/8
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_banner = $myhostname ESMTP
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
relay_domains = {relayed}
transport_maps = inline:{{{relayed}=relay:[127.0.0.1]:{sink}}}
default_destination_concurrency_limit = 20
smtp_host_lookup = native
"""

_MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
 -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
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


class Postfix(Peer):
    """Its many programs run outside of chroot."""

    name = "postfix"
    roles = frozenset({INBOUND, RELAY, SUBMISSION})
    durable = "its queue file is synced before the 250; virtual(8) syncs the Maildir file later"
    setup = (
        "110 processes, no anvil, no name look-ups, no input delay, nothing in chroot; passwords ({SSHA}) by Dovecot's"
        " auth, whose CPU counts"
    )

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._others = ExitStack()
        self._auth: Dovecot | None = None

    @classmethod
    def missing(cls) -> str:
        """See `Peer.missing`. Without a Dovecot its logins fail, so that it is not there for anything."""
        if os.geteuid() != 0:
            return "Postfix is started by root alone"
        if not installed("postfix"):
            return "not installed: Debian package postfix"
        return Dovecot.missing()

    @classmethod
    def version(cls) -> str:
        """See `Peer.version`."""
        return run("/usr/sbin/postconf", "-d", "-h", "mail_version").strip()

    def configure(self) -> None:
        """See `Peer.configure`."""
        owner = pwd.getpwnam("postfix")
        for part in ("conf", "spool", "data", f"mail/{DOMAIN}"):
            (self.folder / part).mkdir(parents=True)
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail" / DOMAIN, "postfix")
        write_certificate(self.folder)
        rows = "".join(f"{address(user)} {DOMAIN}/{user}/\n" for user in self.ground.users)
        (self.folder / "mailboxes").write_text(rows)
        facts = {"domain": DOMAIN, "hostname": HOSTNAME, "relayed": RELAYED, "sink": self.ground.sink}
        auth = "none" if self._auth is None else self._auth.folder / AUTH_SOCKET
        (self.folder / "conf/main.cf").write_text(
            _MAIN_CF.format(folder=self.folder, uid=owner.pw_uid, gid=owner.pw_gid, auth=auth, **facts)
        )
        (self.folder / "conf/master.cf").write_text(
            _MASTER_CF.format(port=self.smtp_port, submission=self.submission_port)
        )
        # It makes the folders of the queue.
        run("/usr/sbin/postfix", "-c", self.folder / "conf", "check")

    def command(self) -> Sequence[str | Path]:
        """See `Peer.command`."""
        return ["/usr/lib/postfix/sbin/master", "-c", self.folder / "conf", "-d"]

    def maildir(self, user: str) -> Path:
        """See `Peer.maildir`."""
        return self.folder / "mail" / DOMAIN / user

    def cpu(self) -> float:
        """See `Peer.cpu`: with that of the Dovecot it asks."""
        return super().cpu() + (0.0 if self._auth is None else self._auth.cpu())

    def __enter__(self) -> Self:
        beside = self.ground.folder / "auth"
        beside.mkdir(exist_ok=True)
        with self._others:
            self._auth = self._others.enter_context(Dovecot(replace(self.ground, folder=beside)))
            super().__enter__()
            self._others = self._others.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            super().__exit__(*error)
        finally:
            self._others.close()
