"""What all servers that are measured have in common."""

import datetime
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar, Self

from benchmarks.accounts import DOMAIN, HOSTNAME, MESSAGE
from benchmarks.processes import cpu_seconds, descendants, memory_kib
from mailsuite.certificates import self_signed, write_pair
from tests.system.ports import free_ports

# What a server can take part in.
INBOUND, RELAY, SUBMISSION, POP3, IDLE_SMTP, IDLE_POP3 = (
    "inbound", "relay", "submission", "pop3", "idle SMTP", "idle POP3",
)  # fmt: skip
ANY_ROLE = frozenset({INBOUND, RELAY, SUBMISSION, POP3, IDLE_SMTP, IDLE_POP3})


@dataclass(frozen=True)
class Ground:
    """What a server is set up with: a *folder* for its own, its *users*, and the ports where mail of others goes.

    Mail for `RELAYED` goes to *sink*; mail for domains below `DEAD` to *dead*.
    """

    folder: Path
    users: Sequence[str]
    sink: int = 25
    dead: int = 25


class Peer(ABC):
    """A server; a context manager runs it, and may do so again.

    *durable* says what its 250 is worth, *setup* what else was set. A *pace* below 1 is for those that are so slow
    that they get fewer messages.
    """

    name: ClassVar[str]
    roles: ClassVar[frozenset[str]]
    durable: ClassVar[str] = ""
    setup: ClassVar[str] = ""
    python: ClassVar[bool] = False
    pace: ClassVar[float] = 1.0
    # Whether it takes part in the full table alone.
    full_only: ClassVar[bool] = False

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        # ext4 goes by the name where it puts a folder: each run has its own place, where none has just removed files.
        self.folder = ground.folder / f"{self.name.replace(' ', '-')}-{secrets.token_hex(4)}"
        self.smtp_port, self.submission_port, self.pop3_port = free_ports(3)
        self.start_seconds = 0.0
        self._launched: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Say why it cannot be had here, and how to get it; empty: it can."""

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Return its version, as it says itself."""

    @abstractmethod
    def configure(self) -> None:
        """Write what it needs to start; `folder` is there."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return what runs it in the foreground."""

    @abstractmethod
    def maildir(self, user: str) -> Path:
        """Return the Maildir of *user*."""

    def listens(self) -> Sequence[int]:
        """Return the ports at which it greets once it is started."""
        return [self.smtp_port]

    @property
    def pid(self) -> int:
        """The launcher that all its processes are below."""
        assert self._launched is not None
        return self._launched.pid

    def cpu(self) -> float:
        """Return the seconds of CPU that all its processes have used, those that have ended too."""
        return cpu_seconds(self.pid)

    def memory_kib(self) -> int:
        """Return the proportional set size of all its processes."""
        return memory_kib(self.pid)

    def landed(self, users: Sequence[str]) -> int:
        """Count the messages in the mailboxes of *users*."""
        return sum(_count(self.maildir(user) / "new") for user in users)

    def prepare(self) -> None:
        """Write what it needs to start, unless that is there."""
        if not self.folder.exists():
            self.folder.mkdir()
            self.configure()

    def __enter__(self) -> Self:
        self.prepare()
        began = time.monotonic()
        self._launched = launch(self.command(), self.folder / "output.log")
        try:
            for port in self.listens():
                wait_for_greeting(port, self._ended)
        except BaseException:
            self.__exit__()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    def __exit__(self, *error: object) -> None:
        if self._launched is None or self._launched.poll() is not None:
            return
        self._launched.terminate()
        try:
            self._launched.wait(30)
        except subprocess.TimeoutExpired:
            for pid in descendants(self.pid):
                os.kill(pid, signal.SIGKILL)
            self._launched.wait()

    def _ended(self) -> str:
        """Say what it said if it has ended; empty: it has not."""
        if self._launched is None or self._launched.poll() is None:
            return ""
        return f"{self.name} ended at once: {(self.folder / 'output.log').read_text(errors='replace')[-2000:]}"


