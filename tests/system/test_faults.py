"""What a server stands on goes away, or is set wrong, while it serves: clock, names, accounts. Nothing is lost.

(The disk: `tests.system.test_disk`; system calls: `tests.proof`; other servers: `tests.system.test_far_ends`.)
"""

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.far_end import FarEnd, FarEnds
from tests.system.fetchers import fetch_all, pop3_session
from tests.system.messages import message, parted, without_trace
from tests.system.name_server import NameServer
from tests.system.network import Host
from tests.system.ports import free_ports
from tests.system.programs import found, needs
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Place, Site, until
from tests.system.test_disk import offer

pytestmark = pytest.mark.system

ALICE, BOB, CAROL = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))
FAR = "far.example"
DAY = 86_400
# The library that gives a process another time than the machine's.
CLOCKS = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class OwnClock(Place):
    """Where a server has a clock of its own, if there is one to be had: so many seconds *beside* the machine's."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    def set(self, beside: int) -> None:
        """Set the clock, at once."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{beside:+d}\n")
        os.replace(new, self._file)

    def command(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        """See `Place.command`."""
        if not CLOCKS:
            return list(arguments)
        # Nobody can set the clock that counts up from the start of a machine, nor do files get other times by it.
        own = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1", "FAKETIME_NO_CACHE=1", "FAKETIME_DISABLE_SHM=1"]
        return ["env", f"LD_PRELOAD={CLOCKS[0]}", f"FAKETIME_TIMESTAMP_FILE={self._file}", *own, *arguments]


@dataclass(frozen=True)
class Surroundings:
    """A site, and what it stands on."""

    site: Site
    clock: OwnClock
    end: FarEnd
    names: NameServer | None
    records: Sequence[str]

    def queue(self) -> list[dict[str, object]]:
        """Return what waits."""
        waiting: list[dict[str, object]] = json.loads(self.site.cli("queue", "list", "--json").stdout)
        return waiting


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """Serve a site."""
    clock = OwnClock(tmp_path_factory.mktemp("clock"))
    (dns_port,) = free_ports(1)
    end = FarEnd()
    host = Host("127.0.0.1", 0, dns_port, {})
    with FarEnds() as far_ends:
        options: dict[str, dict[str, object]] = {
            "dns": {"servers": [f"127.0.0.1:{dns_port}"], "timeout": 1},
            "delivery": {"tls": "none", "allow_private": True},
            "queue": {"remote_port": far_ends.listen(end), "retry_first": 2, "retry_factor": 1},
        }
        site = Site(options, ["alice", "bob", "carol"], place=clock)
        site.make()
        site.cli("domain", "add", FAR, "--class", "relay")
        names = NameServer(host) if found("dnsmasq") else None
        records = [f"mx-host={FAR},mx.{FAR},10", f"host-record=mx.{FAR},127.0.0.1"]
        try:
            with site:
                yield Surroundings(site, clock, end, names, records)
        finally:
            if names is not None:
                names.close()


def letter(text: str) -> bytes:
    """Return a message."""
    return message("a@client.example", b"hello\r\n", text)


@needs("dnsmasq")
def test_names_cannot_be_looked_up(around: Surroundings) -> None:
    """While no name server answers, mail for others is taken and waits; once one does, it goes."""
    assert around.names is not None
    sent = letter("no names")
    assert offer(around.site, sent, ALICE, f"joe@{FAR}").startswith(b"250")
    (waiting,) = until(lambda: [entry for entry in around.queue() if entry["last"]], 20, "a try")
    assert waiting["recipient"] == f"joe@{FAR}"
    assert "No answer about the MX records" in json.dumps(waiting["last"])
    around.names.serve(around.records)
    until(lambda: around.end.taken, 30, "the message to come")
    assert [parted(taken.octets)[1] for taken in around.end.taken] == [sent]
    assert [without_trace(each) for each in fetch_all(around.site, ALICE)] == [sent]


@needs("faketime")
def test_the_clock_is_set(around: Surroundings) -> None:
    """When the clock jumps, back or on, sessions stay, mail is taken and passed on, and each message is there once."""
    site, clock = around.site, around.clock
    before = fetch_all(site, BOB)
    sent: list[bytes] = []
    with smtp_session(site, "mta", ALICE) as session:
        for beside in (0, -DAY, DAY, 0):
            clock.set(beside)
            sent += [letter(f"clock {beside} {number}") for number in range(2)]
            for each in sent[-2:]:
                session.sendmail("a@client.example", [BOB, f"joe@{FAR}"], each)
            # What a session had seen before stays as it was seen.
            assert len(fetch_all(site, BOB)) == len(before) + len(sent)
    reader = pop3_session(site, BOB)
    unique_ids = [line.split()[1] for line in reader.uidl()[1]]
    reader.quit()
    assert len(set(unique_ids)) == len(unique_ids)
    clock.set(-DAY)
    site.kill()
    site.start()
    assert sorted(without_trace(each) for each in fetch_all(site, BOB)) == sorted([*before, *sent])
    clock.set(0)
    if around.names is not None:
        until(lambda: set(sent) <= {parted(taken.octets)[1] for taken in around.end.taken}, 30, "all to be passed on")


def test_accounts_are_locked(around: Surroundings) -> None:
    """While another program holds the accounts, mail is taken and fetched."""
    with closing(sqlite3.connect(around.site.folder / "accounts.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        count = len(fetch_all(around.site, CAROL))
        assert offer(around.site, letter("locked"), CAROL).startswith(b"250")
        assert len(fetch_all(around.site, CAROL)) == count + 1
        other.execute("ROLLBACK")


def test_accounts_are_spoilt(around: Surroundings) -> None:
    """While there are no accounts nobody is told that a mailbox does not exist; no start is made of them either."""
    site = around.site
    # A file that is no database any more is worth one.
    site.tracebacks_expected = True
    path = site.folder / "accounts.sqlite"
    kept = path.read_bytes()
    before = {user: len(fetch_all(site, user)) for user in (ALICE, BOB, CAROL)}
    os.truncate(path, 0)
    answers = {user: offer(site, letter("spoilt"), user)[:4] for user in before}
    assert set(answers.values()) <= {b"250 ", b"451 "}
    site.kill()
    path.write_bytes(b"no database at all" * 500)
    done = subprocess.run(site.place.command(site.command()), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "accounts.sqlite cannot be used" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for log in site.folder.glob("accounts.sqlite-*"):
        log.unlink()
    path.write_bytes(kept)
    site.start()
    for user, answer in answers.items():
        assert len(fetch_all(site, user)) == before[user] + (answer == b"250 ")
    assert offer(site, letter("back"), ALICE).startswith(b"250")
