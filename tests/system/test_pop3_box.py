"""A mailbox and its POP3 sessions: one at a time, snapshots, removal at QUIT alone, whatever happens to whom."""

import poplib
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from mailsuite.mailbox.locks import Locks
from tests.system.fetchers import pop3_session, retrieve
from tests.system.network import network
from tests.system.site import Options, Site, secret, until

pytestmark = pytest.mark.system

USERS = ("alice", "bob", "carol", "dora", "erin", "frank")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site with some users."""
    with Site(options={"limits": {"pop3_idle_timeout": 600}}, users=USERS) as site:
        yield site


def fill(site: Site, user: str, count: int, first: int = 0) -> list[Path]:
    """Put *count* messages of ours into the mailbox of *user*."""
    paths = []
    for number in range(first, first + count):
        content = b"Subject: %d\r\n\r\nThis is %d.\r\n" % (number, number)
        name = f"{1_700_000_000 + number}.M000000P1Q{number:x},S={len(content)},W={len(content)}"
        paths.append(site.maildir(user) / "new" / name)
        paths[-1].write_bytes(content)
    return paths


def lies(site: Site, user: str) -> set[str]:
    """What lies in the mailbox, without flags."""
    box = site.maildir(user)
    return {path.name.partition(":")[0] for folder in ("new", "cur") for path in (box / folder).iterdir()}


def login(site: Site, user: str) -> poplib.POP3:
    """A session of *user*."""
    return pop3_session(site, site.address(user))


def login_when_free(site: Site, user: str, seconds: float = 10) -> poplib.POP3:
    """A session of *user*, as soon as nobody else has the mailbox."""
    found: list[poplib.POP3] = []

    def tried() -> list[poplib.POP3]:
        with suppress(poplib.error_proto):
            found.append(login(site, user))
        return found

    return until(tried, seconds, "the mailbox to be free")[0]


def subjects(session: poplib.POP3) -> list[bytes]:
    """The subjects of all messages, read one by one."""
    count, _ = session.stat()
    return [retrieve(session, number).split(b"\r\n", 1)[0] for number in range(1, count + 1)]


def refused(site: Site, user: str) -> bytes:
    """What a second session is told."""
    with pytest.raises(poplib.error_proto) as caught:
        login(site, user)
    answer: bytes = caught.value.args[0]
    return answer


class TestLock:
    """RFC 1939 §4, RFC 2449 §8.1.2."""

    def test_second_session(self, site: Site) -> None:
        """It hears of it at once; when the first ends, by QUIT or by a lost connection, the mailbox is free."""
        first = login(site, "alice")
        assert refused(site, "alice").startswith(b"-ERR [IN-USE] ")
        first.quit()
        first = login(site, "alice")
        assert refused(site, "alice").startswith(b"-ERR [IN-USE] ")
        first.close()

        login_when_free(site, "alice").quit()

    def test_another_process(self, site: Site) -> None:
        """A process of its own that has the lock shuts the server out, and the other way round."""
        locks = Locks(str(site.folder / "locks"))
        path = str(site.maildir("alice"))
        assert locks.acquire(path)
        assert refused(site, "alice").startswith(b"-ERR [IN-USE] ")
        locks.release(path)
        session = login(site, "alice")
        assert not locks.acquire(path)
        session.quit()

        until(lambda: locks.acquire(path))
        locks.close()

    def test_killed_server(self) -> None:
        """Its locks end with it."""
        with Site(users=["alice"]) as site:
            session = login(site, "alice")
            site.kill()
            site.start()
            session.close()

            login(site, "alice").quit()

    def test_vanished_client(self) -> None:
        """A client whose host is cut off gives its mailbox back without a word, in the time that is set."""
        with network(["site", "client"], "site") as hosts:
            place = hosts["site"]
            options: Options = {"pop3": {"vanished_after": 4}}
            with Site(options=options, users=["alice"], place=place, listeners=_LISTENERS) as site:
                with hosts["client"].inside():
                    session = login(site, "alice")
                hosts["client"].cut_off(silent=True)
                with place.inside():
                    assert refused(site, "alice").startswith(b"-ERR [IN-USE] ")
                    login_when_free(site, "alice", 60).quit()
                session.close()
                assert "timed out" in site.mail_log or "lost" in site.mail_log


_LISTENERS = {"pop3s": {"service": "pop3", "tls": "implicit"}}


class TestSnapshot:
    """Numbers and ids never shift in a session (RFC 1939 §4, §5)."""

    def test_another_program_at_work(self, site: Site) -> None:
        """New mail, moves, flags and a removal: the session goes on in step with what it had."""
        paths = fill(site, "bob", 5)
        session = login(site, "bob")
        ids = session.uidl()[1]
        cur = site.maildir("bob") / "cur"
        for path, flags in zip(paths[:3], (":2,", ":2,FS", ":2,Sab"), strict=True):
            path.rename(cur / (path.name + flags))
        paths[3].unlink()
        fill(site, "bob", 2, first=50)

        assert session.uidl()[1] == ids
        for number in (1, 2, 3, 5):
            assert retrieve(session, number).startswith(b"Subject: %d\r\n" % (number - 1))
        with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
            session.retr(4)
        assert session.noop().startswith(b"+OK")
        assert retrieve(session, 5).startswith(b"Subject: 4\r\n")
        session.dele(2)
        session.dele(4)
        assert session.quit().startswith(b"+OK")

        session = login(site, "bob")
        assert subjects(session) == [b"Subject: %d" % number for number in (0, 2, 4, 50, 51)]
        session.quit()

    def test_reading_marks_nothing(self, site: Site) -> None:
        """No file is moved or flagged by RETR, nor by logging in."""
        paths = fill(site, "carol", 3)
        session = login(site, "carol")
        assert len(subjects(session)) == 3
        session.quit()

        assert all(path.exists() for path in paths)

    def test_reading_marks_where_it_is_to(self) -> None:
        """With ``mark_seen`` what RETR gave lies in cur/ as seen; what TOP gave does not."""
        with Site(options={"pop3": {"mark_seen": True}}, users=["alice"]) as site:
            paths = fill(site, "alice", 3)
            session = login(site, "alice")
            retrieve(session, 1)
            session.top(2, 5)
            retrieve(session, 1)
            session.quit()

            assert (site.maildir("alice") / "cur" / f"{paths[0].name}:2,S").exists()
            assert paths[1].exists()
            session = login(site, "alice")
            assert subjects(session) == [b"Subject: 0", b"Subject: 1", b"Subject: 2"]
            session.quit()


# What other programs leave behind a name, and what it is on the wire (RFC 1939 §3, §11).
FOREIGN = {
    "empty": (b"", b""),
    "lf": (b"Subject: a\n\nbody\n", b"Subject: a\r\n\r\nbody\r\n"),
    "crlf": (b"Subject: a\r\n\r\nbody\r\n", b"Subject: a\r\n\r\nbody\r\n"),
    "both": (b"Subject: a\r\n\nbody\n.\r\n", b"Subject: a\r\n\r\nbody\r\n.\r\n"),
    "no-end": (b"Subject: a\n\nbody", b"Subject: a\r\n\r\nbody\r\n"),
    "cr": (b"Subject: a\n\none\rtwo\r", b"Subject: a\r\n\r\none\rtwo\r\r\n"),
    "nul": (b"Subject: a\0\n\n\0\0\n\0", b"Subject: a\0\r\n\r\n\0\0\r\n\0\r\n"),
    "no-header": (b"\n.body\n", b"\r\n.body\r\n"),
    "header-alone": (b"Subject: a\n", b"Subject: a\r\n"),
    "large": (b"Subject: a\n\n" + b"x\n" * 100_000, b"Subject: a\r\n\r\n" + b"x\r\n" * 100_000),
    "said,S=17,W=20": (b"Subject: a\n\nbody\n", b"Subject: a\r\n\r\nbody\r\n"),
}


class TestForeign:
    """Files of other programs, as they are."""

    def test_octets_are_exact(self, site: Site) -> None:
        """LIST says what RETR sends, with the index of sizes and after it was deleted; one that lies is refused."""
        box = site.maildir("erin")
        for number, (name, (stored, _)) in enumerate(FOREIGN.items()):
            (box / "new" / f"{1_600_000_000 + number}.{name}").write_bytes(stored)
        liar = box / "cur" / "1600001000.liar,S=99,W=99:2,S"
        liar.write_bytes(b"Subject: a\n\nbody\n")
        wanted = [wire for _, wire in FOREIGN.values()]
        for _ in range(2):
            session = login(site, "erin")
            sizes = [int(row.split()[1]) for row in session.list()[1]]
            assert sizes[:-1] == [len(each) for each in wanted]
            assert [_as_sent(session, number) for number in range(1, len(FOREIGN) + 1)] == wanted
            with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
                session.retr(len(sizes))
            session.quit()
            (box / "mailsuite-sizes").unlink()


def _as_sent(session: poplib.POP3, number: int) -> bytes:
    """What RETR sends, octet for octet, but for the dots of transparency: poplib takes other line ends too."""
    session.sock.sendall(b"RETR %d\r\n" % number)
    data = b""
    while not data.endswith(b"\r\n.\r\n"):
        data += session.sock.recv(65_536)
    status, _, content = data[: -len(b".\r\n")].partition(b"\r\n")
    assert status.startswith(b"+OK")
    return b"\r\n".join(line.removeprefix(b".") for line in content.split(b"\r\n"))


class TestFolders:
    """Maildir++ folders, by a login of their own."""

    def test_folder(self) -> None:
        """Its messages, beside a session on the inbox; a folder that is not there is refused, and so is a wrong
        password."""
        with Site(options={"pop3": {"folders": True}}, users=["alice"]) as site:
            fill(site, "alice", 2)
            folder = site.maildir("alice") / ".Archive.2024" / "cur"
            folder.mkdir(parents=True)
            (folder / "1600000000.a.host:2,S").write_bytes(b"Subject: old\n\nold\n")
            inbox = login(site, "alice")
            archive = pop3_session(site, "alice+Archive.2024@example.test", password=secret(site.address("alice")))

            assert len(subjects(inbox)) == 2
            assert subjects(archive) == [b"Subject: old"]
            archive.dele(1)
            archive.quit()
            inbox.quit()
            assert list(folder.iterdir()) == []
            for name, word, answer in (
                ("alice+Nothing", secret(site.address("alice")), b"-ERR [SYS/PERM]"),
                ("alice+Archive.2024", "wrong", b"-ERR [AUTH]"),
            ):
                with pytest.raises(poplib.error_proto) as caught:
                    pop3_session(site, f"{name}@example.test", password=word)
                assert caught.value.args[0].startswith(answer)

    def test_by_option(self, site: Site) -> None:
        """Otherwise there is no such login."""
        with pytest.raises(poplib.error_proto, match="AUTH"):
            pop3_session(site, "alice+Archive@example.test", password=secret(site.address("alice")))


def test_shared_mailbox() -> None:
    """Two people read one mailbox at the same time: each deletes for herself, and what both have deleted goes."""
    with Site(users=["info"]) as site:
        bob = f"bob.info@{site.domain}"
        fill(site, "info", 3)
        site.cli("mailbox", "set", site.address("info"), "--shared", "--expire-hidden", "0")
        site.cli("mailbox", "add-reader", site.address("info"), bob, "--password-stdin", given="hush-bob")
        first, second = login(site, "info"), pop3_session(site, bob, password="hush-bob")
        first.dele(1)
        second.dele(1)
        second.dele(3)
        assert second.quit().startswith(b"+OK")
        assert retrieve(first, 3).startswith(b"Subject: 2")
        first.quit()

        assert len(lies(site, "info")) == 3
        first, second = login(site, "info"), pop3_session(site, bob, password="hush-bob")
        assert subjects(first) == [b"Subject: 1", b"Subject: 2"]
        assert subjects(second) == [b"Subject: 1"]
        first.quit()
        second.quit()
        assert len(lies(site, "info")) == 2


class TestRemoval:
    """RFC 1939 §6: the UPDATE state alone removes, and only what was marked."""

    def test_what_ends_without_quit(self, site: Site) -> None:
        """A lost connection, with marks, removes nothing; nor does one that is lost within a message."""
        fill(site, "dora", 4)
        before = lies(site, "dora")
        for command in (b"NOOP\r\n", b"RETR 3\r\nRETR 3\r\n", b"QUI"):
            session = login_when_free(site, "dora")
            session.dele(1)
            session.dele(2)
            session.sock.sendall(command)
            session.sock.shutdown(socket.SHUT_RDWR)
            session.close()

        login_when_free(site, "dora").quit()
        assert lies(site, "dora") == before

    def test_idle_session(self) -> None:
        """Autologout removes nothing (RFC 1939 §3)."""
        with Site(options={"limits": {"pop3_idle_timeout": 1}}, users=["alice"]) as site:
            fill(site, "alice", 3)
            before = lies(site, "alice")
            session = login(site, "alice")
            session.dele(1)
            with suppress(OSError):
                assert b"-ERR" in session.sock.recv(4096)
            session.close()

            assert lies(site, "alice") == before

    def test_stopped_server(self) -> None:
        """A server that stops in good order removes nothing either."""
        with Site(users=["alice"]) as site:
            fill(site, "alice", 3)
            before = lies(site, "alice")
            session = login(site, "alice")
            session.dele(1)
            site.restart()
            session.close()

            assert lies(site, "alice") == before

    @pytest.mark.parametrize("seed", range(2))
    def test_killed_in_update(self, seed: int) -> None:
        """SIGKILL while QUIT removes: what was not marked is there; after +OK what was marked is gone for good."""
        chance = random.Random(seed)
        with Site(users=["alice"]) as site:
            for turn in range(2):
                fill(site, "alice", 300, first=1000 * turn)
                there = lies(site, "alice")
                session = login(site, "alice")
                ids = _ids(session)
                marked = set(chance.sample(sorted(ids), 250))
                for number in marked:
                    session.dele(number)
                heard: list[bytes] = []
                reader = threading.Thread(target=_quit, args=(session, heard))
                reader.start()
                # Some time within the removal, or right behind it.
                wanted = len(there) - chance.choice([0, 1, 100, 249, 250])
                until(partial(_shrunk, site, wanted, heard))
                site.kill()
                reader.join(30)
                session.close()

                left = {name.partition(",")[0] for name in lies(site, "alice")}
                unmarked = {ids[number] for number in ids if number not in marked}
                assert left >= unmarked
                if heard and heard[0].startswith(b"+OK"):
                    assert left == unmarked
                site.start()


def _ids(session: poplib.POP3) -> dict[int, str]:
    rows = (row.decode().split() for row in session.uidl()[1])
    return {int(number): unique_id for number, unique_id in rows}


def _quit(session: poplib.POP3, heard: list[bytes]) -> None:
    with suppress(OSError, EOFError, poplib.error_proto):
        heard.append(session.quit())


def _shrunk(site: Site, wanted: int, heard: list[bytes]) -> bool:
    return bool(heard) or len(lies(site, "alice")) <= wanted
