"""Which name servers are asked, and whose word on DNSSEC counts."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, TypeAlias

from twisted.logger import Logger

TrustAD: TypeAlias = Literal["loopback", "always", "never"]

PORT = 53
RESOLV_CONF = "/etc/resolv.conf"
# How often it is looked at whether the file has changed, in seconds.
LOOK_SECONDS = 2.0
# How much of the file is read, and how many of its servers are asked.
FILE_OCTETS = 65_536
SERVERS = 8


@dataclass(frozen=True, slots=True)
class Server:
    """A name server: an IP address, with a zone where it needs one (``fe80::1%eth0``), and a port."""

    address: str
    port: int = PORT

    def __str__(self) -> str:
        if self.port == PORT:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def trusted(self, rule: TrustAD) -> bool:
        """Say whether the AD bit of this server counts.

        RFC 4035 §4.9.3: only over a way that nobody else can write to. Loopback is one.
        """
        return rule == "always" or (rule == "loopback" and ip_address(self.address.partition("%")[0]).is_loopback)


# resolv.conf(5): without any, the machine's own.
LOCAL = (Server("127.0.0.1"),)


class SystemServers:
    """The servers that the system is set up with, read again when the file changes.

    Calling it gives them, one at least. *seconds* is a monotonic clock. While the file cannot be read, what was known
    before stays.
    """

    _log = Logger()

    def __init__(self, seconds: Callable[[], float], path: str = RESOLV_CONF) -> None:
        self._seconds = seconds
        self._path = path
        self._servers: Sequence[Server] = LOCAL
        self._looked: float | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._missing = False

    def __call__(self) -> Sequence[Server]:
        """Return the servers, in the order in which they are asked."""
        now = self._seconds()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._servers

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp == self._stamp:
                return
            with open(self._path, "rb") as file:
                text = file.read(FILE_OCTETS).decode("utf-8", "replace")
        except OSError as error:
            if not self._missing:
                self._log.warn("{path} cannot be read: {reason}", path=self._path, reason=error.strerror)
            self._missing, self._stamp = True, None
            return
        self._missing, self._stamp = False, stamp
        self._servers = listed(text) or LOCAL


def listed(text: str) -> tuple[Server, ...]:
    """Return the servers of a resolv.conf file; what is no address is left out (resolv.conf(5))."""
    found = []
    for line in text.splitlines():
        # The keyword begins the line; so a comment is none.
        words = line.split()
        if len(words) > 1 and line.startswith("nameserver") and words[0] == "nameserver" and _is_address(words[1]):
            found.append(Server(words[1]))
    return tuple(dict.fromkeys(found))[:SERVERS]


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
