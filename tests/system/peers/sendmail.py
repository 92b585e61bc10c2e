"""Sendmail, as Debian builds it."""

from tests.system.peers.peer import Peer
from tests.system.programs import run

# Its own macros make the configuration of this.
_CONFIG = """\
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch-nodns')dnl
define(`confPID_FILE', `/run/sendmail.pid')dnl
define(`confCACERT', `/etc/mx.pem')dnl
define(`confCACERT_PATH', `/etc/ssl/certs')dnl
define(`confSERVER_CERT', `/etc/mx.pem')dnl
define(`confSERVER_KEY', `/etc/mx.key')dnl
define(`confTO_IDENT', `0')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`ALIAS_FILE', `null:none')dnl
define(`STATUS_FILE', `')dnl
define(`SMART_HOST', `relay:[{relay}]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {relay_port}')dnl
define(`LOCAL_MAILER_PATH', `/bin/sh')dnl
define(`LOCAL_MAILER_ARGS', `sh /etc/mail/into-maildir $u')dnl
define(`LOCAL_MAILER_FLAGS', `Pno')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
DAEMON_OPTIONS(`Family=inet, Addr={address}, Port={port}')dnl
LOCAL_DOMAIN(`{domain}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
# It has no mailer of its own for a Maildir. It runs this one as the recipient.
_INTO_MAILDIR = """\
cd "/var/home/$1"
mkdir -p Maildir/tmp Maildir/new
cat >Maildir/tmp/$$
mv Maildir/tmp/$$ Maildir/new/$(date +%s%N).$$
"""
_MACROS = "/usr/share/sendmail/cf"
_SENDMAIL = "/usr/libexec/sendmail/sendmail"


class Sendmail(Peer):
    """It is one program for all it does; `-Am` keeps its sendmail command from a second queue for submission."""

    name = "sendmail"
    system = ("smmta", "smmsp")
    server = (_SENDMAIL, "-bD")
    sendmail = (_SENDMAIL, "-Am")

    def configure(self) -> None:
        """See `Peer.configure`."""
        self._write("etc/mail/sendmail.mc", _CONFIG)
        self.quarters.write("etc/mail/into-maildir", _INTO_MAILDIR)
        self.quarters.make("var/spool/mqueue", mode=0o700)
        command = ["m4", f"-D_CF_DIR_={_MACROS}/", f"{_MACROS}/m4/cf.m4", "/etc/mail/sendmail.mc"]
        self.quarters.write("etc/mail/sendmail.cf", run(self.quarters.command(*command)).stdout.decode())
