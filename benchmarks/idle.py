"""Memory of connections that do nothing: SMTP after EHLO, POP3 before login."""

import resource
import socket
import time

from benchmarks.processes import memory_kib


def per_connection_kib(pid: int, port: int, hello: bytes, connections: int) -> float:
    """Open *connections*, greet, and return what each of them costs the server, in KiB."""
    _allow_files(connections + 100)
    _settle()
    warm = [_open(port, hello) for _ in range(20)]
    before = memory_kib(pid)
    idle = [_open(port, hello) for _ in range(connections)]
    _settle()
    cost = (memory_kib(pid) - before) / connections
    for one in (*warm, *idle):
        one.close()
    _settle()
    return cost


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
