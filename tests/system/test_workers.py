"""Several processes serve one site: what they share, how they are replaced, and that nothing is lost by it."""

import os
import poplib
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.system.far_end import END, GOOD, FarEnd, FarEnds, silence
from tests.system.fetchers import pop3_session
from tests.system.load import Load, digest
from tests.system.messages import message, without_trace
from tests.system.programs import root_only
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, NotStarted, Options, Site, until
from tests.system.wire import Wire

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
# Whose mail goes to somebody elsewhere.
AWAY = f"away@{DOMAIN}"
CAROL = "carol@far.example"
LISTENERS = {
    "mta": {"service": "mta", "tls": "starttls"},
    "pop3": {"service": "pop3", "tls": "starttls", "auth": "always"},
    "pop3s": {"service": "pop3", "tls": "implicit"},
}
ADDRESS_CONNECTIONS = 6
GUESSES = 8
TAKES_PLACE = "Another program takes this place"
# What is said to a wrong password, as long as it is let in.
WRONG = b"[AUTH]"


class Workers:
    """A site with two workers."""

    def __init__(self, site: Site, next_hop: FarEnd, pidfile: Path) -> None:
        self.site = site
        self.next_hop = next_hop
        self.pidfile = pidfile

    @property
    def pids(self) -> list[int]:
        """Our server's workers, those that are going with them."""
        children = Path(f"/proc/{self.site.pid}/task/{self.site.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    @property
    def ready(self) -> set[int]:
        """Those that serve."""
        return set(self.pids) & {int(pid) for pid in re.findall(r"Worker \d+ is process (\d+)", self.site.log)}

    @contextmanager
    def only(self, pid: int) -> Iterator[None]:
        """Let no worker but *pid* do anything."""
        others = [each for each in self.pids if each != pid]
        for each in others:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in others:
                os.kill(each, signal.SIGCONT)

    def all_say(self, ask: Callable[[], bytes], beginning: bytes) -> bool:
        """Say whether each worker, when it is asked, says what has that *beginning*."""
        return all(self.at(pid, ask).startswith(beginning) for pid in self.pids)

    def at(self, pid: int, ask: Callable[[], bytes]) -> bytes:
        """Return what the worker *pid* alone says when it is asked."""
        with self.only(pid):
            return ask()

    def owner(self) -> int:
        """Return the process that has claimed something in the queue; 0 where nobody has."""
        with closing(sqlite3.connect(f"file:{self.site.folder}/queue/queue.sqlite?mode=ro", uri=True)) as queue:
            row = queue.execute("SELECT pid FROM owners WHERE number IN (SELECT owner FROM recipients)").fetchone()
        return 0 if row is None else int(row[0])

    def succeed(self) -> None:
        """Have another program take the parent's place, and wait until its workers serve."""
        complete = self.site.log.count(" workers")
        os.kill(self.site.pid, signal.SIGUSR2)
        until(lambda: self.site.log.count(" workers") > complete, 60, "new workers")


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Serve a site by two workers, with limits that are soon reached, and a next hop that at first says nothing."""
    next_hop = FarEnd(end=[silence, GOOD[END]])
    with FarEnds() as far_ends:
        limits = {
            "exempt": [], "address_connections": ADDRESS_CONNECTIONS, "guesses": GUESSES, "connection_rate": 0,
            "message_rate": 0, "recipient_rate": 0, "session_messages": 1_000_000,
        }  # fmt: skip
        options: Options = {
            "": {"workers": 2, "drain_time": 30},
            "limits": limits,
            "routes.far": {"host": "127.0.0.1", "port": far_ends.listen(next_hop), "tls": "none"},
        }
        pidfile = tmp_path_factory.mktemp("workers") / "twistd.pid"
        twistd = [f"--pidfile={pidfile}"]
        with Site(options=options, users=["alice"], listeners=LISTENERS, twistd=twistd) as site:
            site.cli("alias", "add", AWAY, CAROL)
            yield Workers(site, next_hop, pidfile)


def send(site: Site, recipient: str, text: bytes) -> None:
    """Send a message."""
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [recipient], message(ALICE, text))


def stored(site: Site) -> list[bytes]:
    """Return what lies in Alice's mailbox."""
    return [*site.on_disk(ALICE), *site.on_disk(ALICE, "cur")]


def guess(site: Site) -> bytes:
    """Return what is said to a wrong password of Alice's, from an address that is used for nothing else."""
    with Wire(site.ports["pop3"], source="127.0.0.3") as wire:
        wire.send(b"USER %s\r\nPASS wrong\r\n" % ALICE.encode())
        # A greeting and USER's answer come first, where it has not been found out before.
        while (line := wire.line()).startswith(b"+OK"):
            pass
        return line


# What they share


def test_a_cap_holds_over_all_workers(workers: Workers) -> None:
    """Connections to one worker count for the other; those that end make room again."""
    one, other = workers.pids
    port = workers.site.ports["mta"]
    wires: list[Wire] = []
    for pid in (one, other):
        with workers.only(pid):
            for _ in range(ADDRESS_CONNECTIONS // 2):
                wires.append(Wire(port, source="127.0.0.2"))
                wires[-1].greet()

    def greeting() -> bytes:
        with Wire(port, source="127.0.0.2") as wire:
            return wire.answer()

    for code in (b"421", b"220"):
        # What one has to tell the other takes a moment.
        until(partial(workers.all_say, greeting, code))
        for wire in wires:
            wire.socket.close()


def test_guesses_count_in_all_workers(workers: Workers) -> None:
    """Wrong passwords at one worker cut off the logins at both; other addresses may log in."""
    one, other = workers.pids
    for pid in (one, other):
        with workers.only(pid):
            for _ in range(GUESSES // 2):
                assert WRONG in guess(workers.site)
    for pid in (one, other):
        answers: list[bytes] = []
        while not answers or WRONG in answers[-1]:
            answers.append(workers.at(pid, partial(guess, workers.site)))
        # By itself each of them would have let in as many again.
        assert len(answers) < GUESSES // 2
    assert pop3_session(workers.site, ALICE).quit().startswith(b"+OK")


def test_a_maildrop_is_locked_in_all_workers(workers: Workers) -> None:
    """As in one process; and what one has delivered the other one lists."""
    site = workers.site
    one, other = workers.pids
    for count in (1, 2):
        for pid in (one, other):
            with workers.only(pid):
                session = pop3_session(site, ALICE)
                assert session.stat()[0] == count - 1
            with workers.only(one if pid == other else other), pytest.raises(poplib.error_proto, match="IN-USE"):
                pop3_session(site, ALICE)
            session.quit()
        with workers.only(one):
            send(site, ALICE, b"to be listed\r\n")


def test_all_write_one_mail_log(workers: Workers) -> None:
    """And begin it anew when told to, so that it can be rotated."""
    site = workers.site
    log, rotated = site.folder / "mail.log", site.folder / "mail.log.1"
    before = len(stored(site))
    log.rename(rotated)
    site.hang_up()
    until(log.exists)
    until(lambda: not any(rotated in opened(pid) for pid in workers.pids), what="all to let go of the old log")
    for pid in workers.pids:
        with workers.only(pid):
            send(site, ALICE, b"logged by %d\r\n" % pid)
    lines = [line for line in log.read_text().splitlines() if " smtp " in line]
    assert len(lines) == len(stored(site)) - before == 2


def opened(pid: int) -> set[Path]:
    """Return the files that a process has open; none where it has ended meanwhile."""
    found = set()
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(path.readlink())
    return found


# When they end


def test_a_dead_worker_is_replaced_and_what_it_had_claimed_goes_out(workers: Workers) -> None:
    """By another one, while a third takes its place; what it was taking in is removed."""
    site, next_hop = workers.site, workers.next_hop
    before = workers.pids
    send(site, AWAY, b"on and on\r\n")
    until(lambda: len(next_hop.taken) == 1, what="a delivery that is not answered")
    dead = workers.owner()
    assert dead in before
    left = site.folder / "mail" / ".incoming" / f"1700000000.M000001P{dead}Q1"
    left.touch()
    os.kill(dead, signal.SIGKILL)

    until(lambda: len(next_hop.taken) == 2, 30, "another try")
    until(lambda: not workers.owner(), what="its outcome")
    until(lambda: len(workers.ready) == 2, 30, "a worker in its place")
    assert dead not in workers.pids and set(before) & set(workers.pids)
    assert next_hop.taken[1].octets == next_hop.taken[0].octets
    until(lambda: not left.exists())
    assert "unclean" not in site.log


def test_a_worker_killed_under_load_loses_nothing(workers: Workers) -> None:
    """What was acknowledged is there, and whole; who was cut off goes on with another one."""
    site, known = workers.site, len(stored(workers.site))
    load = Load(site.ports["mta"], [ALICE], 2, 5)
    load.start()
    until(lambda: len(load.ledger.acknowledged(ALICE)) > 20, 20, "some mail")
    dead = workers.pids[0]
    os.kill(dead, signal.SIGKILL)
    until(lambda: len(workers.ready) == 2 and dead not in workers.pids, 30, "a worker in its place")
    load.stop()

    kept = [digest(without_trace(octets)) for octets in stored(site)]
    acknowledged = {load.ledger.messages[key].digest for key in load.ledger.acknowledged(ALICE)}
    assert load.refusals == []
    assert acknowledged <= set(kept)
    # What was on its way to one that is dead may be there twice, and nothing that was never sent.
    assert len(set(kept) - {sent.digest for sent in load.ledger.messages.values()}) <= known


def test_upgrade_under_load(workers: Workers) -> None:
    """New configuration, new processes in the place of all others, no connection refused or cut, nothing lost."""
    site = workers.site
    before, parent, known = workers.pids, site.pid, len(stored(site))
    open_before = Wire(site.ports["mta"])
    open_before.greet()
    load = Load(site.ports["mta"], [ALICE], 2, 7)
    load.start()
    until(lambda: len(load.ledger.acknowledged(ALICE)) > 20, 20, "some mail")
    site.options["limits"] = {**site.options["limits"], "message_size": 2_000_000}
    site.write_config()
    workers.succeed()
    delivered = len(load.ledger.acknowledged(ALICE))
    until(lambda: len(load.ledger.acknowledged(ALICE)) > delivered + 20, 20, "more mail")
    load.stop()

    with Wire(site.ports["mta"]) as wire:
        wire.reply(220)
        assert b"SIZE 2000000" in wire.ask(b"EHLO client.example", 250)
    for line in (b"MAIL FROM:<a@client.example>", b"RCPT TO:<%s>" % ALICE.encode()):
        open_before.ask(line, 250)
    open_before.ask(b"DATA", 354)
    open_before.send(message("a@client.example", b"begun before\r\n") + b".\r\n")
    open_before.reply(250)
    open_before.ask(b"QUIT", 221)
    assert load.refusals == []
    next_hop = workers.next_hop
    taken, next_hop.replies[END] = len(next_hop.taken), GOOD[END]
    send(site, AWAY, b"by the one that leads now\r\n")
    until(lambda: len(next_hop.taken) > taken, 30, "a delivery")
    assert site.pid == parent and site.process is not None and site.process.poll() is None
    until(lambda: not set(before) & set(workers.pids), 30, "the old workers' end")
    kept = [digest(without_trace(octets)) for octets in stored(site)]
    assert {load.ledger.messages[key].digest for key in load.ledger.acknowledged(ALICE)} <= set(kept)
    assert len(kept) == known + len(load.ledger.acknowledged(ALICE)) + 1


def test_what_would_not_start_takes_no_place(workers: Workers) -> None:
    """A mistake in the configuration is told, and all goes on; so does a worker that has to be replaced meanwhile."""
    site, before = workers.site, set(workers.pids)
    good = site.config.read_text()
    site.config.write_text(good.replace("[limits]", "[limits]\nnonsense = 1"))
    os.kill(site.pid, signal.SIGUSR2)
    until(lambda: "all goes on as it was" in site.log, 30, "a line in the log")
    assert "nonsense: unknown key" in site.log
    assert set(workers.pids) == before
    dead = min(before)
    os.kill(dead, signal.SIGKILL)
    until(lambda: len(workers.ready) == 2 and dead not in workers.pids, 30, "a worker in its place")
    site.config.write_text(good)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ('[listen.more]\nservice = "mta"\nendpoint = "tcp:{taken}:interface=127.0.0.1"', "listen.more] cannot"),
        ('[deny.x]\nfile = "nowhere.list"', "nowhere.list"),
        ('[check.x]\nobject = "nowhere:make"', "No module named 'nowhere'"),
        ('[log]\npath = "nowhere/mail.log"', "nowhere/mail.log"),
        ('[queue]\npath = "mailsuite.toml"', "the queue's folder cannot be made"),
        ('[directory]\npath = "nowhere/accounts.sqlite"', "nowhere/accounts.sqlite"),
    ],
    ids=["port", "list", "check", "log", "queue", "accounts"],
)
def test_what_workers_would_not_start_with_takes_no_place(workers: Workers, table: str, reason: str) -> None:
    """A port that is taken, and what workers alone open: the log says what is in the way."""
    site, before = workers.site, workers.ready
    good, told = site.config.read_text(), len(site.log)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        section, _, key = table.format(taken=taken.getsockname()[1]).partition("\n")
        wrong = good.replace(section, f"{section}\n{key}") if section in good else f"{good}\n{section}\n{key}\n"
        site.config.write_text(wrong)
        os.kill(site.pid, signal.SIGUSR2)
        until(lambda: "all goes on as it was" in site.log[told:], 30, "a line in the log")
        site.config.write_text(good)

    assert reason in site.log[told:].partition("all goes on as it was")[2]
    assert workers.ready == before


def test_what_was_rehearsed_is_taken_up(workers: Workers) -> None:
    """Whatever is written into the file meanwhile; a session of before logs into the file that there is now."""
    site = workers.site
    good, log = site.config.read_text(), site.folder / "mail.log"
    before = Wire(site.ports["mta"])
    before.greet()
    complete, begun = site.log.count(" workers"), site.log.count(TAKES_PLACE)
    os.kill(site.pid, signal.SIGUSR2)
    until(lambda: site.log.count(TAKES_PLACE) > begun, 60, "another program")
    site.config.write_text("hostname = ")
    log.rename(site.folder / "mail.log.2")
    site.hang_up()
    try:
        until(lambda: site.log.count(" workers") > complete, 60, "new workers")
    finally:
        site.config.write_text(good)
    until(lambda: log.exists() and all(opened(pid) & {log} for pid in workers.pids), 30, "all to open the new log")
    for line in (b"MAIL FROM:<a@client.example>", b"RCPT TO:<%s>" % ALICE.encode()):
        before.ask(line, 250)
    before.ask(b"DATA", 354)
    before.send(b"Subject: by one of before\r\n\r\n.\r\n")
    before.reply(250)

    assert "a@client.example" in log.read_text()
    before.ask(b"QUIT", 221)


def test_a_stop_while_another_program_takes_the_place(workers: Workers) -> None:
    """It is a clean one as soon as there is somebody to do it."""
    site = workers.site
    begun = site.log.count(TAKES_PLACE)
    os.kill(site.pid, signal.SIGUSR2)
    until(lambda: site.log.count(TAKES_PLACE) > begun, 60, "another program")
    os.kill(site.pid, signal.SIGTERM)
    site.ended(60)
    assert not (site.folder / "running").exists()
    site.start()
    until(lambda: len(workers.ready) == 2, 30, "workers")


def test_a_stop_ends_a_rehearsal(workers: Workers) -> None:
    """One that never ends keeps nobody from the site; here it waits for who writes a list."""
    site = workers.site
    good, endless = site.config.read_text(), site.folder / "endless.list"
    os.mkfifo(endless)
    site.config.write_text(f'{good}\n[deny.x]\nfile = "{endless}"\n')
    serving = set(workers.pids)
    os.kill(site.pid, signal.SIGUSR2)
    (rehearsal,) = until(lambda: set(workers.pids) - serving, 30, "the rehearsal")
    site.config.write_text(good)
    site.stop()
    until(lambda: not Path(f"/proc/{rehearsal}").exists(), 30, "its end")
    site.start()
    until(lambda: len(workers.ready) == 2, 30, "workers")


def test_a_stop_is_a_clean_one(workers: Workers) -> None:
    """Every session is told 421, and nothing is left that would be in the way of the next start."""
    site = workers.site
    idle = Wire(site.ports["mta"], source="127.0.0.4")
    idle.greet()
    os.kill(site.pid, signal.SIGTERM)
    idle.reply(421)
    site.ended()
    assert not (site.folder / "running").exists()
    assert not workers.pidfile.exists()


def test_all_processes_told_to_stop_at_once(workers: Workers) -> None:
    """As Ctrl-C and systemd do: a worker is told twice then, by them and by its parent, and stops once."""
    site = workers.site
    if site.process is None:
        site.start()
    told = len(site.log)
    for pid in (site.pid, *workers.pids):
        os.kill(pid, signal.SIGTERM)
    site.ended()

    assert "Traceback" not in site.log[told:]
    assert not (site.folder / "running").exists()


def test_without_their_parent_they_end(workers: Workers) -> None:
    """Nobody serves on for ever when it is killed."""
    site = workers.site
    if site.process is None:
        site.start()
    before = workers.pids
    idle = Wire(site.ports["mta"], source="127.0.0.4")
    idle.greet()
    site.kill()
    idle.reply(421)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before), 30, "the workers' end")
    with pytest.raises(ConnectionRefusedError):
        Wire(site.ports["mta"])
    # The next start looks at what that has left.
    assert (site.folder / "running").exists()


