"""A server that dies at any step of accepting, claiming, delivering and recording, and the one that comes after it."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from tests.cli.site import new_site, run
from tests.queue.crashing_child import MESSAGES, digest, octets

ROOT = Path(__file__).parents[2]
CONFIG = """\
hostname = "mail.example.org"
allow_root = true
[listen.mta]
service = "mta"
endpoint = "tcp:2525"
[queue]
inline_size = 1000
retry_first = 3600.0
[delivery]
ca_file = "cert.pem"
[store]
free_floor = 0
"""
# Two at a time.
CHILDREN = 2
# A process's death leaves in memory what it leaves on a disk; so much room it takes there.
MEMORY, ROOM = Path("/dev/shm"), 1 << 29
_SIZE = re.compile(r",S=(\d+)")


class Crash:
    """What became of one site, whose first server died at a step."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.world = [line.split(" ") for line in (folder / "world").read_text().splitlines()]
        # Message, recipient, whether it was claimed, and whether it was to be tried at once.
        self.queued: list[tuple[str, str, bool, bool]] = json.loads((folder / "queued").read_text())

    def said(self, what: str, life: int = 1) -> list[str]:
        """Return the messages of which this was said in a life."""
        return [words[2] for words in self.world if words[:2] == [str(life), what]]

    def deliveries(self, life: int) -> list[tuple[str, str]]:
        """Return messages and recipients that others got, or refused, in a life."""
        return [(words[2], words[3]) for words in self.world if words[0] == str(life) and len(words) == 5]

    @property
    def step(self) -> str:
        """Where it died, and which step of that kind it was; empty: it did not."""
        return " ".join(next((words[2:] for words in self.world if words[1] == "crashed"), []))

    def mailbox(self, user: str) -> list[bytes]:
        """Return the messages in the mailbox of *user*, without their Return-Path."""
        found = []
        for path in (self.site / "mail" / "example.org" / user / "new").iterdir():
            content = path.read_bytes()
            size = _SIZE.search(path.name)
            assert size is not None
            assert len(content) == int(size[1]), path
            found.append(content.partition(b"\r\n")[2])
        return found

    @cached_property
    def rows(self) -> dict[tuple[str, str], tuple[bytes | None, str | None, int]]:
        """What waits at last, by message and recipient: the content's octets, or its file, and what to skip of it."""
        database = sqlite3.connect(self.site / "queue" / "queue.sqlite")
        rows = database.execute(
            """SELECT m.id, r.local || '@' || r.domain, c.octets, m.file, m.skip FROM recipients r
            JOIN messages m ON m.number = r.message LEFT JOIN contents c ON c.message = m.number
            WHERE r.owner IS NULL AND r.state = 'waiting'"""
        ).fetchall()
        assert database.execute("SELECT count(*) FROM recipients").fetchone() == (len(rows),)
        for table, column in (("messages", "number"), ("contents", "message")):
            left = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT message FROM recipients)"
            assert database.execute(left).fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM owners").fetchone() == (0,)
        database.close()
        return {(name, recipient): (content, file, skip) for name, recipient, content, file, skip in rows}

    def content(self, name: str, recipient: str) -> bytes:
        """Return the content of what waits."""
        content, file, skip = self.rows[name, recipient]
        if content is not None:
            return content
        assert file is not None
        return (self.site / "queue" / "content" / file).read_bytes()[skip:]


