"""etc/mailsuite.service: systemd finds nothing wrong with it, and behind walls like its own the service does its work.

What runs here is its ExecStart as it is written, as another user, with its one capability, on a system that is
read-only. (systemd itself need not run. What only it can do, such as SystemCallFilter, systemd-analyze looks at.)
"""

import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.sendmail.program import VARIABLE
from tests.commands import DOCUMENTS
from tests.system.ports import free_ports
from tests.system.programs import needs, root_only, run
from tests.system.quarters import refused
from tests.system.site import BIN, DOMAIN, Site, until

pytestmark = pytest.mark.system

UNIT = DOCUMENTS / "etc" / "mailsuite.service"
USER, GROUP = "nobody", "nogroup"
CAP_NET_BIND_SERVICE = 10
# $1: the program's folder; $2: the site's; $3: what Python is in, and $4: the folder above that others cannot enter,
# if there is one; $5, $6: who owns /run/mailsuite; the rest: what to run.
_WALLS = """\
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/python
if [ -n "$4" ]; then
  mount --bind "$3" /mnt/python
  mount -t tmpfs -o mode=755 tmpfs "$4"
  mkdir -p "$3"
  mount --bind /mnt/python "$3"
fi
mount --bind "$2" /mnt/python
mount -t tmpfs -o mode=755 tmpfs /opt
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /opt/mailsuite /srv/mail
mount --bind "$1" /opt/mailsuite
mount --bind "$2" /srv/mail
mount -t tmpfs -o mode=755 tmpfs /run
install -d -o "$5" -g "$6" -m 755 /run/mailsuite
mount -o remount,bind,ro /
cd /srv/mail
umask 0077
shift 6
exec "$@"
"""


def keys(name: str) -> list[str]:
    """Return the values of *name* in the unit."""
    lines = UNIT.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """Every key is one, and what is left open by it is little."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/mailsuite/bin", str(BIN)))

    told = run(["systemd-analyze", "verify", "--man=no", unit])
    assert UNIT.name.encode() not in told.stderr, told.stderr.decode()
    run(["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit])


def closed_above(path: Path) -> str:
    """Return the first folder above *path* that others than its owner cannot enter; empty: there is none."""
    return next((str(each) for each in reversed(path.parents) if not each.stat().st_mode & 0o001), "")


@pytest.fixture
def served() -> Iterator[tuple[Site, int, int]]:
    """A site that the unit's ExecStart serves, the process, and the port of the MTA: one that needs the capability."""
    (port,) = free_ports(1, 600, 1000)
    listeners = {
        "mta": {"service": "mta", "tls": "starttls", "client_certificates": "ask",
                "endpoint": f"tcp:{port}:interface=127.0.0.1"},
        "local": {"service": "submission", "auth": "peer", "endpoint": "unix:/run/mailsuite/submission:mode=666"},
    }  # fmt: skip
    site = Site(users=["alice"], owner=USER, listeners=listeners)
    site.make()
    python = Path(sys.base_prefix)
    (start,), (capability,) = keys("ExecStart"), keys("AmbientCapabilities")
    right = capability.removeprefix("CAP_").lower()
    drop = [
        "setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--no-new-privs",
        f"--inh-caps=-all,+{right}", f"--ambient-caps=-all,+{right}", f"--bounding-set=-all,+{right}",
    ]  # fmt: skip
    walls: list[str | Path] = [
        "unshare", "--mount", "sh", "-ec", _WALLS, "sh",
        BIN.parent, site.folder, python, closed_above(python), USER, GROUP,
    ]  # fmt: skip
    log = site.root / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*walls, *drop, *start.split()], stdout=output, stderr=output
        )
    try:
        until(lambda: b" serves " in log.read_bytes() or process.poll() is not None, 30, "the server to start")
        assert process.poll() is None, log.read_text()
        yield site, process.pid, port
        os.kill(process.pid, signal.SIGHUP)
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.kill()
        process.wait(30)
        site.discard()


@root_only
@needs("unshare", "setpriv")
@pytest.mark.skipif(bool(refused()), reason=refused())
def test_it_serves_behind_the_walls(served: tuple[Site, int, int]) -> None:
    """Mail comes by TLS on a port below 1024 and by the socket in /run; it is nobody special, and cannot become it."""
    site, pid, port = served
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as session:
        session.starttls(context=site.tls())
        session.sendmail("a@client.example", f"alice@{DOMAIN}", "Subject: one\r\n\r\n")
    socket = f"{VARIABLE}=/proc/{pid}/root/run/mailsuite/submission"
    run(["env", socket, BIN / "mailsuite-sendmail", f"alice@{DOMAIN}"], b"Subject: two\n\n")
    assert len(site.on_disk("alice")) == 2

    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["Uid"].split()[0] != "0"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << CAP_NET_BIND_SERVICE
    assert status["NoNewPrivs"] == "1"
    assert keys("NoNewPrivileges") == ["yes"] and keys("CapabilityBoundingSet") == ["CAP_NET_BIND_SERVICE"]
