"""SIGKILL at any moment, under load: what was acknowledged is kept, whole, and nothing comes back."""

import os
import poplib
import random
import re
import secrets
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import accounts_fill
from tests.system.fetchers import fetch_all, pop3_session, retrieve
from tests.system.load import Ledger, Load, digest, key_of
from tests.system.messages import without_trace
from tests.system.programs import found
from tests.system.site import DOMAIN, Site

pytestmark = pytest.mark.system

# Dora fetches and removes her mail all the while.
READERS = [f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol")]
DORA = f"dora@{DOMAIN}"
NOISE = f"noise@{DOMAIN}"
_SIZE = re.compile(r",S=(\d+)")


class Collector(threading.Thread):
    """Fetches and removes all mail of one user, again and again, through crashes."""

    def __init__(self, site: Site, user: str) -> None:
        super().__init__(daemon=True)
        self._site = site
        self._user = user
        self._over = threading.Event()
        # Fetched and removed; and fetched when the connection broke on the answer to QUIT.
        self.taken: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self.digests: dict[str, str] = {}

    def stop(self) -> None:
        """End after the session in hand."""
        self._over.set()
        self.join(30)
        assert not self.is_alive()

    def run(self) -> None:
        """Fetch until told to stop."""
        while not self._over.is_set():
            try:
                self._fetch()
            except (OSError, EOFError, poplib.error_proto):
                pass
            self._over.wait(0.05)

    def _fetch(self) -> None:
        session = pop3_session(self._site, self._user)
        keys: list[str] = []
        for number in range(1, session.stat()[0] + 1):
            whole = without_trace(retrieve(session, number))
            key = key_of(whole)
            assert key is not None
            keys.append(key)
            self.digests[key] = digest(whole)
            session.dele(number)
        try:
            session.quit()
            self.taken.update(keys)
        except (OSError, EOFError, poplib.error_proto):
            self.doubtful.update(keys)
            raise


@contextmanager
def smtp_source(site: Site) -> Iterator[None]:
    """Let Postfix's smtp-source send to one mailbox besides, where it is installed."""
    program = found("smtp-source")
    over = threading.Event()

    def run() -> None:
        command = [program or "", "-s", "4", "-m", "100000", "-l", "4096", "-f", "noise@client.example"]
        while not over.is_set():
            running = subprocess.Popen(
                [*command, "-t", NOISE, f"127.0.0.1:{site.ports['mta']}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            # It gives up when the server dies.
            while running.poll() is None and not over.wait(0.05):
                pass
            running.kill()
            running.wait()

    thread = threading.Thread(target=run, daemon=True)
    if program is not None:
        thread.start()
    yield
    over.set()
    if program is not None:
        thread.join(10)


def kill_and_restart(site: Site, times: int, seed: int) -> tuple[Ledger, Collector]:
    """Kill the server *times* times under load, and once more when the load is over."""
    dice = random.Random(seed)
    load = Load(site.ports["mta"], [*READERS, DORA], 6, seed)
    collector = Collector(site, DORA)
    with smtp_source(site):
        load.start()
        collector.start()
        for _ in range(times):
            threading.Event().wait(dice.uniform(0.1, 1.2))
            site.kill()
            site.start()
        threading.Event().wait(0.3)
        load.stop()
    collector.stop()
    site.kill()
    site.start()
    assert load.refusals == []
    return load.ledger, collector


def check_files(site: Site) -> None:
    """Every file in a mailbox has the size that its name says, and nothing was found damaged."""
    for mailbox in (site.folder / "mail" / DOMAIN).iterdir():
        assert not (mailbox / "damaged").exists()
        for path in (mailbox / "new").iterdir():
            size = _SIZE.search(path.name)
            assert size is not None
            assert path.stat().st_size == int(size[1]), path


def check_mailbox(site: Site, ledger: Ledger, user: str) -> Counter[str]:
    """Every message promised to *user* is there as it was sent; return how often each message is there."""
    messages = [without_trace(octets) for octets in site.on_disk(user)]
    assert Counter(map(digest, messages)) == Counter(digest(without_trace(each)) for each in fetch_all(site, user))
    counts: Counter[str] = Counter()
    for octets in messages:
        key = key_of(octets)
        assert key is not None, octets[:300]
        sent = ledger.messages[key]
        assert user in sent.recipients
        assert digest(octets) == sent.digest, key
        counts[key] += 1
    lost = ledger.acknowledged(user) - set(counts)
    assert not lost, f"acknowledged and lost: {sorted(lost)}"
    return counts


def check_collected(site: Site, ledger: Ledger, collector: Collector) -> None:
    """What Dora was promised she has fetched, or finds still there; what she has removed does not come back."""
    left: Counter[str] = Counter()
    for octets in map(without_trace, site.on_disk(DORA)):
        key = key_of(octets)
        assert key is not None
        assert digest(octets) == ledger.messages[key].digest
        left[key] += 1
    for key, fetched in collector.digests.items():
        assert fetched == ledger.messages[key].digest
    had = set(left) | set(collector.taken) | collector.doubtful
    assert ledger.acknowledged(DORA) <= had
    for key, times in (collector.taken + left).items():
        # One that was sent again may be there as often as that.
        assert times <= ledger.messages[key].tries or key in collector.doubtful, key


def run(times: int, among: int = 0) -> str:
    """Kill the server *times* times and look at everything; return the figures. MAILSUITE_TEST_SEED repeats a run.

    There are *among* other accounts, too.
    """
    seed = int(os.environ.get("MAILSUITE_TEST_SEED") or secrets.randbelow(1 << 31))
    print(f"MAILSUITE_TEST_SEED={seed}")
    with Site(users=["alice", "bob", "carol", "dora", "noise"]) as site:
        if among:
            accounts_fill.fill(site.folder / "accounts.sqlite", among)
        ledger, collector = kill_and_restart(site, times, seed)
        check_files(site)
        counts = {user: check_mailbox(site, ledger, user) for user in READERS}
        check_collected(site, ledger, collector)
        acknowledged = sum(sent.acknowledged for sent in ledger.messages.values())
        assert acknowledged > 50 * times
        copies = sum(counts.values(), Counter[str]())
        extra = sum(count > 0 and not ledger.messages[key].acknowledged for key, count in copies.items())
        duplicates = sum(count - 1 for each in counts.values() for count in each.values())
        figures = (
            f"{times} kills: {acknowledged} messages acknowledged, all kept; {duplicates} duplicates,"
            f" {extra} kept that were not acknowledged, {sum(collector.taken.values())} fetched and removed,"
            f" {len(site.on_disk(NOISE))} of smtp-source"
        )
        print(figures)
    return figures


@pytest.mark.parametrize("among", [0, 10_000])
def test_kill(among: int) -> None:
    """After four kills under load every acknowledged message is in each of its mailboxes, exactly as sent."""
    run(4, among)


@pytest.mark.slow
def test_kill_often() -> None:
    """The same after twenty kills."""
    run(20)
