"""Memory of connections that do nothing: SMTP after EHLO, POP3 before login."""

import resource
import socket
import time

from benchmarks.processes import memory_kib

_HELLO = {"SMTP": b"EHLO client.example\r\n", "POP3": b""}


def measure(pid: int, ports: dict[str, int], connections: int) -> dict[str, float]:
    """Return what an idle connection of each protocol costs the server, in KiB.

    The connections of one protocol stay open while the next is measured: memory that was freed would hide it.
    """
    _allow_files(connections * len(ports) + 100)
    held = [_open(port, _HELLO[protocol]) for protocol, port in ports.items() for _ in range(20)]
    costs: dict[str, float] = {}
    for protocol, port in ports.items():
        _settle()
        before = memory_kib(pid)
        held += [_open(port, _HELLO[protocol]) for _ in range(connections)]
        _settle()
        costs[protocol] = (memory_kib(pid) - before) / connections
    for one in held:
        one.close()
    _settle()
    return costs


def _open(port: int, hello: bytes) -> socket.socket:
    session = socket.create_connection(("127.0.0.1", port), 10)
    session.recv(4096)
    if hello:
        session.sendall(hello)
        session.recv(4096)
    return session


def _allow_files(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(files, soft), hard), hard))


def _settle() -> None:
    time.sleep(0.5)
