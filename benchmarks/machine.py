"""What machine this is."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.peer import package_version


def facts(folder: Path) -> dict[str, str]:
    """Return what a reader of figures must know, *folder* being on the disk that is measured."""
    return {
        "processors": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (1 << 30):.0f} GiB",
        "system": f"{_system()}, Linux {platform.release()}",
        "disk": _disk(folder),
        "Python": f"{platform.python_version()} of {sys.base_prefix}",
        "Twisted": package_version("twisted"),
    }


def load() -> str:
    """Return how busy the machine is: a figure from a busy one is worth less."""
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


def _processor() -> str:
    return next(_values(Path("/proc/cpuinfo"), "model name"), platform.machine())


def _system() -> str:
    return next(_values(Path("/etc/os-release"), "PRETTY_NAME"), platform.system())


def _values(path: Path, key: str) -> Iterator[str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.replace("=", ":", 1).partition(":")
        if name.strip() == key:
            yield value.strip().strip('"')


def _disk(folder: Path) -> str:
    command = ["findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", "--target", str(folder)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return " ".join(found.split())
