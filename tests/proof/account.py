"""The full account after a crash: what was promised is there, what was not is nowhere, and nothing is half."""

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.place import LIMITS, USERS, Place
from tests.proof.workload import LATER, MESSAGES, NEVER, SENDER, Journal, Offer, connect, lines, log_in, octets
from tests.system.far_end import Taken
from tests.system.load import key_of
from tests.system.messages import parted
from tests.system.site import DOMAIN, until

# How long a server may take to work off what the one before has left.
_SECONDS = 60.0
_BUSY = """
    SELECT 1 FROM recipients
    WHERE owner IS NOT NULL OR (state IN ('waiting', 'bounce') AND next_try <= ?) LIMIT 1"""
_ROWS = """
    SELECT r.local || '@' || r.domain, c.octets, m.file, m.skip, r.state FROM recipients r
    JOIN messages m ON m.number = r.message LEFT JOIN contents c ON c.message = m.number"""
_SIZE = re.compile(r",S=(\d+)")
_REPORT = f"\r\nFinal-Recipient: rfc822; {NEVER}\r\n".encode()
_NEARLY_FULL = b"\r\nSubject: Your mailbox is "


@dataclass(slots=True)
class Findings:
    """What an account has found: *losses* are promises that were broken, each in words."""

    losses: list[str] = field(default_factory=list)
    kept: int = 0
    twice: int = 0
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be: *damaged* files of what was never promised (after a power cut); mail that *waits* for a later try;
    a *noisy* log; mail that was refused and *stays*, where its name could not be removed.
    """

    damaged: bool = False
    waits: bool = False
    noisy: bool = False
    stays: bool = False


def settle(place: Place, over: Callable[[], bool]) -> list[str]:
    """Let the server that lives now work off all there is; return what is wrong with that."""
    queue = place.root / "queue" / "queue.sqlite"
    wire = connect(place.ports.pop3, over)
    if wire is None:
        return ["the server does not start again"]
    try:
        # Once it greets, its queue is open and in order.
        wire.ok()
    except (OSError, EOFError):
        return ["the server does not start again"]
    finally:
        wire.socket.close()
    with closing(sqlite3.connect(queue, timeout=10)) as database:

        def idle() -> bool:
            return database.execute(_BUSY, (time.time(),)).fetchone() is None

        try:
            until(lambda: over() or idle(), _SECONDS, "the queue to be worked off")
        except AssertionError as error:
            return [str(error)]
    return []


def shown(place: Place, over: Callable[[], bool]) -> list[str]:
    """Return what is wrong with what the server that lives now says to those who send mail, and shows by POP3."""
    return [*_turned_away(place, over), *(wrong for user in USERS for wrong in _shown(place, user, over))]


def _turned_away(place: Place, over: Callable[[], bool]) -> list[str]:
    """Return what is wrong with who is told that a mailbox has no room."""
    wire = connect(place.ports.mta, over)
    if wire is None:
        return ["nobody can send mail"]
    wrong: list[str] = []
    try:
        for command in ("", "EHLO client.example\r\n", f"MAIL FROM:<{SENDER}>\r\n"):
            wire.send(command.encode())
            wire.answer()
        for user in USERS:
            wire.send(f"RCPT TO:<{user}@{DOMAIN}>\r\n".encode())
            said = wire.answer()
            count = len(_files(place, user))
            full = user in LIMITS and count >= LIMITS[user]
            if not said.startswith(b"452 4.2.2" if full else b"250"):
                wrong.append(f"{user} has {count} messages, and who sends one more hears {said!r}")
    except (OSError, EOFError) as error:
        wrong.append(f"nobody can send mail: {error!r}")
    finally:
        wire.socket.close()
    return wrong


def _shown(place: Place, user: str, over: Callable[[], bool]) -> list[str]:
    wire = connect(place.ports.pop3, over)
    if wire is None:
        return [f"{user} cannot fetch mail"]
    try:
        count = len(log_in(wire, f"{user}@{DOMAIN}"))
        wire.send(b"LIST\r\n")
        sizes = [int(line.split()[1]) for line in lines(wire)]
        got: list[bytes] = []
        for number in range(1, count + 1):
            wire.send(b"RETR %d\r\n" % number)
            got.append(b"".join(line + b"\r\n" for line in lines(wire)))
        wire.send(b"QUIT\r\n")
        wire.ok()
    except (OSError, EOFError, AssertionError) as error:
        return [f"{user} cannot fetch mail: {error!r}"]
    finally:
        wire.socket.close()
    there = sorted(path.read_bytes() for path in _files(place, user))
    hidden, made_up = Counter(there) - Counter(got), Counter(got) - Counter(there)
    wrong = [f"{user} is not shown {_named(each)}" for each in hidden]
    wrong += [f"{user} is shown what is not there: {_named(each)}" for each in made_up]
    return wrong if sizes == [len(each) for each in got] else [*wrong, f"{user} is told wrong sizes"]


def _named(content: bytes) -> str:
    """Return how a message is called, and how it begins."""
    return f"{key_of(parted(content)[1]) or 'a message'} ({content[:400]!r})"


def _key(content: bytes) -> str:
    """Return the key of a message of ours that is whole; of anything else, none."""
    sent = parted(content)[1]
    key = (key_of(sent) or "").removeprefix("key-")
    return key if key in MESSAGES and sent == octets(key) else ""


def _files(place: Place, user: str) -> list[Path]:
    folders = (place.maildir(user) / name for name in ("new", "cur"))
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]


class Account:
    """All that can be said of a site once its last server has stopped. *taken* is what next hops got in each life."""

    def __init__(self, place: Place, journal: Journal, taken: Sequence[Sequence[Taken]], terms: Terms) -> None:
        self._place = place
        self._journal = journal
        self._lives = [_copies(each) for each in taken]
        self._terms = terms
        self._findings = Findings()
        self._queued: Counter[tuple[str, str]] = Counter()
        self._reports = 0
        self._boxes: dict[str, Counter[str]] = {}
        self._old: dict[str, set[bytes]] = {}
        self._warnings: Counter[str] = Counter()

    def close(self) -> Findings:
        """Make it, and return what was found."""
        self._look_at_queue()
        for user in USERS:
            self._look_at_mailbox(user)
        for offer in self._journal.offers.values():
            self._check(offer)
        self._check_removals()
        self._check_log()
        for surprise in self._journal.surprises:
            self._wrong(f"a reply that is none for this: {surprise}")
        return self._findings

    def _wrong(self, text: str) -> None:
        self._findings.losses.append(text)

    def _look_at_mailbox(self, user: str) -> None:
        box = self._boxes[user] = Counter()
        old = self._old[user] = set()
        lying = set(self._place.lying.get(user, {}).values())
        sizes: list[int] = []
        for path in _files(self._place, user):
            content = path.read_bytes()
            sizes.append(len(content))
            size = _SIZE.search(path.name)
            if size is None or len(content) != int(size[1]):
                self._wrong(f"{path.name} of {user} has {len(content)} octets")
            key = _key(content)
            if content in lying:
                old.add(content)
            elif _REPORT in content and user == "alice":
                self._reports += 1
            elif _NEARLY_FULL in content and user in LIMITS:
                self._warnings[user] += 1
            elif key and f"{user}@{DOMAIN}" in MESSAGES[key][2]:
                box[key] += 1
            else:
                self._wrong(f"{path.name} of {user} is no message that was sent to {user}")
        self._check_quota(user, sizes)
        damaged = self._place.maildir(user) / "damaged"
        if damaged.exists() and not self._terms.damaged:
            self._wrong(f"files of {user} were found damaged")

    def _check_quota(self, user: str, sizes: Sequence[int]) -> None:
        """The sum is true, or there is none; nobody has more than there was room for, nor is told so twice."""
        told = self._place.maildir(user) / "maildirsize"
        rows = [row.split() for row in told.read_bytes().splitlines()[1:]] if told.exists() else []
        said = [sum(int(row[at]) for row in rows) for at in (0, 1)]
        # (What could not be removed counts as removed.)
        if rows and said != [sum(sizes), len(sizes)] and not self._terms.stays:
            self._wrong(f"{user} has {len(sizes)} messages of {sum(sizes)} octets, and maildirsize says {said}")
        warnings = self._warnings[user]
        if warnings > 1 + self._terms.damaged:
            self._wrong(f"{user} was told {warnings} times that there is little room")
        if user in LIMITS and len(sizes) - warnings > LIMITS[user]:
            self._wrong(f"{user} has {len(sizes)} messages, and room for {LIMITS[user]}")

    def _look_at_queue(self) -> None:
        queue = self._place.root / "queue"
        files: set[str] = set()
        with closing(sqlite3.connect(queue / "queue.sqlite")) as database:
            self._check_database(database, "the queue")
            for recipient, content, file, skip, state in database.execute(_ROWS).fetchall():
                if file is not None:
                    files.add(file)
                    path = queue / "content" / file
                    content = path.read_bytes()[skip:] if path.exists() else b""
                self._look_at_row(recipient, content, state)
        if (left := {path.name for path in (queue / "content").iterdir()}) != files:
            self._wrong(f"files without a row, or the other way round: {left ^ files}")
        if any((queue / "damaged").iterdir()):
            self._wrong("content of the queue was found damaged")
        with closing(sqlite3.connect(self._place.root / "accounts.sqlite")) as accounts:
            self._check_database(accounts, "the accounts")

    def _look_at_row(self, recipient: str, content: bytes, state: str) -> None:
        key = _key(content)
        if not key or recipient not in MESSAGES[key][2]:
            self._wrong(f"what waits for {recipient} is no message that was sent to it")
        elif state != "waiting" and not (state == "bounce" and self._terms.waits):
            self._wrong(f"{key} for {recipient} is {state}")
        else:
            self._queued[key, recipient] += 1

    def _check_database(self, database: sqlite3.Connection, name: str) -> None:
        if (answer := database.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            self._wrong(f"the database of {name} is damaged: {answer}")

    def _check(self, offer: Offer) -> None:
        for recipient in MESSAGES[offer.name][2]:
            local, _, domain = recipient.partition("@")
            if domain == DOMAIN:
                there = self._boxes[local][offer.name] + self._queued[offer.name, recipient]
                if there > 1:
                    self._wrong(f"{offer.name} is in the mailbox of {local} {there} times")
            else:
                there = self._check_remote(offer, recipient)
            if offer.acknowledged and not there:
                self._wrong(f"{offer.name} was promised to {recipient} and is lost")
            if there and ((offer.refused and not self._terms.stays) or not offer.ended):
                self._wrong(f"{offer.name} was {'refused' if offer.refused else 'not sent'}, and {recipient} has it")
            self._findings.kept += bool(offer.acknowledged and there)
            self._findings.extra += bool(there and not offer.acknowledged)

    def _check_remote(self, offer: Offer, recipient: str) -> int:
        unit = (offer.name, recipient)
        taken = [life[unit] for life in self._lives]
        waits = self._queued[unit]
        if max(taken) > 1 or waits > 1:
            self._wrong(f"{offer.name} came to {recipient} {max(taken)} times in one life and waits {waits} times")
        self._findings.twice += sum(taken) > 1
        if recipient == NEVER:
            return waits if self._terms.waits and waits else self._reports
        if recipient != LATER and waits and not self._terms.waits:
            self._wrong(f"{offer.name} waits for {recipient} though nothing is in its way")
        return sum(taken) + waits

    def _check_removals(self) -> None:
        for removal in self._journal.removals:
            lying = self._place.lying[removal.user]
            there = {unique_id for unique_id, content in lying.items() if content in self._old[removal.user]}
            if removal.promised and (back := there & set(removal.marked)):
                self._wrong(f"removed by {removal.user} and back: {sorted(back)}")
            spared = set(lying) if not removal.asked else set(lying) - set(removal.marked)
            if lost := spared - there:
                self._wrong(f"{removal.user} has not removed {sorted(lost)}, and it is gone")

    def _check_log(self) -> None:
        log = self._place.log
        if self._terms.noisy:
            return
        for sign in ("Traceback", "Unhandled"):
            if sign in log:
                at = log.index(sign)
                self._wrong(f"the log has a traceback: {log[max(0, at - 300) : at + 3000]}")
                return


def _copies(taken: Sequence[Taken]) -> Counter[tuple[str, str]]:
    """Return how often each message came to each recipient elsewhere; one that is none of ours counts as that."""
    copies: Counter[tuple[str, str]] = Counter()
    for each in taken:
        key = _key(each.octets) or "damaged"
        for recipient in each.recipients:
            copies[key, recipient] += 1
    return copies
