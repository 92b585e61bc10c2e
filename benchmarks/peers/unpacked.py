"""Servers that are unpacked and not installed: what they have in common."""

import gzip
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.accounts import HOSTNAME
from benchmarks.peers.peer import Peer
from tests.system.network import Host
from tests.system.quarters import Quarters, refused
from tests.system.unpacked import PACKAGES, PLACE, missing


class Unpacked(Peer):
    """It runs in mounts of its own, in which it looks installed, with the users of *system* beside the machine's."""

    system: ClassVar[Sequence[str]]

    @classmethod
    def missing(cls) -> str:
        """See `Peer.missing`."""
        return missing(cls.name) or refused()

    @classmethod
    def version(cls) -> str:
        """See `Peer.version`: that of Debian's package."""
        for package in PACKAGES[cls.name]:
            changes = PLACE / cls.name / "usr/share/doc" / package / "changelog.Debian.gz"
            if changes.exists():
                with gzip.open(changes, "rt") as lines:
                    # "exim4 (4.96-15+deb12u7) bookworm-security; urgency=high"
                    return lines.readline().partition("(")[2].partition(")")[0]
        return "unknown"

    def configure(self) -> None:
        """See `Peer.configure`."""
        host = Host("127.0.0.1", 25, 53, {})
        self.quarters = Quarters(self.folder, PLACE / self.name, host, HOSTNAME, self.system, self.people())
        self.furnish()

    @abstractmethod
    def furnish(self) -> None:
        """Write what it needs to start into its `quarters`."""

    def people(self) -> Sequence[str]:
        """Return who is to have a home folder."""
        return ()

    def command(self) -> Sequence[str | Path]:
        """See `Peer.command`."""
        return self.quarters.command(*self.server())

    @abstractmethod
    def server(self) -> Sequence[str]:
        """Return what runs it in the foreground, as it is called there."""
