"""A real Dovecot, unpacked from Debian's packages, that serves in quarters of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.system.network import Host
from tests.system.ports import listens
from tests.system.quarters import Quarters
from tests.system.site import until
from tests.system.unpacked import PLACE

# Whom its processes without rights run as.
USERS = ("dovecot", "dovenull")


@contextmanager
def serving(folder: Path, files: Mapping[str, str], *ports: int) -> Iterator[Quarters]:
    """Serve on *ports* with *files* in ``/etc/dovecot``; *folder* is its own, and all may enter it."""
    quarters = Quarters(folder, PLACE / "dovecot", Host("127.0.0.1", 25, 53, {}), "imap.example.test", USERS, ())
    for name, text in files.items():
        quarters.write(f"etc/dovecot/{name}", text)
    quarters.make("var/lib/dovecot")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            quarters.command("/usr/sbin/dovecot", "-F"), stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(lambda: all(map(listens, ports)), 20, "Dovecot to listen")
        yield quarters
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
