"""IMAP by a real Dovecot on our mailboxes and accounts, with the configuration of etc/dovecot as it stands there."""

import imaplib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import DOCUMENTS, commands
from tests.system.dovecot import serving
from tests.system.fetchers import pop3_session, retrieve
from tests.system.ports import free_ports
from tests.system.quarters import refused
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site, secret
from tests.system.unpacked import missing

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(missing("dovecot") or refused()), reason=missing("dovecot") or refused()),
]

OWNER = "nobody"
GROUP = "nogroup"
ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
EXAMPLES = DOCUMENTS / "etc" / "dovecot"


class Mail:
    """A site, and IMAP on its mailboxes at *port*."""

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.port = port

    def imap(self, user: str = ALICE, password: str | None = None) -> imaplib.IMAP4_SSL:
        """A session of *user*."""
        session = imaplib.IMAP4_SSL("127.0.0.1", self.port, ssl_context=self.site.tls(), timeout=30)
        session.login(user, secret(user) if password is None else password)
        session.select()
        return session

    def send(self, subject: str, to: str = ALICE) -> None:
        """Let a message come by SMTP."""
        with smtp_session(self.site, "mta", "a@client.example") as session:
            session.sendmail("a@client.example", to, f"Subject: {subject}\r\n\r\nThis is {subject}.\r\n")

    def pop3(self, user: str = ALICE) -> list[bytes]:
        """The last lines of what our POP3 server has for *user*."""
        session = pop3_session(self.site, user)
        found = [retrieve(session, number + 1).splitlines()[-1] for number in range(session.stat()[0])]
        session.quit()
        return found


@pytest.fixture(scope="module")
def mail() -> Iterator[Mail]:
    """The examples, but for the site's folder, its owner and the ports."""
    with tempfile.TemporaryDirectory(prefix="mailsuite-dovecot-") as folder:
        os.chmod(folder, 0o755)
        imap, imaps = free_ports(2)
        with Site(users=["alice", "bob"], owner=OWNER) as site:
            files = {
                path.name: _moved(path.read_text(), site, {"143": imap, "993": imaps}) for path in EXAMPLES.iterdir()
            }
            files["dovecot.conf"] += "log_path = /var/log/dovecot\nservice imap-login {\n  chroot =\n}\n"
            with serving(Path(folder), files, imap, imaps):
                yield Mail(site, imaps)
            log = (Path(folder) / "var/log/dovecot").read_text()
            assert not re.search(r"Error|Panic|Fatal", log), log


def _moved(text: str, site: Site, ports: dict[str, int]) -> str:
    text = text.replace("/srv/mail", str(site.folder))
    text = text.replace("user = mailsuite", f"user = {OWNER}").replace("mail_uid = mailsuite", f"mail_uid = {OWNER}")
    text = text.replace("mail_gid = mailsuite", f"mail_gid = {GROUP}")
    for port, ours in ports.items():
        text = text.replace(f"port = {port}\n", f"port = {ours}\n    address = 127.0.0.1\n")
    return text


def test_mail_is_read_moved_and_fetched(mail: Mail) -> None:
    """What came by SMTP is there with our passwords; what IMAP moves away or brings, our POP3 server sees."""
    mail.send("one")
    mail.send("two")
    imap = mail.imap()
    assert imap.search(None, "ALL")[1] == [b"1 2"]
    assert b"This is one." in repr(imap.fetch("1", "(BODY[TEXT])")).encode()

    imap.create("Archive")
    imap.copy("1", "Archive")
    imap.store("1", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    assert mail.pop3() == [b"This is two."]
    assert imap.select("Archive")[1] == [b"1"]
    imap.append("INBOX", None, None, b"Subject: three\r\n\r\nThis is three.\r\n")
    assert mail.pop3() == [b"This is two.", b"This is three."]
    mail.send("four")
    assert imap.select()[1] == [b"3"]
    imap.logout()


def test_who_may_log_in(mail: Mail) -> None:
    """Our users by our passwords, in any spelling of the name; nobody whom we would not let in."""
    mail.imap(ALICE.upper(), secret(ALICE)).logout()
    for user, password in ((ALICE, "wrong"), (f"{ALICE}'--", secret(ALICE))):
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            mail.imap(user, password)
    mail.site.cli("user", "set", BOB, "--suspend")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        mail.imap(BOB)
    mail.site.cli("user", "set", BOB, "--resume")


def test_hashes_of_other_servers(mail: Mail) -> None:
    """What we keep of a password that came from elsewhere is good for both."""
    hashes = {
        "sha512": "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
        "ssha": "{SSHA}yrht1iYXEIkejLVu42JWkadd80RzYWx0c2FsdA==",
    }
    rows = "".join(f"{name}@{DOMAIN}:{stored}\n" for name, stored in hashes.items())
    mail.site.cli("user", "import", "-", "--hashed", given=rows)
    for name in hashes:
        mail.imap(f"{name}@{DOMAIN}", "password").logout()


def test_quotas_are_shared(mail: Mail) -> None:
    """Dovecot holds to what we have set, counts in the same file, and leaves it as we can use it."""
    mail.site.cli("quota", "set", BOB, "--messages", "2")
    mail.send("one", BOB)
    imap = mail.imap(BOB)
    assert b"MESSAGE 1 2" in repr(imap.getquotaroot("INBOX")).encode()
    imap.append("INBOX", None, None, b"Subject: two\r\n\r\nThis is two.\r\n")
    assert imap.append("INBOX", None, None, b"Subject: three\r\n\r\n.\r\n")[0] == "NO"
    imap.logout()
    assert "2" in mail.site.cli("quota", "show", BOB).stdout


def test_a_sum_that_both_write(mail: Mail) -> None:
    """Deliveries, copies and removals by turns: the sum is what lies there, to both, without anybody counting anew."""
    mail.site.cli("quota", "set", ALICE, "--octets", "10M", "--messages", "1000")
    imap = mail.imap()
    imap.create("Sums")
    for number in range(6):
        mail.send(f"ours {number}")
        imap.append("INBOX", None, None, b"Subject: theirs\r\n\r\n" + b"x" * 2000 * number + b"\r\n")
    imap.select()
    imap.copy("3:8", "Sums")
    imap.store("2,5:6", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    session = pop3_session(mail.site, ALICE)
    for number in (1, 4):
        session.dele(number)
    session.quit()
    mail.send("the last")

    said = repr(imap.getquotaroot("INBOX"))
    imap.logout()
    (ours,) = json.loads(mail.site.cli("quota", "show", ALICE, "--json").stdout)
    assert f"MESSAGE {ours['messages']} 1000" in said
    theirs = re.search(r"STORAGE (\d+) 10240", said)
    assert theirs is not None
    assert abs(int(theirs[1]) - ours["octets"] / 1024) <= 1
    assert mail.site.cli("quota", "recalculate", ALICE).stdout == "Counted 1 mailbox; 0 had another sum before.\n"
    mail.site.cli("quota", "set", ALICE, "--octets", "default", "--messages", "default")


def test_the_document(mail: Mail) -> None:
    """Its commands are run, and the files that it names are there."""
    for command in commands("docs/dovecot.rst", "mailsuite"):
        mail.site.cli(*[argument.replace("example.org", DOMAIN) for argument in command])
    text = (DOCUMENTS / "docs/dovecot.rst").read_text()
    copied = re.findall(r"^    cp etc/dovecot/(\S+) ", text, re.MULTILINE)
    assert {path.name for path in EXAMPLES.iterdir()} == set(copied)
