"""Mail moves: from a real Dovecot to a site of ours while both serve it, and from a running site into its backup."""

import imaplib
import poplib
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event, Thread

import pytest
from passlib.hash import sha512_crypt

from tests.system.dovecot import serving
from tests.system.fetchers import pop3_session
from tests.system.ports import free_ports
from tests.system.quarters import Quarters, refused
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site, secret
from tests.system.unpacked import missing

pytestmark = pytest.mark.system

USERS = ("alice", "bob")
WHEN = '"01-Mar-2024 10:00:00 +0000"'
_CONFIG = """\
protocols = imap pop3
log_path = /var/log/dovecot
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%n
pop3_uidl_format = {form}
first_valid_uid = 1
auth_username_format = %n
passdb {{
  driver = passwd-file
  args = username_format=%n@{domain} {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
}}
"""


class Dovecot:
    """The old server: its users, whose passwords are those that a site would give them, and where it listens."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder = folder
        self.form = form
        self.imap_port, self.pop3_port = free_ports(2)
        (folder / "mail").mkdir()
        shutil.chown(folder / "mail", "nobody")
        hashes = ["{SHA512-CRYPT}" + sha512_crypt.using(rounds=1000).hash(secret(user)) for user in USERS]
        rows = (f"{user}@{DOMAIN}:{each}::::::\n" for user, each in zip(USERS, hashes, strict=True))
        (folder / "users").write_text("".join(rows))
        (folder / "users").chmod(0o644)

    def serving(self) -> AbstractContextManager[Quarters]:
        """Let it serve."""
        ports = {"imap": self.imap_port, "pop3": self.pop3_port}
        config = _CONFIG.format(folder=self.folder, form=self.form, domain=DOMAIN, **ports)
        return serving(self.folder / "quarters", {"dovecot.conf": config}, *ports.values())

    def imap(self, user: str) -> imaplib.IMAP4:
        """A session that has selected the inbox."""
        session = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30)
        session.login(user, secret(user))
        session.select()
        return session

    def pop3(self, user: str) -> poplib.POP3:
        """A session."""
        session = poplib.POP3("127.0.0.1", self.pop3_port, timeout=30)
        session.user(user)
        session.pass_(secret(user))
        return session

    def hand_over(self) -> str:
        """Let everybody read what it keeps, as who moves here sees to; return the pattern of the Maildirs."""
        subprocess.run(["chmod", "-R", "a+rX", self.folder / "mail"], check=True)
        return f"{self.folder}/mail/%n"


def shown(session: poplib.POP3) -> list[tuple[bytes, int, bytes]]:
    """What a client sees of a mailbox: unique ids, sizes, contents, by their unique ids.

    Of one second Dovecot has them in the order of their coming, and ours by name.
    """
    ids = [row.split()[1] for row in session.uidl()[1]]
    sizes = [int(row.split()[1]) for row in session.list()[1]]
    texts = [b"\r\n".join(session.retr(number)[1]) for number in range(1, len(ids) + 1)]
    session.quit()
    return sorted(zip(ids, sizes, texts, strict=True))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that all may read: Dovecot's users are not root."""
    made = Path(tempfile.mkdtemp(prefix="mailsuite-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(bool(missing("dovecot") or refused()), reason=missing("dovecot") or refused())
@pytest.mark.parametrize("form", ["%v.%u", pytest.param("%08Xu%08Xv", marks=pytest.mark.slow)])
def test_a_mailbox_moves_while_both_serve(folder: Path, form: str) -> None:
    """Unique ids, sizes, contents, flags, dates, folders and passwords: all as it was, and nothing twice."""
    dovecot = Dovecot(folder, form)
    with Site() as site, dovecot.serving():
        session = dovecot.imap("alice")
        for number in range(5):
            flags = "(\\Seen \\Answered)" if number % 2 else ""
            session.append("INBOX", flags, WHEN, f"Subject: {number}\r\n\r\n.text {number}\r\n".encode())
        session.create("Sent")
        session.append("Sent", "(\\Seen)", WHEN, b"Subject: sent\r\n\r\ntext\r\n")
        # Their unique ids are not simply one after the other.
        session.store("2", "+FLAGS", "\\Deleted")
        session.expunge()
        session.logout()
        dovecot.imap("bob").logout()
        before = shown(dovecot.pop3("alice"))
        words = ("import", "dovecot", str(folder / "users"), "--mail", dovecot.hand_over(), "--uidl-format", form)

        said = site.cli(*words).stdout
        assert f"alice@{DOMAIN}: 4 brought (4 with the unique ids they had)" in said
        assert f"alice@{DOMAIN}, folder Sent: 1 brought" in said
        assert shown(pop3_session(site, f"alice@{DOMAIN}")) == before == shown(dovecot.pop3("alice"))
        names = sorted(path.name for path in (site.maildir("alice") / "cur").iterdir())
        assert sum(name.endswith(":2,RS") for name in names) == 1
        assert all(path.stat().st_mtime == 1_709_287_200 for path in (site.maildir("alice") / "cur").iterdir())

        # More has come there meanwhile, and something was read and removed here.
        session = dovecot.imap("alice")
        session.append("INBOX", "", WHEN, b"Subject: late\r\n\r\nlate\r\n")
        session.logout()
        late = shown(dovecot.pop3("alice"))
        dovecot.hand_over()
        client = pop3_session(site, f"alice@{DOMAIN}")
        gone = client.uidl(1).split()[2]
        client.dele(1)
        client.quit()
        assert f"alice@{DOMAIN}: 1 brought (1 with the unique ids they had), 4 were here" in site.cli(*words).stdout
        assert shown(pop3_session(site, f"alice@{DOMAIN}")) == [each for each in late if each[0] != gone]


def test_a_backup_of_a_running_site(folder: Path) -> None:
    """Made while mail comes in; the restored site has all that was there when it began, and each message is whole."""
    with Site(users=["alice"]) as site:
        with smtp_session(site, "mta", "a@client.example") as session:
            _send(session, range(20))
        stop = Event()
        sender = Thread(target=_send_until, args=(site, stop))
        sender.start()
        try:
            for _ in range(2):
                site.cli("backup", str(folder / "backup"))
        finally:
            stop.set()
            sender.join()
        other = Site()
        other.folder.mkdir()
        shutil.copy(folder / "backup" / "mailsuite.toml", other.config)
        other.cli("restore", str(folder / "backup"))
        other.write_config()
        assert "All is as it should be" in other.cli("verify", "--read").stdout
        with other:
            client = pop3_session(other, f"alice@{DOMAIN}")
            subjects = {text.partition(b"Subject: ")[2].partition(b"\r\n")[0] for _, _, text in shown(client)}
            assert {b"%d" % number for number in range(20)} <= subjects
            assert len(subjects) > 20


def _send(session: smtplib.SMTP, numbers: Iterable[int]) -> None:
    for number in numbers:
        text = f"Subject: {number}\r\n\r\n{'x' * number}\r\n"
        session.sendmail("a@client.example", f"alice@{DOMAIN}", text)


def _send_until(site: Site, stop: Event) -> None:
    with smtp_session(site, "mta", "a@client.example") as session:
        # No more than one session may send.
        for number in range(20, 400):
            if stop.is_set():
                return
            _send(session, [number])
