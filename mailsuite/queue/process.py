"""Who a process is, so that another one can tell whether it still lives; and the clock that its lease runs on."""

import os
import platform
import time
from dataclasses import dataclass

# A process in one of these states has ended (proc(5)); its parent has not yet asked how.
_ENDED = "ZXx"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one run of one machine.

    *node* names the machine and the view that its processes have of each other: a container has one of its own.
    *started* is in the kernel's ticks since boot.
    """

    node: str
    boot: str
    pid: int
    started: int


def this_process() -> Process:
    """Return who we are. To be called after the last fork."""
    pid = os.getpid()
    return Process(f"{platform.node()} {_view()}", _boot(), pid, started(pid) or 0)


def started(pid: int) -> int | None:
    """Return when the process *pid* started, in ticks since boot (proc(5)); ``None`` where none such is alive."""
    if platform.system() != "Linux":
        return _started_elsewhere(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode("ascii", "replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in _ENDED else int(fields[19])


def uptime() -> float:
    """Return seconds since boot: no one sets this clock, and it goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot() -> str:
    try:
        # As octets: a codec is a module, which the user that root has become may not be able to load.
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode("ascii").strip()
    except OSError:
        return ""


def _view() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started_elsewhere(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 0
