"""A name server of another make: dnsmasq, on a host of the tests."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.system.network import Host
from tests.system.programs import found
from tests.system.site import until

_CONFIG = """\
port={port}
listen-address={address}
bind-interfaces
no-resolv
no-hosts
no-round-robin
pid-file=
keep-in-foreground
user=root
log-facility=-
log-queries
local=/example/
"""


class NameServer:
    """Serves records, lines of dnsmasq's configuration, on *host*. What is not there below ``example`` does not exist.

    Other names it refuses to look up.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._folder = tempfile.TemporaryDirectory(prefix="mailsuite-test-")
        self._log = Path(self._folder.name, "log")
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def log(self) -> str:
        """What was asked, and what the answers were."""
        return self._log.read_text()

    def serve(self, records: Sequence[str]) -> None:
        """Know *records* from now on, and nothing else."""
        self.stop()
        self._start(_CONFIG.format(port=self._host.dns_port, address=self._host.address), records)

    def serve_beneath(self, port: int, records: Sequence[str]) -> None:
        """Serve *records* by one more process, at another port, for the first one to ask."""
        self._start(_CONFIG.format(port=port, address=self._host.address), records)

    def stop(self) -> None:
        """Answer no more."""
        for process in self._processes:
            process.terminate()
        while self._processes:
            self._processes.pop().wait(10)

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        self._folder.cleanup()

    def _start(self, head: str, records: Sequence[str]) -> None:
        program = found("dnsmasq")
        assert program is not None
        config = Path(self._folder.name, f"{len(self._processes)}.conf")
        config.write_text(head + "\n".join(records) + "\n")
        with self._log.open("ab") as log:
            before = log.tell()
            process = subprocess.Popen(
                self._host.command([program, f"--conf-file={config}"]), stdout=log, stderr=log
            )
        self._processes.append(process)
        until(lambda: self._serves(process, before), what="dnsmasq to start")

    def _serves(self, process: subprocess.Popen[bytes], before: int) -> bool:
        said = self._log.read_bytes()[before:]
        assert process.poll() is None, said.decode()
        return b": started" in said