def test_workers_that_cannot_start_are_no_service(workers: Workers) -> None:
    """The parent says why, and ends as any start that fails."""
    site = workers.site
    if site.process is not None:
        site.stop()
    accounts = site.folder / "accounts.sqlite"
    good = accounts.read_bytes()
    accounts.write_bytes(b"no database" * 1000)
    with pytest.raises(NotStarted, match=r"accounts\.sqlite(.|\n)*The workers cannot be started"):
        site.start()
    assert site.process is not None and site.process.wait(30) == 1
    site.process = None
    accounts.write_bytes(good)


@root_only
def test_after_root_is_dropped() -> None:
    """The log was opened by root: as long as nobody else may write it nothing takes the place; mended, all does."""
    site = Site(options={"": {"workers": 2}}, listeners=LISTENERS, owner="nobody")
    site.twistd_options = [f"--logfile={site.log_path}"]
    try:
        site.make()
        site.start()
        until(lambda: " 2 workers" in site.log, 30, "the workers")
        os.kill(site.pid, signal.SIGUSR2)
        told = until(lambda: re.search(r"its log cannot be written .*; to mend it: (.*)", site.log), 30, "a remedy")
        assert told is not None
        subprocess.run(told[1], shell=True, check=True)
        os.kill(site.pid, signal.SIGUSR2)
        until(lambda: site.log.count(" 2 workers") == 2, 60, "new workers")
        served = Workers(site, FarEnd(), site.root)
        until(lambda: len(served.pids) == 2, 60, "the end of those before")
        site.stop()
        site.check_logs()
    finally:
        site.discard()
