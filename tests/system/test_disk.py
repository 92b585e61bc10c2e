"""A disk that is full, or a mailbox that cannot be written to: mail is put off, and nothing is lost."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.fetchers import fetch_all, pop3_session
from tests.system.load import Load, digest
from tests.system.messages import message, without_trace
from tests.system.programs import needs, root_only
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something on *folder*; a container may not let even root do so."""
    done = subprocess.run(["mount", *options, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def small_disk(site: Site, octets: int) -> Iterator[Path]:
    """Make the site with its mail on a file system of *octets*; serve it."""
    disk = site.root / "disk"
    disk.mkdir()
    site.options["store"] = {"path": f"{disk}/mail", **site.options.get("store", {})}
    try:
        with mounted(disk, "-t", "tmpfs", "-o", f"size={octets}", "tmpfs"), site:
            yield disk
    finally:
        site.discard()


def offer(site: Site, octets: bytes, *recipients: str) -> bytes:
    """Send a message; return the first reply that refuses it, or the last one."""
    with Wire(site.ports["mta"], 30) as wire:
        wire.greet()
        wire.send(b"MAIL FROM:<a@client.example>\r\n")
        answers = [wire.answer()]
        for recipient in recipients:
            if answers[-1].startswith(b"250"):
                wire.send(b"RCPT TO:<%s>\r\n" % recipient.encode())
                answers.append(wire.answer())
        if answers[-1].startswith(b"250"):
            wire.send(b"DATA\r\n")
            answers.append(wire.answer())
        if answers[-1].startswith(b"354"):
            wire.send(octets + b".\r\n")
            answers.append(wire.answer())
        # Whatever the answer is, the session goes on.
        wire.ask(b"RSET", 250)
    return answers[-1]


def mail(size: int) -> bytes:
    """Return a message of about *size* octets."""
    return message("a@client.example", (b"d" * 78 + b"\r\n") * (size // 80))


def box(disk: Path, user: str) -> Path:
    """Return the Maildir of *user* on *disk*."""
    return disk / "mail" / DOMAIN / user


@root_only
@needs("mount")
@pytest.mark.parametrize("size", [60_000, 700_000])
def test_full_disk(size: int) -> None:
    """On a full disk mail gets 452 4.3.1, what was acknowledged is whole, and with room mail is taken again."""
    site = Site(options={"store": {"free_floor": 0}}, users=["alice", "bob"])
    with small_disk(site, 4_000_000) as disk:
        sent: list[bytes] = []
        for _ in range(200):
            octets = mail(size)
            answer = offer(site, octets, ALICE, BOB)
            if not answer.startswith(b"250"):
                break
            sent.append(octets)
        assert answer.startswith(b"452 4.3.1"), answer
        assert offer(site, octets, ALICE).startswith(b"452 4.3.1")
        assert len(sent) > 2
        for user in (ALICE, BOB):
            assert [without_trace(octets) for octets in fetch_all(site, user)] == sent
        left = [path for path in (disk / "mail").rglob("*") if path.is_file()]
        assert {path.parent.name for path in left} == {"new"}, left
        for user in (ALICE, BOB):
            session = pop3_session(site, user)
            for number in range(1, len(sent) // 2 + 1):
                session.dele(number)
            session.quit()
        until(lambda: offer(site, mail(size), ALICE).startswith(b"250"), 5, "mail to be taken again")
        assert len(fetch_all(site, ALICE)) == len(sent) - len(sent) // 2 + 1
        site.restart()
        assert len(fetch_all(site, BOB)) == len(sent) - len(sent) // 2


@root_only
@needs("mount")
def test_full_disk_under_load() -> None:
    """When the disk fills up under load from many clients, each message that got its 250 is there, whole."""
    site = Site(options={"store": {"free_floor": 0}}, users=["alice", "bob", "carol"])
    users = [ALICE, BOB, f"carol@{DOMAIN}"]
    with small_disk(site, 6_000_000) as disk:
        load = Load(site.ports["mta"], users, 6, 7)
        load.start()
        until(lambda: len(load.refusals) > 20, 20, "a full disk")
        load.stop()
        assert {answer[:9] for answer in load.refusals} == {b"452 4.3.1"}
        site.kill()
        site.start()
        for user in users:
            kept = {digest(without_trace(octets)) for octets in fetch_all(site, user)}
            promised = {load.ledger.messages[key].digest for key in load.ledger.acknowledged(user)}
            assert promised <= kept
            assert not (box(disk, user.partition("@")[0]) / "damaged").exists()


@root_only
@needs("mount")
def test_no_inodes() -> None:
    """A file system without free inodes is full too."""
    site = Site(options={"store": {"free_floor": 0}}, users=["alice"])
    with small_disk(site, 8_000_000) as disk:
        subprocess.run(["mount", "-o", "remount,size=8000000,nr_inodes=60", disk], check=True)
        answers = [offer(site, mail(500), ALICE)[:9] for _ in range(60)]
        assert answers.count(b"250 2.0.0") == len(list((box(disk, "alice") / "new").iterdir())) > 5
        assert answers[-1] == b"452 4.3.1"


@root_only
@needs("mount")
def test_free_floor() -> None:
    """Below the free floor mail is put off at MAIL, though there would be room."""
    site = Site(options={"store": {"free_floor": 3_000_000}}, users=["alice"])
    with small_disk(site, 4_000_000) as disk:
        assert offer(site, mail(100_000), ALICE).startswith(b"250")
        ballast = disk / "ballast"
        ballast.write_bytes(b"b" * 1_000_000)
        until(lambda: offer(site, b"").startswith(b"452 4.3.1"), 5, "the floor to be seen")
        assert offer(site, mail(1000), ALICE).startswith(b"452 4.3.1")
        assert len(fetch_all(site, ALICE)) == 1
        ballast.unlink()
        until(lambda: offer(site, b"").startswith(b"503"), 5, "room")
        assert offer(site, mail(1000), ALICE).startswith(b"250")


@root_only
@needs("mount")
def test_announced_size() -> None:
    """A message whose announced size would not leave the floor free is put off before it is sent."""
    site = Site(options={"store": {"free_floor": 1_000_000}}, users=["alice"])
    with small_disk(site, 4_000_000), Wire(site.ports["mta"]) as wire:
        wire.greet()
        assert b"4.3.1" in wire.ask(b"MAIL FROM:<a@client.example> SIZE=3500000", 452)
        wire.ask(b"MAIL FROM:<a@client.example> SIZE=100000", 250)


@root_only
@needs("mount")
def test_unwritable_mailbox() -> None:
    """What one of two mailboxes cannot take waits in the queue; where nobody can have it the peer gets 451."""
    with Site(users=["alice", "bob"]) as site:
        folder = site.maildir("bob")
        with mounted(folder, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
            for size in (500, 500_000):
                assert offer(site, mail(size), BOB).startswith(b"451 4.2.0")
                for recipients in ((ALICE, BOB), (BOB, ALICE)):
                    assert offer(site, mail(size), *recipients).startswith(b"250")
            _were_tried(site)
        _late_ones_arrive(site, 4)


def _were_tried(site: Site) -> None:
    """What waits was tried once: it is not on its way any more."""

    def tried() -> bool:
        return all(entry["tries"] for entry in json.loads(site.cli("queue", "list", "--json").stdout))

    until(tried, 10, "the tries")


def _late_ones_arrive(site: Site, count: int) -> None:
    """alice has her messages, and bob gets the same ones once he is tried again, each once."""
    assert len(site.on_disk("alice")) == count
    assert site.on_disk("bob") == site.on_disk("bob", "tmp") == site.on_disk("alice", "tmp") == []
    assert list((site.folder / "mail" / ".incoming").iterdir()) == []
    waiting = json.loads(site.cli("queue", "list", "--json").stdout)
    assert [entry["recipient"] for entry in waiting] == [BOB] * count
    site.cli("queue", "retry", "--all")
    until(lambda: len(site.on_disk("bob")) >= count, 10, "what had to wait")
    assert sorted(site.on_disk("bob")) == sorted(site.on_disk("alice"))
    assert site.cli("queue", "list", "--json").stdout.strip() == "[]"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; there is the same test with a mount")
def test_unwritable_folder() -> None:
    """The same with a folder that its owner may not write to."""
    with Site(users=["alice", "bob"]) as site:
        folder = site.maildir("bob")
        for path in (folder / "new", folder / "tmp"):
            path.chmod(0o500)
        for size in (500, 500_000):
            assert offer(site, mail(size), BOB).startswith(b"451 4.2.0")
            assert offer(site, mail(size), ALICE, BOB).startswith(b"250")
        _were_tried(site)
        for path in (folder / "new", folder / "tmp"):
            path.chmod(0o700)
        _late_ones_arrive(site, 2)


@root_only
@needs("mount")
def test_mailbox_on_another_file_system() -> None:
    """A mailbox on a file system of its own gets a copy where others get a link."""
    with Site(users=["alice", "bob"]) as site:
        folder = site.maildir("bob")
        with mounted(folder, "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"):
            for size in (500, 700_000):
                assert offer(site, mail(size), ALICE, BOB).startswith(b"250")
            assert site.on_disk("alice") == site.on_disk("bob")
            assert len(fetch_all(site, BOB)) == 2
            assert site.on_disk("bob", "tmp") == site.on_disk("alice", "tmp") == []


def test_fsync() -> None:
    """With store.sync = "fsync" mail is taken, by one and by many, and a kill loses nothing."""
    with Site(options={"store": {"sync": "fsync"}}, users=["alice", "bob", "carol"]) as site:
        users = [ALICE, BOB, f"carol@{DOMAIN}"]
        with smtp_session(site, "mta", ALICE) as session:
            for _ in range(20):
                session.sendmail(ALICE, users, mail(2000))
        load = Load(site.ports["mta"], users, 4, 11)
        load.start()
        until(lambda: sum(sent.acknowledged for sent in load.ledger.messages.values()) > 100, 30, "some mail")
        site.kill()
        site.start()
        load.stop()
        assert load.refusals == []
        for user in users:
            messages = [digest(without_trace(octets)) for octets in fetch_all(site, user)]
            assert len(messages) >= 20
            assert {load.ledger.messages[key].digest for key in load.ledger.acknowledged(user)} <= set(messages)
