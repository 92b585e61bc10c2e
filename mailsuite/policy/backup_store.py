"""Where a backup keeps the lists that it has taken: one file for each domain, replaced only by a newer good one.

Everything here waits for the disk: it is for commands, and for threads beside the reactor's.
"""

import os
from typing import TypeAlias

from mailsuite.counted import counted
from mailsuite.durable import replace_file
from mailsuite.policy.backup_list import AHEAD_SECONDS, LIST_OCTETS, BackupList, BadList, read

FOLDER = "backup-mx"

# What differs when a file was replaced.
Stamp: TypeAlias = tuple[int, int, int]


class OlderList(BadList):
    """The list is good, and older than the one that we have: somebody may want to bring back what was removed."""


class ListStore:
    """The lists below *state_dir*. Domains are in A-labels, in lower case."""

    def __init__(self, state_dir: str) -> None:
        self._folder = os.path.join(state_dir, FOLDER)

    def path(self, domain: str) -> str:
        """Return where the list of *domain* is, or would be."""
        return os.path.join(self._folder, f"{domain}.list")

    def stamp(self, domain: str) -> Stamp | None:
        """Return what changes with the list of *domain*; ``None`` where there is none. This is quick."""
        try:
            status = os.stat(self.path(domain))
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def load(self, domain: str, key: bytes) -> BackupList | None:
        """Return the list of *domain*, ``None`` where there is none. Raises `BadList` or `OSError`."""
        try:
            data = read_limited(self.path(domain))
        except FileNotFoundError:
            return None
        return of_domain(read(data, key), domain)

    def keep(self, domain: str, data: bytes, key: bytes, now: float) -> BackupList:
        """Look whether *data* is a list of *domain* that we may take, make it ours durably, and return it.

        Raises `BadList`, `OlderList`, or `OSError`; what we have then stays.
        """
        new = of_domain(read(data, key), domain)
        if new.made > now + AHEAD_SECONDS:
            raise BadList("it was made in the future: look at the clocks of both machines")
        try:
            old = self.load(domain, key)
        except BadList:
            # Damaged, or signed with a key that is no longer the right one: anything good is better.
            old = None
        if old is not None and new.made < old.made:
            raise OlderList(f"it is older than the one that we have, by {counted(old.made - new.made, 'second')}")
        if old != new:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            replace_file(self.path(domain), data)
        return new


def of_domain(found: BackupList, domain: str) -> BackupList:
    """Return *found*. Raises `BadList` where it is of another domain than *domain*."""
    if found.domain != domain:
        raise BadList(f"it is a list of {found.domain}, not of {domain}")
    return found


def read_limited(path: str) -> bytes:
    """Return what is in *path*, of which an octet past the limit of a list is enough. Raises `OSError`."""
    with open(path, "rb") as file:
        return file.read(LIST_OCTETS + 1)
