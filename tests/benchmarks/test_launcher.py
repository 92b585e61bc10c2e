"""Servers below the launcher: all of their CPU is found, and nothing of them stays."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.processes import cpu_seconds, descendants
from tests.system.site import until

pytestmark = pytest.mark.system
# A server that leaves a daemon behind, which has a session of its own, does not end by SIGTERM, and tells its number.
_DAEMON = """
    import os, signal, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print(os.getpid(), flush=True)
            time.sleep(600)
        os._exit(0)
    time.sleep(600)
"""
# A child that works for half a second of CPU and is gone, and whose parent is gone before it.
_ORPHAN = """
    import os, sys, time
    if os.fork() == 0:
        if os.fork() == 0:
            while time.process_time() < 0.5:
                pass
            print("worked", flush=True)
        os._exit(0)
    os.wait()
    time.sleep(600)
"""


def _launch(program: str, output: Path, parent: str = "") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.launcher", parent or str(os.getpid()), "0.5"]
    with output.open("wb") as file:
        return subprocess.Popen([*command, sys.executable, "-c", textwrap.dedent(program)], stdout=file, stderr=file)


def test_a_daemon_ends_with_it(tmp_path: Path) -> None:
    """Whatever it has done to get away, and though it does not hear SIGTERM."""
    output = tmp_path / "output"
    launcher = _launch(_DAEMON, output)
    daemon = int(until(output.read_text, what="the daemon to start"))
    assert daemon in descendants(launcher.pid)

    launcher.send_signal(signal.SIGTERM)

    assert launcher.wait(60) == 0
    assert not Path(f"/proc/{daemon}").exists()


def test_the_cpu_of_orphans_is_found(tmp_path: Path) -> None:
    """Also when they have ended."""
    output = tmp_path / "output"
    launcher = _launch(_ORPHAN, output)
    try:
        until(output.read_text, 30, what="the orphan to work")
        until(lambda: len(list(descendants(launcher.pid))) == 2, what="the orphan to be reaped")
        # The clock of /proc has hundredths, and takes from each process what is less.
        assert cpu_seconds(launcher.pid) >= 0.4
    finally:
        launcher.terminate()
        launcher.wait(60)


def test_it_does_not_start_for_who_is_gone(tmp_path: Path) -> None:
    """Who started it ended before it could ask to be told of that."""
    launcher = _launch("print('started')", tmp_path / "output", parent="1")
    assert launcher.wait(60) == 1
    assert (tmp_path / "output").read_text() == ""


def test_it_ends_with_who_started_it(tmp_path: Path) -> None:
    """By SIGKILL, too."""
    output = tmp_path / "output"
    script = f"""
        import os, subprocess, sys, time
        program = sys.argv[1]
        command = [sys.executable, "-m", "benchmarks.launcher", str(os.getpid()), "0.5"]
        command += [sys.executable, "-c", program]
        with open({str(output)!r}, "wb") as file:
            subprocess.Popen(command, stdout=file)
        time.sleep(600)
    """
    starter = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), textwrap.dedent(_DAEMON)])
    daemon = int(until(lambda: output.exists() and output.read_text(), 30, "the daemon to start"))
    starter.kill()
    starter.wait()

    until(lambda: not Path(f"/proc/{daemon}").exists(), 60, "the daemon to end")
