"""One Maildir, two programs: ours serves it over POP3 while a real Dovecot serves the same files, over IMAP too."""

import imaplib
import os
import poplib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.dovecot import serving
from tests.system.fetchers import pop3_session, retrieve
from tests.system.ports import free_ports
from tests.system.quarters import refused
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site
from tests.system.unpacked import missing

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(missing("dovecot") or refused()), reason=missing("dovecot") or refused()),
]

OWNER = "nobody"
ALICE = f"alice@{DOMAIN}"
_CONFIG = """\
protocols = imap pop3
log_path = /var/log/dovecot
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{mail}/%n
first_valid_uid = 1
auth_username_format = %n
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={owner} gid=nogroup home={mail}/%n
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
# The quota in maildirsize, which is ours to set; what the specification does not count, it does not either.
_QUOTA = """\
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = Trash:ignore
}
"""


class Dovecot:
    """Where it listens."""

    def __init__(self) -> None:
        self.imap_port, self.pop3_port = free_ports(2)

    def imap(self) -> imaplib.IMAP4:
        """A session that has selected the inbox."""
        session = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30)
        session.login("alice", "any")
        session.select()
        return session

    def pop3_ids(self) -> list[bytes]:
        """The unique ids that its own POP3 server gives."""
        session = poplib.POP3("127.0.0.1", self.pop3_port, timeout=30)
        session.user("alice")
        session.pass_("any")
        ids = _ids(session)
        session.quit()
        return ids


@contextmanager
def _dovecot(site: Site, folder: Path, more: str = "") -> Iterator[Dovecot]:
    """Serve the mailboxes of *site*; *folder* is its own, *more* goes into its configuration."""
    dovecot = Dovecot()
    facts = {"mail": site.folder / "mail" / DOMAIN, "imap": dovecot.imap_port, "pop3": dovecot.pop3_port}
    config = _CONFIG.format(owner=OWNER, **facts) + more
    with serving(folder, {"dovecot.conf": config}, dovecot.imap_port, dovecot.pop3_port):
        yield dovecot


def _ids(session: poplib.POP3) -> list[bytes]:
    return [row.split()[1] for row in session.uidl()[1]]


class World:
    """A site and a Dovecot on the same files."""

    def __init__(self, site: Site, dovecot: Dovecot) -> None:
        self.site = site
        self.dovecot = dovecot

    def send(self, *subjects: str) -> None:
        """Let messages come in over SMTP."""
        with smtp_session(self.site, "mta", "a@client.example") as session:
            for subject in subjects:
                session.sendmail("a@client.example", ALICE, f"Subject: {subject}\r\n\r\nThis is {subject}.\r\n")

    def pop3(self) -> poplib.POP3:
        """A session of ours."""
        return pop3_session(self.site, ALICE)

    def names(self) -> list[str]:
        """What lies in cur/."""
        return sorted(path.name for path in (self.site.maildir("alice") / "cur").iterdir())


@pytest.fixture
def world() -> Iterator[World]:
    """A site with one user, and Dovecot beside it."""
    # Not in pytest's own folder, which is root's alone, and which another run of pytest may tidy up meanwhile.
    with tempfile.TemporaryDirectory(prefix="mailsuite-dovecot-") as folder:
        # Its users are not root.
        os.chmod(folder, 0o755)
        with Site(users=["alice"], owner=OWNER) as site, _dovecot(site, Path(folder)) as dovecot:
            yield World(site, dovecot)


def test_moves_and_flags_are_followed(world: World) -> None:
    """What IMAP does shows in a session that is open and in the next; ids stay whatever becomes of a name."""
    world.send("one", "two", "three", "four")
    session = world.pop3()
    ids = _ids(session)

    imap = world.dovecot.imap()
    assert len(world.names()) == 4
    imap.store("1", "+FLAGS", "(\\Seen \\Flagged)")
    imap.store("2", "+FLAGS", "(\\Answered $Label1)")
    assert [retrieve(session, number).splitlines()[-1] for number in (1, 2, 3)] == [
        b"This is one.",
        b"This is two.",
        b"This is three.",
    ]
    imap.store("3", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
        session.retr(3)
    assert retrieve(session, 4).endswith(b"This is four.\r\n")
    assert _ids(session) == ids
    session.quit()

    session = world.pop3()
    assert _ids(session) == [ids[0], ids[1], ids[3]]
    imap.store("1", "-FLAGS", "(\\Seen)")
    imap.store("3", "+FLAGS", "(\\Draft)")
    assert [retrieve(session, number).splitlines()[-1] for number in (1, 2, 3)] == [
        b"This is one.",
        b"This is two.",
        b"This is four.",
    ]
    session.quit()
    imap.logout()


def test_what_we_remove_is_gone_there(world: World) -> None:
    """DELE and QUIT remove also what IMAP has moved and flagged; the rest is untouched there."""
    world.send("one", "two", "three")
    session = world.pop3()
    imap = world.dovecot.imap()
    imap.store("2", "+FLAGS", "(\\Seen $Label1)")
    session.dele(2)
    session.quit()

    imap.noop()
    assert imap.search(None, "ALL")[1] == [b"1 2"]
    assert b"Subject: three" in repr(imap.fetch("2", "(BODY[HEADER.FIELDS (SUBJECT)])")).encode()
    imap.logout()


def test_what_comes_by_imap(world: World) -> None:
    """A message that IMAP appends, with the line ends that Dovecot stores, has a true size and is read whole."""
    world.send("one")
    world.pop3().quit()
    imap = world.dovecot.imap()
    content = b"Subject: two\r\n\r\nThis is two.\r\n.\r\nNo end"
    imap.append("INBOX", "(\\Seen)", None, content)
    imap.logout()

    session = world.pop3()
    assert retrieve(session, 2) == content + b"\r\n"
    assert session.stat()[1] == len(retrieve(session, 1)) + len(content) + 2
    session.quit()


def test_ids_move_here(world: World) -> None:
    """The ids that Dovecot gave over POP3 are given by us once they are imported, and new mail gets ours."""
    world.send("one", "two")
    theirs = world.dovecot.pop3_ids()
    assert len(set(theirs)) == 2
    listing = world.site.maildir("alice") / "dovecot-uidlist"
    world.site.cli("mailbox", "import-uidl", ALICE, "--dovecot", str(listing))
    world.send("three")

    session = world.pop3()
    ids = _ids(session)
    assert ids[:2] == theirs
    assert len(set(ids)) == 3
    session.quit()


def test_one_quota_for_both() -> None:
    """Dovecot goes by the quota that we have set, and counts what we deliver and remove; and the other way round."""
    with tempfile.TemporaryDirectory(prefix="mailsuite-dovecot-") as folder:
        os.chmod(folder, 0o755)
        site = Site({"quota": {"octets": 61_440}}, users=["alice"], owner=OWNER)
        with site, _dovecot(site, Path(folder), _QUOTA) as dovecot:
            world = World(site, dovecot)
            assert _asked(site, 40_000) == 250
            world.send("one")
            imap = dovecot.imap()
            assert _storage(imap) == (1, 60)
            imap.create("Archive")
            imap.append("Archive", "", "", b"Subject: large\r\n\r\n" + b"x" * 40_000 + b"\r\n")
            assert _storage(imap) == (40, 60)
            assert (_asked(site, 40_000), _asked(site, 20_000)) == (452, 250)

            session = world.pop3()
            session.dele(1)
            session.quit()
            imap.select("Archive")
            imap.store("1", "+FLAGS", "(\\Deleted)")
            imap.expunge()
            assert _storage(imap) == (0, 60)
            assert _asked(site, 40_000) == 250
            imap.logout()
            total = sum(int(line.split()[0]) for line in _sizes(site)[1:])
            assert (_sizes(site)[0], total) == ("61440S", 0)


def _asked(site: Site, octets: int) -> int:
    """Return what is answered to RCPT for alice and a message of so many *octets*, which does not come."""
    with smtp_session(site, "mta", "a@client.example") as session:
        session.ehlo_or_helo_if_needed()
        session.mail("a@client.example", [f"SIZE={octets}"])
        return session.rcpt(ALICE)[0]


def _storage(imap: imaplib.IMAP4) -> tuple[int, int]:
    """Return what Dovecot says of alice's quota: KiB used, and the limit."""
    _, (_, (said,)) = imap.getquotaroot("INBOX")
    used, limit = said.decode().rpartition("STORAGE ")[2].rstrip(")").split()
    return int(used), int(limit)


def _sizes(site: Site) -> list[str]:
    return (site.maildir("alice") / "maildirsize").read_text().splitlines()
