"""Mail servers of other makes that cannot be installed beside each other: Debian packages, unpacked and not installed.

``python3 -m tests.system.unpacked`` fetches them, with what they need and this machine lacks, into `PLACE`; for that
it needs apt-get and the network. The tests themselves fetch nothing. Only the standard library is used here: it runs
before anything is installed.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

PLACE = Path(__file__).parents[2] / ".peers"
# The packages that have a server, by what its folder in `PLACE` is called.
PACKAGES = {
    "dovecot": ("dovecot-lmtpd", "dovecot-imapd", "dovecot-pop3d", "dovecot-sqlite"),
    "exim": ("exim4-daemon-light",),
    "opensmtpd": ("opensmtpd",),
    "sendmail": ("sendmail-bin",),
}
# What Debian's packages put into /lib belongs into /usr/lib, and so on.
_MERGED = ("bin", "lib", "lib64", "sbin")


def fetch() -> None:
    """Fetch and unpack the servers that are not there yet. Raises `subprocess.CalledProcessError`."""
    PLACE.mkdir(exist_ok=True)
    plans = {name: needed(packages) for name, packages in PACKAGES.items() if missing(name)}
    with tempfile.TemporaryDirectory(dir=PLACE) as made:
        # apt gives up root to fetch, where others may write.
        os.chmod(made, 0o777)
        folder = Path(made)
        if plans:
            _run(["apt-get", "-qq", "download", *sorted(set().union(*plans.values()))], folder)
        for name, packages in plans.items():
            unpack([archive for package in packages for archive in folder.glob(f"{package}_*.deb")], folder / name)
            if (PLACE / name).exists():
                # It was there without one of its packages.
                shutil.rmtree(PLACE / name)
            (folder / name).rename(PLACE / name)


def needed(packages: Sequence[str]) -> set[str]:
    """Return *packages* and those that they need and that are not installed."""
    plan = _run(["apt-get", "-qq", "--simulate", "--no-install-recommends", "install", *packages]).decode()
    return {*packages, *re.findall(r"^Inst (\S+)", plan, re.MULTILINE)}


def unpack(archives: Sequence[Path], folder: Path) -> None:
    """Unpack *archives* into *folder*, which is made."""
    for name in _MERGED:
        (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"usr/{name}")
    for archive in archives:
        content = _run(["dpkg-deb", "--fsys-tarfile", str(archive)])
        _run(["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "-C", str(folder)], given=content)


def _run(command: Sequence[str], folder: Path | None = None, given: bytes | None = None) -> bytes:
    return subprocess.run(command, cwd=folder, input=given, stdout=subprocess.PIPE, check=True).stdout


def missing(name: str) -> str:
    """Say what there is to do where the server *name* is not there; empty: it is."""
    lacking = [each for each in PACKAGES[name] if not (PLACE / name / "usr/share/doc" / each).exists()]
    if not lacking:
        return ""
    return f"not unpacked: {name} (python3 -m tests.system.unpacked fetches Debian's {' and '.join(lacking)})"


if __name__ == "__main__":
    fetch()
