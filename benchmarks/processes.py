"""What a server's processes have cost so far, read from ``/proc``: those that have ended are included."""

import os
from collections.abc import Iterator

_TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> Iterator[int]:
    """Yield *pid* and all processes below it."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += children.get(one, [])


def cpu_seconds(launcher: int) -> float:
    """Return the CPU time, user and system, of all that was ever started below the process *launcher*."""
    total = 0
    for one in descendants(launcher):
        fields = _stat(one)
        if fields:
            # utime, stime, and those of children that have ended and were waited for.
            total += sum(int(field) for field in fields[13 if one == launcher else 11 : 15])
    return total / _TICK


def memory_kib(launcher: int) -> int:
    """Return the proportional set size of all processes below *launcher* in KiB."""
    total = 0
    for one in descendants(launcher):
        if one == launcher:
            continue
        try:
            with open(f"/proc/{one}/smaps_rollup") as lines:
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def _stat(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except OSError:
        return []
    # The name in parentheses may hold anything; what follows it is plain.
    return text.rpartition(")")[2].split()
