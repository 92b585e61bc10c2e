"""A name server with a signed zone and one that is not, and a validating resolver before it: BIND and Unbound."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.system.ports import free_ports
from tests.system.programs import found
from tests.system.site import until

SIGNED = "signed.example"
OPEN = "open.example"
# A zone below the signed one that nobody has delegated: as if somebody put unsigned answers into the way.
FORGED = f"_tcp.forged.{SIGNED}"
PACKAGES = {"dig": "bind9-dnsutils", "named": "bind9", "unbound": "unbound"}
MISSING = [f"{program} (Debian package {package})" for program, package in PACKAGES.items() if found(program) is None]

_ZONE = """\
$TTL 60
@ IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 60
@ IN NS ns.{zone}.
ns IN A 127.0.0.1
{records}
"""
_NAMED = """\
options {{
  directory "{folder}"; key-directory "{folder}"; managed-keys-directory "{folder}";
  pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; notify no; allow-transfer {{ none; }}; dnssec-validation no;
}};
controls {{ }};
dnssec-policy test {{ keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }}; }};
"""
_PRIMARY = 'zone "{zone}" {{ type primary; file "{zone}.zone"; {signing}}};\n'
_SIGNING = "dnssec-policy test; inline-signing yes; "
_UNBOUND = """\
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  interface: 127.0.0.1@{port}
  do-not-query-localhost: no
  module-config: "validator iterator"
  # Else it knows without asking that a forged name is not there.
  aggressive-nsec: no
  trust-anchor-file: "{folder}/anchor.key"
remote-control:
  control-enable: no
"""
_STUB = """\
stub-zone:
  name: "{zone}"
  stub-addr: 127.0.0.1@{port}
"""


class SignedDns:
    """Serves *zones*, records in the form of a zone file, until `stop`: `SIGNED` is signed, the others are not.

    *port* is that of the resolver, on loopback.
    """

    def __init__(self, folder: Path, zones: Mapping[str, str]) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._server, self.port = free_ports(2)
        try:
            self._serve(zones)
            self._resolve(zones)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both servers."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(10)

    def _serve(self, zones: Mapping[str, str]) -> None:
        for zone, records in zones.items():
            (self._folder / f"{zone}.zone").write_text(_ZONE.format(zone=zone, records=records))
        config = _NAMED.format(folder=self._folder, port=self._server)
        config += "".join(_PRIMARY.format(zone=zone, signing=_SIGNING if zone == SIGNED else "") for zone in zones)
        (self._folder / "named.conf").write_text(config)
        self._start("named", "-n", "1", "-c", str(self._folder / "named.conf"), "-g")
        # It serves the zone before it has signed it, and a resolver would remember that.
        until(lambda: b"RRSIG" in self._dig(self._server, SIGNED, "MX"), what="a signed zone")
        key = re.search(rb"\sDNSKEY\s+(257 .*)", self._dig(self._server, SIGNED, "DNSKEY"))
        assert key is not None
        (self._folder / "anchor.key").write_bytes(SIGNED.encode() + b". IN DNSKEY " + key[1] + b"\n")

    def _resolve(self, zones: Iterable[str]) -> None:
        text = "".join(_STUB.format(zone=zone, port=self._server) for zone in zones)
        (self._folder / "unbound.conf").write_text(_UNBOUND.format(folder=self._folder, port=self.port) + text)
        self._start("unbound", "-d", "-c", str(self._folder / "unbound.conf"))
        until(lambda: re.search(rb"flags:[^;]* ad", self._dig(self.port, SIGNED, "MX")), what="a validated answer")

    def _start(self, program: str, *arguments: str) -> None:
        command = found(program)
        assert command is not None
        with (self._folder / f"{program}.log").open("wb") as log:
            process = subprocess.Popen([command, *arguments], stdout=log, stderr=log)
        self._processes.append(process)

    def _dig(self, port: int, name: str, kind: str) -> bytes:
        command = ["dig", "+dnssec", "+tries=1", "+time=2", "-p", str(port), "@127.0.0.1", name, kind]
        return subprocess.run(command, capture_output=True, check=False, timeout=10).stdout
