"""Programs that the tests need, and the Debian packages that have them."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

PACKAGES = {
    "curl": "curl",
    "dnsmasq": "dnsmasq-base",
    "fail2ban-regex": "fail2ban",
    "faketime": "faketime",
    "fetchmail": "fetchmail",
    "getmail": "getmail6",
    "gsasl": "gsasl",
    "haproxy": "haproxy",
    "mount": "mount",
    "mpop": "mpop",
    "msmtp": "msmtp",
    "nmap": "nmap",
    "openssl": "openssl",
    "postfix": "postfix",
    "setpriv": "util-linux",
    "smtp-source": "postfix",
    "swaks": "swaks",
    "sylpheed": "sylpheed",
    "systemd-analyze": "systemd",
    "testssl": "testssl.sh",
    "thunderbird": "thunderbird",
    "unshare": "util-linux",
    "xdotool": "xdotool",
    "Xvfb": "xvfb",
}

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def found(program: str) -> str | None:
    """Return where *program* is; some lie where only root looks."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip the test where one of *programs* is not installed."""
    missing = [program for program in programs if found(program) is None]
    names = ", ".join(f"{program} (Debian package {PACKAGES[program]})" for program in missing)
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {names}")


def run(
    command: Sequence[str | Path],
    given: bytes | None = None,
    status: int | None = 0,
    home: Path | None = None,
    seconds: float = 60,
    user: str | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run *command*, with *home* as the home folder; it must end with *status* (``None``: with any).

    *user* is who runs it, where we are root.
    """
    environment: Mapping[str, str] = os.environ if home is None else {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        check=False,
        timeout=seconds,
        env=environment,
        cwd=home,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
    )
    shown = (done.stdout[-2000:] + done.stderr[-4000:]).decode(errors="replace")
    assert status is None or done.returncode == status, f"{command}: {done.returncode}\n{shown}"
    return done
