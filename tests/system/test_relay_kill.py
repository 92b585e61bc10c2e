"""SIGKILL at any moment, while mail is relayed: the next hop gets what was acknowledged, twice only where it must."""

import os
import random
import re
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.system.far_end import GOOD, Action, Conversation, FarEnd, FarEnds, Said, Taken, drop, reset, then
from tests.system.load import Ledger, Load, Sent, digest, key_of
from tests.system.messages import parted
from tests.system.site import DOMAIN, Site, until
from tests.system.test_kill import check_files, check_mailbox

pytestmark = pytest.mark.system

LOCAL = [f"{name}@{DOMAIN}" for name in ("alice", "bob")]
# By these domains one next hop takes messages after DATA, the other one by BDAT.
FAR = {"dots.example": ("PIPELINING", "8BITMIME"), "chunks.example": ("PIPELINING", "8BITMIME", "CHUNKING")}
REMOTE = [f"{name}@{domain}" for domain in FAR for name in ("carol", "dave", "erin")]
# How long after the next hop's 250 the queue may take to know of it, even on a machine that is busy.
RECORDED = 3.0
_ID = re.compile(r" id ([^ ;]+)")
_IN_QUEUE = """
    SELECT m.id, r.local || '@' || r.domain, r.owner IS NOT NULL
    FROM recipients r JOIN messages m ON m.number = r.message"""

# One recipient of one message, by our own id of it: what is delivered, or waits, as one.
Unit: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class Life:
    """What the next hops saw of one life of the server, and what its queue held when it was killed *at* a time.

    *answered* are the copies that got their 250, each with the time of its end; *unanswered* those that may have.
    """

    at: float
    queued: dict[Unit, bool]
    answered: list[tuple[Unit, float]] = field(default_factory=list)
    unanswered: list[Unit] = field(default_factory=list)

    @property
    def unrecorded(self) -> dict[Unit, float]:
        """What was delivered, and is to be delivered again: the 250 was on its way into the queue."""
        return {unit: at for unit, at in self.answered if unit in self.queued}


