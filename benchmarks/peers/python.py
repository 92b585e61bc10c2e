"""Servers that somebody would write upon a Python package: what they have in common."""

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.accounts import DOMAIN, HOSTNAME
from benchmarks.peers.peer import Peer, package_version, write_certificate

_CONFIG = "config.json"


class PythonPeer(Peer):
    """``python -m MODULE CONFIG`` of *module* runs it, upon *package*."""

    python = True
    durable = (
        "the Maildir file and its name are on disk before the 250: renamed, then synced, on ext4 one journal commit"
        " (in place while one session is open, else by up to 16 threads)"
    )
    package: ClassVar[str]
    module: ClassVar[str]

    @classmethod
    def missing(cls) -> str:
        """See `Peer.missing`."""
        return "" if cls.version() else f"not installed: {cls.package} (pip install '.[bench]')"

    @classmethod
    def version(cls) -> str:
        """See `Peer.version`."""
        return package_version(cls.package)

    def configure(self) -> None:
        """See `Peer.configure`."""
        write_certificate(self.folder)
        ports = {"smtp": self.smtp_port, "submission": self.submission_port, "pop3": self.pop3_port}
        config = {"folder": str(self.folder), "users": list(self.ground.users), **ports}
        (self.folder / _CONFIG).write_text(json.dumps(config))

    def command(self) -> Sequence[str | Path]:
        """See `Peer.command`."""
        return [sys.executable, "-m", self.module, self.folder / _CONFIG]

    def listens(self) -> Sequence[int]:
        """See `Peer.listens`."""
        return [self.smtp_port, self.submission_port]

    def maildir(self, user: str) -> Path:
        """See `Peer.maildir`."""
        return self.folder / "mail" / user


class Config:
    """What such a server reads at its start."""

    def __init__(self) -> None:
        values = json.loads(Path(sys.argv[1]).read_text())
        self.folder = Path(values["folder"])
        self.users = frozenset(values["users"])
        self.smtp, self.submission, self.pop3 = values["smtp"], values["submission"], values["pop3"]
        self.certificate, self.key = str(self.folder / "cert.pem"), str(self.folder / "key.pem")


class Store:
    """Durable Maildirs, as their authors would have to write them."""

    def __init__(self, config: Config) -> None:
        self._folder = config.folder / "mail"
        self._users = config.users
        self._count = 0
        self._lock = threading.Lock()
        for user in config.users:
            for part in ("tmp", "new", "cur"):
                (self._folder / user / part).mkdir(parents=True)

    def user(self, address: str) -> str | None:
        """Return whose *address* is; None: nobody's."""
        local, _, domain = address.rpartition("@")
        return local if domain == DOMAIN and local in self._users else None

    def put(self, users: Sequence[str], content: bytes) -> None:
        """Write *content* once, link it into all Maildirs, and return when that is on disk."""
        with self._lock:
            self._count += 1
            name = f"{time.time():.6f}.{os.getpid()}Q{self._count}.{HOSTNAME}"
        temporary = self._folder / users[0] / "tmp" / name
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, content)
            for user in users[1:]:
                os.link(temporary, self._folder / user / "new" / name)
            os.rename(temporary, self._folder / users[0] / "new" / name)
            # ext4 writes the new names in the same journal commit as the file.
            os.fsync(fd)
        finally:
            os.close(fd)
