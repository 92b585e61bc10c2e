"""Hosts of the tests' own, each with addresses and ports to itself: network namespaces that a router joins.

Nothing that is sent there leaves this machine. Where namespaces are forbidden, hosts are addresses of loopback, and a
warning says so: a host cannot be cut off there, and ports are not those of the standards. Who wants that sets
MAILSUITE_TEST_NETWORK=loopback.
"""

import ctypes
import os
import secrets
import shutil
import subprocess
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from mailsuite.cli import new_site
from tests.system.ports import free_ports
from tests.system.programs import found
from tests.system.site import Options, Place

# Of AS112 (RFC 7534, RFC 7535): in the Internet they are those of name servers, so that they count as public.
_IPV4 = "192.31.196."
_IPV6 = "2620:4f:8000::"
_GATEWAY = f"{_IPV4}254"
_GATEWAY_IPV6 = "fe80::1"
# Whatever is sent to these is dropped without a word.
SILENT, SILENT_IPV6 = f"{_IPV4}66", f"{_IPV6}66"

_PREFIX = "mailsuite-test"
_NAMES = Path("/run/netns")
# What `ip netns exec` lays over /etc.
_ETC = Path("/etc/netns")
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Host(Place):
    """One host: its address (*ipv6* too where it has one), its ports for SMTP and for DNS.

    *real* hosts have a network of their own. This one is an address of loopback.
    """

    real = False
    ipv6 = ""

    def __init__(self, address: str, smtp_port: int, dns_port: int, options: Options) -> None:
        self.address = address
        self.smtp_port = smtp_port
        self.dns_port = dns_port
        self.options = options

    def ports(self, listeners: Iterable[str]) -> dict[str, int]:
        """See `Place.ports`: all hosts have the same one for SMTP."""
        return {**super().ports(listeners), "mta": self.smtp_port}

    def inside(self) -> AbstractContextManager[object]:
        """Let sockets that are made in this thread, and programs that it starts, be those of this host."""
        return nullcontext()

    def cut_off(self, silent: bool = False) -> None:
        """Let nothing come to this host: as though it had no power, or *silent*, as though a firewall dropped it."""
        pytest.skip("needs network namespaces")

    def join(self) -> None:
        """Undo `cut_off`."""


