"""Postfix's ``smtp-sink``: it takes all there is and keeps nothing."""

import os
import re
import subprocess
from pathlib import Path
from typing import Self

from benchmarks.peers.peer import installed, launch, wait_for_greeting
from tests.system.ports import free_ports

_COUNTED = re.compile(rb"mesg=(\d+)")


def missing() -> str:
    """Say why there is none; empty: there is."""
    return "" if installed("smtp-sink") else "not installed: smtp-sink (Debian package postfix)"


class Sink:
    """One that writes its log into *folder*; a context manager runs it."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self._log = folder / "sink.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._process = launch(["smtp-sink", *user, "-c", f"127.0.0.1:{self.port}", "1000"], self._log)
        try:
            wait_for_greeting(self.port, self._ended)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def taken(self) -> int:
        """Count the messages that came so far."""
        with open(self._log, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 200))
            counted = _COUNTED.findall(log.read())
        return int(counted[-1]) if counted else 0

    def _ended(self) -> str:
        if self._process is None or self._process.poll() is None:
            return ""
        return f"smtp-sink ended at once: {self._log.read_text()}"