class Mailboxes(Peer):
    """A server of POP3."""

    @abstractmethod
    def fill(self, user: str, count: int, content: bytes = MESSAGE, files: bool = False) -> None:
        """Let there be *count* messages in the empty mailbox of *user*, none of them just come.

        Each is a file of its own where *files* says so, else a link to one of a few: for what looks at names alone,
        so that a file system is not busy for minutes with making and removing files.
        """

    @property
    def owner(self) -> int:
        """Whose the files in mailboxes are; -1: those of whoever runs this."""
        return -1

    def fill_as_others(self, user: str, count: int) -> None:
        """Let there be *count* messages in the empty mailbox of *user*, as many a program writes them.

        Lines end in LF, and names say nothing of sizes.
        """
        lines = MESSAGE.replace(b"\r\n", b"\n")
        fill(self.maildir(user), count, Letter(lines, "", self.owner, files=True))

    @abstractmethod
    def deliver(self, user: str) -> None:
        """Let one more message come, as mail comes to this server."""


# The second from which on the messages came that a mailbox is filled with.
LONG_AGO = 1_700_000_000
# Seconds that a server has to end before it is killed.
_GRACE = 10.0
# To one file; ext4 has room for 65,000.
_LINKS = 1000


@dataclass(frozen=True)
class Letter:
    """What a mailbox is filled with: *content* in files of *owner*, if that is not -1, whose names end in *end*.

    *files*: see `Mailboxes.fill`; *second* is when they came.
    """

    content: bytes
    end: str
    owner: int = -1
    files: bool = False
    second: int = LONG_AGO


def fill(box: Path, count: int, letter: Letter) -> None:
    """Put *count* times *letter* into ``new`` of the Maildir *box*."""
    for part in ("", "tmp", "new", "cur"):
        if not (box / part).is_dir():
            (box / part).mkdir(parents=True)
            os.chown(box / part, letter.owner, letter.owner)
    written = ""
    for number in range(count):
        name = f"{letter.second + number // 100}.M{number % 100 * 10_000:06d}P1Q{number:x}{letter.end}"
        path = f"{box}/new/{name}"
        if letter.files or number % _LINKS == 0:
            _write(path, letter)
            written = path
        else:
            os.link(written, path)
    if letter.second == LONG_AGO:
        # Not just come: a listing taken so soon would be trusted by nobody.
        for part in ("new", "cur"):
            os.utime(box / part, ns=(1, LONG_AGO * 1_000_000_000 + 123_456_789))


def _write(path: str, letter: Letter) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, letter.content)
        os.fchown(fd, letter.owner, letter.owner)
    finally:
        os.close(fd)


def address(user: str) -> str:
    """Return the address of *user*, which is the login too."""
    return f"{user}@{DOMAIN}"


def write_certificate(folder: Path) -> None:
    """Write ``cert.pem`` and ``key.pem`` into *folder*: P-256, of the same kind as ``mailsuite init`` makes."""
    pair = self_signed(HOSTNAME, datetime.datetime.now(datetime.UTC))
    write_pair(str(folder / "cert.pem"), str(folder / "key.pem"), pair)


def run(*command: object, given: str | None = None) -> str:
    """Run *command* and return what it said. Raises `RuntimeError`, which tells what it said."""
    done = subprocess.run([str(part) for part in command], input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def launch(command: Sequence[str | Path], output: Path) -> subprocess.Popen[bytes]:
    """Run *command* below a launcher, and return that."""
    launcher = [sys.executable, "-m", "benchmarks.launcher", str(os.getpid()), str(_GRACE)]
    with output.open("wb") as log:
        # A session of its own: what ends us from the keyboard is to reach it by us alone.
        return subprocess.Popen(
            [*launcher, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def package_version(name: str) -> str:
    """Return the version of the Python package *name*; empty: it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def installed(program: str) -> bool:
    """Say whether *program* is installed, where only root may find it too."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def wait_for_greeting(port: int, ended: Callable[[], str], seconds: float = 120.0) -> None:
    """Return when a server greets at *port*, which may be bound long before.

    Raises `TimeoutError`, and `RuntimeError` as soon as *ended* says something.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), seconds) as session:
                if session.recv(512):
                    return
        except OSError:
            pass
        if text := ended():
            raise RuntimeError(text)
        if time.monotonic() > until:
            raise TimeoutError(f"nobody greets at port {port}")
        time.sleep(0.05)


def _count(folder: Path) -> int:
    try:
        return len(os.listdir(folder))
    except FileNotFoundError:
        return 0
