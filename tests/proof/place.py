"""The site that crashes: its users, its next hops, and what lies in it before each life."""

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.site import run
from tests.system.far_end import FarEnd, FarEnds, Taken
from tests.system.messages import message
from tests.system.ports import free_ports
from tests.system.site import DOMAIN, HOSTNAME

# What the death of a process leaves in memory it leaves on a disk too; there it takes so much room.
MEMORY, ROOM = Path("/dev/shm"), 1 << 29
USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
# The one whose mailbox is not made before his first message comes.
NEWCOMER = "erin"
PASSWORD = "sesame-9f3b"
# Those who have mail before: so many messages. The first two read and remove it.
OLD = {"carol": 4, "dave": 2, "frank": 2, "grace": 2}
# So many messages may lie in their mailboxes: one is full, one has room for one more.
LIMITS = {"frank": 2, "grace": 3}
FAR = {"dots.test": ("PIPELINING", "8BITMIME"), "chunks.test": ("PIPELINING", "8BITMIME", "CHUNKING")}
# What becomes of recipients elsewhere, by their local parts; all others are taken.
REPLIES = {"later": "450 4.2.1 Busy", "never": "550 5.1.1 Nobody", "": "250 2.1.5 OK"}
_CONFIG = """\
hostname = "{hostname}"
allow_root = true
[listen.mta]
service = "mta"
endpoint = "tcp:{mta}:interface=127.0.0.1"
[listen.pop3]
service = "pop3"
endpoint = "tcp:{pop3}:interface=127.0.0.1"
auth = "always"
[queue]
inline_size = 1000
retry_first = 3600.0
[delivery]
tls = "none"
[directory]
renew_hashes = false
[quota]
messages = 1000
octets = 100_000_000
[store]
free_floor = 0
sync = "{sync}"
"""
_ROUTE = """\
[routes.{name}]
recipients = ["{domain}"]
host = "127.0.0.1"
port = {port}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where its listeners are."""

    mta: int
    pop3: int


class Place:
    """One site at its own ports with its own next hops; every life begins with a fresh copy of it."""

    def __init__(self, folder: Path, far_ends: FarEnds, sync: str) -> None:
        self.folder = folder
        self.sync = sync
        self.root = folder / "life" / "site"
        self.template = folder / "template"
        self.ports = Ports(*free_ports(2))
        self.far_ends = far_ends
        self.ends: Mapping[str, FarEnd] = {domain: FarEnd(offers, rcpt=REPLIES) for domain, offers in FAR.items()}
        # In the mailboxes of `OLD`, by user: unique ids and octets.
        self.lying = {user: _lying(user, count) for user, count in OLD.items()}
        self._make()

    def begin(self) -> None:
        """Bring everything back to its beginning."""
        shutil.rmtree(self.folder / "life", ignore_errors=True)
        shutil.copytree(self.template, self.root)
        self.forget_taken()

    def forget_taken(self) -> None:
        """Let the next hops be as if nothing had come."""
        for end in self.ends.values():
            end.taken.clear()

    def taken(self) -> list[Taken]:
        """Return what the next hops have taken so far."""
        return [taken for end in self.ends.values() for taken in end.taken]

    def maildir(self, user: str) -> Path:
        """Return the Maildir of *user*."""
        return self.root / "mail" / DOMAIN / user

    @property
    def log(self) -> str:
        """What the server has said."""
        path = self.folder / "life" / "log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def _make(self) -> None:
        site = self.template
        names = ["--hostname", HOSTNAME, "--domain", DOMAIN, "--unprivileged"]
        assert run("init", site, *names).exit_code == 0
        config = site / "mailsuite.toml"
        ports = {"mta": self.ports.mta, "pop3": self.ports.pop3}
        text = _CONFIG.format(hostname=HOSTNAME, sync=self.sync, **ports)
        for domain, end in self.ends.items():
            text += _ROUTE.format(name=domain.partition(".")[0], domain=domain, port=self.far_ends.listen(end))
        config.write_text(text)
        for domain in FAR:
            assert run("domain", "add", domain, "--class", "relay", "--config", config).exit_code == 0
        users = site.parent / "users"
        users.write_text("".join(f"{user}@{DOMAIN}:{hashed(PASSWORD)}\n" for user in USERS))
        assert run("user", "import", users, "--hashed", "--config", config).exit_code == 0
        for user, most in LIMITS.items():
            assert run("quota", "set", f"{user}@{DOMAIN}", "--messages", str(most), "--config", config).exit_code == 0
        shutil.rmtree(site / "mail" / DOMAIN / NEWCOMER)
        for user, messages in self.lying.items():
            for name, octets in messages.items():
                size = len(octets)
                (site / "mail" / DOMAIN / user / "new" / f"{name},S={size},W={size}").write_bytes(octets)


@contextmanager
def new_place(sync: str) -> Iterator[Place]:
    """Make a place, in memory where there is room."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    folder = tempfile.TemporaryDirectory(prefix="mailsuite-proof-", dir=MEMORY if roomy else None)
    with folder as name, FarEnds() as far_ends:
        yield Place(Path(name), far_ends, sync)


def _lying(user: str, count: int) -> dict[str, bytes]:
    bodies = (b"%d\r\n" % number * 50 for number in range(count))
    octets = [message("old@client.example", body, f"old-{user}") for body in bodies]
    return {f"1790000000.M{number:06d}P1Q{number + 1}": each for number, each in enumerate(octets)}


def hashed(password: str) -> str:
    """Return a hash that is checked in no time."""
    salt = b"proof-kit"
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()