@pytest.fixture(scope="module")
def crashes() -> Iterator[list[Crash]]:
    """Let a server die at each of its steps."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(dir=MEMORY if roomy else None) as name:
        config = new_site(Path(name, "site"))
        for user in ("alice", "bob"):
            assert run("user", "add", f"{user}@example.org", "--no-password", "--config", config).exit_code == 0
        config.write_text(CONFIG)
        folder = Path(name, "crashes")
        folder.mkdir()
        command = [sys.executable, "-m", "tests.queue.crashing_child", str(config.parent), str(folder)]
        subprocess.run([*command, "0", "1"], cwd=ROOT, check=True, timeout=60)
        children = [subprocess.Popen([*command, str(part), str(CHILDREN)], cwd=ROOT) for part in range(CHILDREN)]
        try:
            assert [child.wait(300) for child in children] == [0] * CHILDREN
            yield [Crash(path) for path in folder.iterdir() if path.is_dir()]
        finally:
            for child in children:
                child.kill()
                child.wait()


def remote(name: str) -> list[str]:
    """Return the recipients of a message that are elsewhere."""
    return [recipient for recipient in MESSAGES[name][1] if not recipient.endswith("@example.org")]


def test_each_step_was_the_last_one(crashes: list[Crash]) -> None:
    """None was left out, from the start to a clean stop: commits, files, deliveries, replies."""
    kinds = Counter(crash.step.partition(" ")[2] for crash in crashes)
    # In which order threads come to their steps is chance: a life may have one less than another.
    assert kinds[""] < len(crashes) / 10
    assert len(crashes) > 100
    for kind in (
        "COMMIT", "what comes behind COMMIT", "INSERT INTO messages", "INSERT INTO contents", "INSERT INTO recipients",
        "UPDATE recipients SET", "DELETE FROM recipients", "DELETE FROM messages", "INSERT INTO owners",
        "DELETE FROM owners", "mkdir", "open", "write", "write, but for half of it", "link", "rename", "fsync",
        "unlink", "barrier", "what comes behind a barrier", "delivery", "what comes behind a delivery",
        "acknowledgement", "what comes behind an acknowledgement", "the closing of the queue",
    ):  # fmt: skip
        assert kinds[kind], kind


def test_nothing_acknowledged_is_lost(crashes: list[Crash]) -> None:
    """For each recipient it lies in a mailbox, was taken elsewhere, waits, or was reported."""
    acknowledged = 0
    for crash in crashes:
        for name in crash.said("acknowledged"):
            acknowledged += 1
            for recipient in MESSAGES[name][1]:
                local, _, domain = recipient.partition("@")
                if domain == "example.org":
                    assert octets(name) in crash.mailbox(local), crash.step
                elif local == "later":
                    assert (name, recipient) in crash.rows, crash.step
                else:
                    delivered = crash.deliveries(1) + crash.deliveries(2)
                    assert (name, recipient) in delivered, crash.step
                    assert local != "never" or reports(crash), crash.step
    assert acknowledged > len(crashes)


def reports(crash: Crash) -> int:
    """Return how many reports alice has got."""
    return sum(b"\r\nFinal-Recipient: rfc822; never@far.example\r\n" in each for each in crash.mailbox("alice"))


def test_what_is_in_the_queue_stays(crashes: list[Crash]) -> None:
    """Whatever was committed goes on, also where the reply was lost with the server."""
    for crash in crashes:
        delivered = crash.deliveries(1) + crash.deliveries(2)
        for name in set(crash.said("committed")) & set(MESSAGES):
            for recipient in remote(name):
                assert (name, recipient) in delivered, crash.step
                assert not recipient.startswith("later") or (name, recipient) in crash.rows


def test_nothing_else_is_sent(crashes: list[Crash]) -> None:
    """What never came to its commit is sent to nobody, told to nobody, and waits nowhere (lesson 34)."""
    unfinished = 0
    for crash in crashes:
        begun = set(crash.said("committing"))
        unfinished += len(set(MESSAGES) - begun)
        assert {name for name, _ in crash.deliveries(2)} <= begun, crash.step
        assert {name for name, _ in crash.rows} <= begun, crash.step
        assert not reports(crash) or "medium" in begun
        # In its own life, not before the commit was done.
        for at, words in enumerate(crash.world):
            if words[0] == "1" and len(words) == 5:
                assert ["1", "committed", words[2]] in crash.world[:at], crash.step
    assert unfinished > len(crashes)


def test_claims_of_the_dead_are_free_at_once(crashes: list[Crash]) -> None:
    """The next one tries just what was in hand or never tried, all of it, and long before the lease runs out."""
    in_hand = 0
    for crash in crashes:
        assert Counter(crash.deliveries(2)) == Counter(
            (name, recipient) for name, recipient, _, at_once in crash.queued if at_once and name in MESSAGES
        ), crash.step
        in_hand += sum(claimed for _, _, claimed, _ in crash.queued)
    assert in_hand > len(crashes)


def test_twice_at_most(crashes: list[Crash]) -> None:
    """What was delivered and not yet recorded comes twice, and nothing else does; so does a report."""
    twice = 0
    for crash in crashes:
        assert set(Counter(crash.deliveries(1)).values()) <= {1}
        assert set(Counter(crash.deliveries(2)).values()) <= {1}
        again = set(crash.deliveries(1)) & set(crash.deliveries(2))
        assert again <= {(name, recipient) for name, recipient, claimed, _ in crash.queued if claimed}, crash.step
        twice += len(again)
        assert reports(crash) <= 1 + (("medium", "never@far.example") in again)
    assert twice > 0
    assert all(crash.step or not crash.deliveries(2) for crash in crashes)


def test_all_of_it_is_whole(crashes: list[Crash]) -> None:
    """Nobody ever sees a part of a message: not the other servers, not a mailbox, not the queue."""
    for crash in crashes:
        for words in crash.world:
            if len(words) == 5:
                assert words[4] == digest(octets(words[2])), crash.step
        for name, recipient in crash.rows:
            assert crash.content(name, recipient) == octets(name), crash.step
        whole = {octets(name) for name in MESSAGES}
        for user in ("alice", "bob"):
            assert [each for each in crash.mailbox(user) if each not in whole and b"Final-Recipient" not in each] == []


def test_no_file_is_left(crashes: list[Crash]) -> None:
    """What was made for a message that never came to be is removed, and every other file belongs to one."""
    for crash in crashes:
        queue = crash.site / "queue"
        kept = {file for _, file, _ in crash.rows.values() if file is not None}
        assert {path.name for path in (queue / "content").iterdir()} == kept, crash.step
        assert list((queue / "damaged").iterdir()) == []
