"""What all peers have in common."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mailsuite.certificates import Pair
from tests.system.exchangers import pem
from tests.system.network import Host
from tests.system.programs import run
from tests.system.quarters import Quarters
from tests.system.site import until
from tests.system.unpacked import PACKAGES, PLACE
from tests.system.wire import Wire

PEOPLE = ("bob", "carol", "dave")


def domain(name: str) -> str:
    """Return the domain of the peer *name*."""
    return f"{name}.example"


def hostname(name: str) -> str:
    """Return the host name of the peer *name*."""
    return f"mx.{domain(name)}"


class Peer:
    """The exchanger `hostname` of `domain` on *host*, with mailboxes for `PEOPLE`; a context manager runs it.

    *folder* is its own. It shows *pair* to who asks for TLS. Mail from there for others goes to *relay*, an address
    and a port.
    """

    name: ClassVar[str]
    # Users that it needs, and which of them reads the key.
    system: ClassVar[Sequence[str]] = ()
    key_owner: ClassVar[str] = "root"
    # What runs in the foreground, and what its command for sending mail is.
    server: ClassVar[Sequence[str]]
    sendmail: ClassVar[Sequence[str]] = ()
    # Subjects of the messages of `tests.system.messages` that this command changes.
    rewrites: ClassVar[Sequence[str]] = ()
    # Where it logs its transactions, and what stands there of messages that came, or went, by BDAT.
    log_file: ClassVar[str] = ""
    chunks: ClassVar[Sequence[str]] = ()

    def __init__(self, folder: Path, host: Host, pair: Pair, relay: tuple[str, int]) -> None:
        self.host = host
        self.port = host.smtp_port
        self.domain = domain(self.name)
        self.hostname = hostname(self.name)
        package = PLACE / self.name if self.name in PACKAGES else None
        self.quarters = Quarters(folder, package, host, self.hostname, self.system, PEOPLE)
        self._relay = relay
        chain, key = pem(pair)
        self.quarters.write("etc/mx.pem", chain.decode())
        self.quarters.write("etc/mx.key", key.decode(), self.key_owner, 0o400)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self) -> None:
        """Write its configuration."""
        raise NotImplementedError

    def _write(self, path: str, text: str) -> None:
        relay, relay_port = self._relay
        facts = {"address": self.host.address, "port": self.port, "domain": self.domain, "hostname": self.hostname}
        self.quarters.write(path, text.format(relay=relay, relay_port=relay_port, **facts))

    def __enter__(self) -> "Peer":
        self.configure()
        with (self.quarters.folder / "log").open("wb") as log:
            # A group of its own: what it starts ends with it.
            self._process = subprocess.Popen(
                self.quarters.command(*self.server),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._greets, 20, f"{self.name} to greet")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def _greets(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.quarters.folder / "log").read_text()
        try:
            with self.host.inside(), Wire(self.port, 5, self.host.address, self.host.address) as wire:
                return wire.answer().startswith(b"220")
        except OSError:
            return False

    def log(self) -> str:
        """Return what it has logged of its transactions."""
        return (self.quarters.folder / self.log_file).read_text()

    def mail(self, user: str) -> list[bytes]:
        """Return what lies in the mailbox of *user*, with the line ends of the wire."""
        new = self.quarters.folder / f"var/home/{user}/Maildir/new"
        found = [path.read_bytes() for path in sorted(new.iterdir())] if new.is_dir() else []
        return [each.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for each in found]

    def send(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Send *message* by its own sendmail command, which takes the line ends of UNIX."""
        command = [*self.sendmail, "-B8BITMIME", "-i", "-f", sender, *recipients]
        run(self.quarters.command(*command), given=message.replace(b"\r\n", b"\n"))