class Relay:
    """A site that relays to two moody next hops, and is killed time and again."""

    def __init__(self, site: Site, far_ends: FarEnds, ends: dict[str, FarEnd], dice: random.Random) -> None:
        self.site = site
        self.far_ends = far_ends
        self.ends = ends
        self.dice = dice
        self.lives: list[Life] = []
        self._seen = dict.fromkeys(ends, 0)

    def live(self, seconds: float) -> None:
        """Let the server, which has begun to start, live on for some time, and kill it."""
        threading.Event().wait(seconds)
        self.site.kill()
        killed = time.monotonic()
        self.far_ends.settle()
        self._note(Life(killed, in_queue(self.site)))

    def begin(self) -> None:
        """Start the server, and do not wait."""
        with open(self.site.log_path, "ab") as log:
            self.site.process = subprocess.Popen(
                self.site.place.command(self.site.command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def finish(self) -> None:
        """Let the last life deliver all there is, and end it in good order."""
        until(lambda: self.site.cli("queue", "list", "--json").stdout.split() == ["[]"], 120, "the queue to be empty")
        self.site.stop()
        self.far_ends.settle()
        self._note(Life(time.monotonic(), in_queue(self.site)))

    def copies(self) -> Iterator[Taken]:
        """Yield all that the next hops have taken."""
        for end in self.ends.values():
            yield from end.taken

    def _note(self, life: Life) -> None:
        for domain, end in self.ends.items():
            for taken in end.taken[self._seen[domain] :]:
                answered = bool(taken.answers) and str(taken.answers[0]).startswith("250")
                for recipient in taken.recipients:
                    unit = (identity(taken), recipient)
                    if answered:
                        life.answered.append((unit, taken.at))
                    elif not taken.answers:
                        life.unanswered.append(unit)
            self._seen[domain] = len(end.taken)
        self.lives.append(life)


def identity(taken: Taken) -> str:
    """Return what our server called the message."""
    hops, _ = parted(taken.octets)
    (hop,) = hops
    found = _ID.search(hop)
    assert found is not None, hop
    return found[1]


def in_queue(site: Site) -> dict[Unit, bool]:
    """Return what the dead server's queue holds, and whether it had that in its hands; nothing of it is touched."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (site.folder / "queue").glob("queue.sqlite*"):
            # Its index of the log is of no use to another file.
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder)
        copy = sqlite3.connect(Path(folder, "queue.sqlite"))
        rows = copy.execute(_IN_QUEUE).fetchall()
        copy.close()
    return {(name, recipient): bool(claimed) for name, recipient, claimed in rows}


def moody(dice: random.Random, usual: str, *moods: tuple[float, Said | Action]) -> Action:
    """Say what is usual, but now and then, each with its likelihood, something else."""

    def act(conversation: Conversation) -> Said:
        for likelihood, mood in moods:
            if dice.random() < likelihood:
                return mood(conversation) if callable(mood) else mood
        return usual

    return act


def next_hop(offers: tuple[str, ...], dice: random.Random) -> FarEnd:
    """Return a server that mostly takes what comes."""
    taken = GOOD["."]
    return FarEnd(
        offers,
        greeting=moody(dice, GOOD["GREETING"], (0.01, "421 4.3.2 Too busy"), (0.01, drop)),
        mail=moody(dice, GOOD["MAIL"], (0.01, "451 4.3.0 Not now"), (0.003, "421 4.3.2 Tired"), (0.003, reset)),
        rcpt=moody(dice, GOOD["RCPT"], (0.02, "450 4.2.1 Busy")),
        data=moody(dice, GOOD["DATA"], (0.01, "451 4.3.0 Not now"), (0.005, drop)),
        end=moody(
            dice, taken, (0.01, "451 4.3.0 Not now"), (0.01, drop), (0.005, reset), (0.005, then(b"250 2.0", drop))
        ),
    )


def relay_and_kill(relay: Relay, times: int, seed: int) -> Ledger:
    """Kill the server *times* times under load, some of them while it starts; return what was sent."""
    site, dice = relay.site, relay.dice
    load = Load(site.ports["mta"], [*LOCAL, *REMOTE], 6, seed)
    load.start()
    for number in range(times):
        relay.live(dice.uniform(0.1, 1.2))
        if number % 4 == 3:
            relay.begin()
            relay.live(dice.uniform(0.2, 2.0))
        site.start()
    threading.Event().wait(0.3)
    load.stop()
    relay.live(0.0)
    site.start()
    assert load.refusals == []
    relay.finish()
    return load.ledger


def check_copies(relay: Relay, ledger: Ledger) -> None:
    """Every copy anywhere is a message as it was sent, to nobody but its recipients."""
    for taken in relay.copies():
        _, octets = parted(taken.octets)
        key = key_of(octets)
        assert key is not None
        sent = ledger.messages[key]
        assert digest(octets) == sent.digest, key
        assert set(taken.recipients) <= set(sent.recipients)


def check_arrivals(relay: Relay, ledger: Ledger) -> Counter[Unit]:
    """What was acknowledged came; return how often each came with a 250."""
    answered = Counter(unit for life in relay.lives for unit, _ in life.answered)
    lost = {
        (sent.id, recipient)
        for sent in ledger.messages.values()
        if sent.acknowledged
        for recipient in sent.recipients
        if recipient in REMOTE and not answered[sent.id, recipient]
    }
    assert not lost, f"acknowledged and lost: {sorted(lost)}"
    return answered


def check_duplicates(relay: Relay, answered: Counter[Unit]) -> int:
    """What came again had been in hand at a kill, its 250 not yet recorded; return how many did.

    That is so for each to the number: nothing comes twice within one life, and nothing that was recorded comes again.
    """
    again: Counter[Unit] = Counter()
    for life in relay.lives[:-1]:
        for unit, at in life.unrecorded.items():
            assert life.queued[unit], f"{unit} was delivered, and not in hand"
            assert life.at - at < RECORDED, f"{unit} was not recorded for {life.at - at} seconds"
            again[unit] += 1
    assert +Counter({unit: count - 1 for unit, count in answered.items()}) == again
    return again.total()


def check_unacknowledged(relay: Relay, ledger: Ledger) -> int:
    """What has come and was never acknowledged was whole when its reply was lost; return how many messages that is."""
    promised = {sent.id for sent in ledger.messages.values() if sent.acknowledged}
    names: dict[str, set[str]] = {}
    for taken in relay.copies():
        names.setdefault(key_of(parted(taken.octets)[1]) or "", set()).add(identity(taken))
    for key, found in names.items():
        # One that was sent again has another id: so many at most as its end was sent.
        assert len(found) <= ledger.messages[key].ended, key
    return len(set().union(*names.values()) - promised)


def check_queue(relay: Relay) -> None:
    """Nothing is left of what has gone: no row, no content, no claim, and nothing was found damaged."""
    assert relay.lives[-1].queued == {}
    folder = relay.site.folder / "queue"
    assert list((folder / "content").iterdir()) == []
    assert list((folder / "damaged").iterdir()) == []
    database = sqlite3.connect(folder / "queue.sqlite")
    for table in ("messages", "contents", "recipients", "owners"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    database.close()


def run(times: int) -> str:
    """Kill the server *times* times and look at everything; return the figures. MAILSUITE_TEST_SEED repeats a run."""
    seed = int(os.environ.get("MAILSUITE_TEST_SEED") or secrets.randbelow(1 << 31))
    print(f"MAILSUITE_TEST_SEED={seed}")
    dice = random.Random(seed)
    options: dict[str, dict[str, object]] = {
        "queue": {"retry_first": 0.3, "retry_factor": 1, "retry_cap": 0.3, "delay_warning": 0},
        "delivery": {"tls": "none"},
    }
    with FarEnds() as far_ends:
        ends = {domain: next_hop(offers, dice) for domain, offers in FAR.items()}
        for number, (domain, end) in enumerate(ends.items()):
            port = far_ends.listen(end)
            options[f"routes.r{number}"] = {"recipients": [domain], "host": "127.0.0.1", "port": port}
        site = Site(options, ["alice", "bob"])
        try:
            site.make()
            for domain in FAR:
                site.cli("domain", "add", domain, "--class", "relay")
            site.start()
            relay = Relay(site, far_ends, ends, dice)
            ledger = relay_and_kill(relay, times, seed)
            check_files(site)
            figures = look_at(relay, ledger, times)
            site.check_logs()
        finally:
            site.discard()
    print(figures)
    return figures


def is_mixed(sent: Sent) -> bool:
    """Say whether a message was for a mailbox here and for somebody elsewhere."""
    return 0 < len(set(sent.recipients) & set(LOCAL)) < len(sent.recipients)


def look_at(relay: Relay, ledger: Ledger, times: int) -> str:
    """Check everything, and return the numbers."""
    check_copies(relay, ledger)
    answered = check_arrivals(relay, ledger)
    duplicates = check_duplicates(relay, answered)
    extra = check_unacknowledged(relay, ledger)
    check_queue(relay)
    relay.site.start()
    for user in LOCAL:
        check_mailbox(relay.site, ledger, user)
    relay.site.stop()
    acknowledged = sum(sent.acknowledged for sent in ledger.messages.values())
    mixed = sum(sent.acknowledged and is_mixed(sent) for sent in ledger.messages.values())
    assert acknowledged > 20 * times
    in_hand = [sum(life.queued.values()) for life in relay.lives]
    repeated = [len(life.unrecorded) for life in relay.lives[:-1]]
    oldest = max((life.at - at for life in relay.lives[:-1] for at in life.unrecorded.values()), default=0.0)
    unanswered = sum(len(life.unanswered) for life in relay.lives)
    return (
        f"{len(relay.lives) - 1} kills: {acknowledged} messages acknowledged, {mixed} of them for both sides, and all"
        f" came."
        f" {answered.total()} deliveries to {len(answered)} recipients, {duplicates} of them duplicates"
        f" (up to {max(repeated)} after one kill, of up to {max(in_hand)} recipients in hand, and none answered for"
        f" more than {oldest:.3f} s before it), and {unanswered} broken off without an answer."
        f" {extra} messages came that were not acknowledged."
    )


def test_relay_kill() -> None:
    """After eight kills under load every acknowledged message has come to each next hop, exactly as sent."""
    run(8)


@pytest.mark.slow
def test_relay_kill_often() -> None:
    """The same after fifty kills."""
    run(50)