class _Namespace(Host):
    """A host of its own; *router* is the namespace that joins it with the others."""

    real = True

    def __init__(self, namespace: str, number: int, router: str, resolver: str, ipv6: bool) -> None:
        super().__init__(f"{_IPV4}{number}", 25, 53, {})
        self.ipv6 = f"{_IPV6}{number}" if ipv6 else ""
        self._namespace = namespace
        self._link = f"v{number}"
        self._router = router
        _ip("netns", "add", namespace)
        etc = _ETC / namespace
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text(f"nameserver {resolver}\n")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", self._link, "netns", router)
        self._route_to()
        self._route_from()

    def _route_to(self) -> None:
        lines = [f"addr replace {_GATEWAY}/32 dev {self._link}", f"link set {self._link} up"]
        if self.ipv6:
            lines.append(f"addr replace {_GATEWAY_IPV6}/64 dev {self._link} nodad")
        _batch(self._router, lines + [f"route replace {each} dev {self._link}" for each in self._addresses])

    def _route_from(self) -> None:
        lines = ["link set eth0 up", f"addr replace {self.address}/32 dev eth0"]
        lines += [f"route replace {_GATEWAY} dev eth0", f"route replace default via {_GATEWAY}"]
        if self.ipv6:
            lines.append(f"addr replace {self.ipv6}/128 dev eth0 nodad")
            lines.append(f"route replace default via {_GATEWAY_IPV6} dev eth0")
        _batch(self._namespace, lines)

    @property
    def _addresses(self) -> list[str]:
        return [self.address, self.ipv6] if self.ipv6 else [self.address]

    def ports(self, listeners: Iterable[str]) -> dict[str, int]:
        """See `Place.ports`."""
        return {name: new_site.PRIVILEGED[name] for name in listeners}

    def endpoint(self, port: int) -> str:
        """See `Place.endpoint`: what ``mailsuite init`` writes, all addresses."""
        return new_site.endpoint(port, "")

    def command(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        """See `Place.command`; it has the resolv.conf of this host, too."""
        return ["ip", "netns", "exec", self._namespace, *arguments]

    def inside(self) -> AbstractContextManager[object]:
        """See `Host.inside`."""
        return _entered(self._namespace)

    def cut_off(self, silent: bool = False) -> None:
        """See `Host.cut_off`."""
        if silent:
            _batch(self._router, [f"route replace blackhole {each}" for each in self._addresses])
        else:
            _ip("-n", self._namespace, "link", "set", "eth0", "down")

    def join(self) -> None:
        """See `Host.join`."""
        dropped = subprocess.run(
            ["ip", "-n", self._router, "route", "show", "type", "blackhole", self.address],
            capture_output=True,
            check=True,
            timeout=10,
        ).stdout
        if dropped:
            _batch(self._router, [f"route del blackhole {each}" for each in self._addresses])
        self._route_to()
        self._route_from()


@contextmanager
def network(names: Sequence[str], resolver: str) -> Iterator[Mapping[str, Host]]:
    """Give hosts by their *names*; name servers are asked at the one that is called *resolver*."""
    if not _allowed():
        warnings.warn("no network namespaces here: hosts are addresses of loopback", stacklevel=3)
        yield _loopback(names, resolver)
        return
    _sweep()
    run = f"{_PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
    try:
        yield _namespaces(run, names, resolver)
    finally:
        _remove(run)


def _namespaces(run: str, names: Sequence[str], resolver: str) -> dict[str, Host]:
    router = f"{run}-router"
    _ip("netns", "add", router)
    with _entered(router):
        # Files there are those of the thread's own network.
        settings = Path("/proc/sys/net")
        (settings / "ipv4/ip_forward").write_text("1")
        forwarding = settings / "ipv6/conf/all/forwarding"
        ipv6 = forwarding.exists() and (settings / "ipv6/conf/all/disable_ipv6").read_text().strip() == "0"
        if ipv6:
            forwarding.write_text("1")
    _batch(router, [f"route add blackhole {each}" for each in ([SILENT, SILENT_IPV6] if ipv6 else [SILENT])])
    numbers = {name: number for number, name in enumerate(names, 1)}
    server = f"{_IPV4}{numbers[resolver]}"
    return {name: _Namespace(f"{run}-{name}", number, router, server, ipv6) for name, number in numbers.items()}


def _loopback(names: Sequence[str], resolver: str) -> dict[str, Host]:
    net = f"127.{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}."
    smtp_port, dns_port = free_ports(2)
    server = f"{net}{names.index(resolver) + 1}:{dns_port}"
    hosts: dict[str, Host] = {}
    for number, name in enumerate(names, 1):
        options: Options = {
            "dns": {"servers": [server]},
            "queue": {"remote_port": smtp_port},
            "delivery": {"allow_private": True, "source": [f"{net}{number}"]},
        }
        hosts[name] = Host(f"{net}{number}", smtp_port, dns_port, options)
    return hosts


def _allowed() -> bool:
    """Say whether namespaces can be made, by making one."""
    if os.environ.get("MAILSUITE_TEST_NETWORK") == "loopback" or os.geteuid() != 0 or found("ip") is None:
        return False
    name = f"{_PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, timeout=10).returncode == 0
    _remove(name)
    return made


def _sweep() -> None:
    """Remove what a run that was killed has left."""
    for path in _NAMES.glob(f"{_PREFIX}-*") if _NAMES.is_dir() else ():
        pid = path.name.removeprefix(f"{_PREFIX}-").partition("-")[0]
        if not Path("/proc", pid).exists():
            _remove(path.name)


def _remove(run: str) -> None:
    """Remove all whose name begins with *run*, each as far as it was made."""
    for path in _NAMES.glob(f"{run}*") if _NAMES.is_dir() else ():
        subprocess.run(["ip", "netns", "delete", path.name], capture_output=True, check=False, timeout=10)
    for path in _ETC.glob(f"{run}*") if _ETC.is_dir() else ():
        shutil.rmtree(path)


@contextmanager
def _entered(namespace: str) -> Iterator[None]:
    with open("/proc/thread-self/ns/net") as own, open(_NAMES / namespace) as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


def _enter(descriptor: int) -> None:
    """setns(2), which Python has from 3.12 on."""
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _ip(*arguments: str, given: str | None = None) -> None:
    done = subprocess.run(
        ["ip", *arguments], input=given, text=True, capture_output=True, check=False, timeout=10
    )
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}\n{given}"


def _batch(namespace: str, lines: Iterable[str]) -> None:
    _ip("-n", namespace, "-batch", "-", given="\n".join(lines) + "\n")
