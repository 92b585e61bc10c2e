"""The ports that tests serve at: `free_ports`."""

import socket
import subprocess
import sys

import pytest

from tests.system import ports
from tests.system.ports import SHARES, free_ports

_DRAWS = "from tests.system.ports import free_ports; print(*free_ports(400), flush=True); input()"
# Of these each process has one.
FEW = (11_000, 11_000 + SHARES)


def _other() -> subprocess.Popen[str]:
    """Start a process that draws most ports of its share and has them to its end."""
    command = [sys.executable, "-c", _DRAWS]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _end(process: "subprocess.Popen[str]") -> None:
    process.communicate("\n", 30)
    assert process.returncode == 0


def _drawn(process: "subprocess.Popen[str]") -> set[int]:
    assert process.stdout is not None
    return set(map(int, process.stdout.readline().split()))


def test_no_port_is_of_two_processes() -> None:
    """Whatever one draws and does not yet listen at, others do not draw."""
    others = [_other(), _other()]
    drawn = [*map(_drawn, others), set(free_ports(400))]
    for other in others:
        _end(other)
    assert len(set().union(*drawn)) == sum(map(len, drawn)) == 1200


def test_none_is_given_twice() -> None:
    """Those of a process differ for as long as there are others."""
    ports = [free_ports(5) for _ in range(20)]
    assert len({port for five in ports for port in five}) == 100


def test_one_that_is_taken_is_left_out() -> None:
    """A port at which somebody listens is not given."""
    (port,) = free_ports(1, *FEW)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(OSError, match=f"1 ports were asked for, and from {port} to {port} 0 are free"):
            free_ports(1, *FEW)


def test_too_many() -> None:
    """More than a share has are refused, with words."""
    (port,) = free_ports(1, *FEW)
    with pytest.raises(OSError, match=f"2 ports were asked for, and from {port} to {port} 1 are free"):
        free_ports(2, *FEW)


def test_too_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each share is another's, the words say so."""
    monkeypatch.setattr(ports, "NAME", "\0mailsuite-tests-of-ports-{}")
    monkeypatch.setattr(ports, "SHARES", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        holder.bind(ports.NAME.format(0))
        with pytest.raises(OSError, match="each of 1 shares of the ports for tests is in use"):
            ports._share(-1)
