"""Runs a server so that all of it can be counted, and none of it stays.

``python -m benchmarks.launcher PARENT SECONDS COMMAND...``. Whatever process the server starts, a daemon too, stays
below this one, which takes in orphans and reaps them: so their CPU is found here, and all of them end with it. It ends
by SIGTERM, and with whoever started it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

from benchmarks.processes import descendants

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class _Stop(Exception):
    """SIGTERM came."""


def main(parent: int, seconds: float, command: list[str]) -> int:
    """Run *command* until it ends or SIGTERM comes; return its exit code.

    *parent* is who started us. What has not ended *seconds* after SIGTERM is killed.
    """
    signal.signal(signal.SIGTERM, _stop)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    code = 0
    try:
        if os.getppid() != parent:
            # It was gone before the first of those calls.
            return 1
        server = subprocess.Popen(command, start_new_session=True)
        # Not server.wait(): orphans are to be reaped as well.
        while True:
            pid, status = os.wait()
            if pid == server.pid:
                code = os.waitstatus_to_exitcode(status)
                break
    except _Stop:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end(seconds)
    return code


def _end(seconds: float) -> None:
    """End what is left below us."""
    until = time.monotonic() + seconds
    _send(signal.SIGTERM)
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            time.sleep(0.02)
            if time.monotonic() > until:
                _send(signal.SIGKILL)


def _send(number: int) -> None:
    for pid in descendants(os.getpid()):
        if pid != os.getpid():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _stop(number: int, frame: object) -> None:
    raise _Stop


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
