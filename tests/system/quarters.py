"""Where a mail server of another make runs: mounts of its own, in which it looks installed and set up by us."""

import os
import pwd
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.system.network import Host
from tests.system.programs import found

# $1: the machine's name; $2: where the package lies; $3: what the test gives; the rest: what to run.
_MOUNTS = """\
hostname "$1"
mount -t overlay -o "lowerdir=$2/usr:/usr" overlay /usr
mount -t overlay -o "lowerdir=$3/etc:$2/etc:/etc" overlay /etc
mount --bind "$3/var" /var
mount --bind "$3/run" /run
shift 3
exec "$@"
"""
_TRIED = 'hostname "$1"; mount -t overlay -o "lowerdir=/etc:/usr" overlay /etc'
_UNSHARE = ("unshare", "--mount", "--uts", "sh", "-ec")

# No server is to wait for an answer from a name server that is not there.
_FILES = {
    "etc/hosts": "127.0.0.1 localhost\n{address} {name}\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
}
_FIRST_ID = 61_000


class Quarters:
    """Room for a server in *folder*, which others than root must be able to enter.

    *package* is where its package was unpacked; without one it is installed. *host* is called *name* there, and has
    users beside the machine's: those of *system*, whom the server runs as, and *people*, each with a home folder below
    ``/var/home``. What is in ``etc`` of *folder* lies over ``/etc``; ``/var`` and ``/run`` are its ``var`` and
    ``run``. Every command sees the same, and nobody else any of it.
    """

    def __init__(
        self, folder: Path, package: Path | None, host: Host, name: str, system: Sequence[str], people: Sequence[str]
    ) -> None:
        self.folder = folder
        self._host = host
        self._name = name
        self._package = package or folder / "none"
        for part in ("none/usr", "none/etc", "etc", "run", "var/home", "var/lib", "var/log", "var/spool", "var/tmp"):
            (folder / part).mkdir(parents=True)
        (folder / "var/tmp").chmod(0o1777)
        (folder / "var/run").symlink_to("/run")
        homes = dict.fromkeys(system, "/nonexistent") | {user: f"/var/home/{user}" for user in people}
        self._ids = {user: _FIRST_ID + number for number, user in enumerate(homes)}
        self._add_users(homes)
        for path, text in _FILES.items():
            self.write(path, text.format(address=host.address, name=name))
        for user in people:
            self.make(f"var/home/{user}", user)

    def _add_users(self, homes: Mapping[str, str]) -> None:
        passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
        for user, home in homes.items():
            number = self._ids[user]
            passwd += f"{user}:x:{number}:{number}::{home}:/bin/sh\n"
            group += f"{user}:x:{number}:\n"
        self.write("etc/passwd", passwd)
        self.write("etc/group", group)

    def make(self, path: str, owner: str = "root", mode: int = 0o755) -> None:
        """Make a folder that *owner* has."""
        (self.folder / path).mkdir(parents=True, exist_ok=True)
        self._give(path, owner, mode)

    def write(self, path: str, text: str, owner: str = "root", mode: int = 0o644) -> None:
        """Write a file that *owner* has."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        self._give(path, owner, mode)

    def _give(self, path: str, owner: str, mode: int) -> None:
        number = self._ids[owner] if owner in self._ids else pwd.getpwnam(owner).pw_uid
        os.chown(self.folder / path, number, -1)
        (self.folder / path).chmod(mode)

    def command(self, *command: str) -> list[str | Path]:
        """Return what runs *command* here."""
        return self._host.command([*_UNSHARE, _MOUNTS, "sh", self._name, self._package, self.folder, *command])


def refused() -> str:
    """Say why there can be no such mounts here; empty: there can."""
    if os.geteuid() != 0:
        return "needs root"
    if found("unshare") is None:
        return "not installed: unshare (Debian package util-linux)"
    tried = subprocess.run([*_UNSHARE, _TRIED, "sh", socket.gethostname()], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"no mounts of our own: {tried.stderr.decode().strip()}"
