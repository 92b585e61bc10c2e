"""Clients that submit: STARTTLS, AUTH PLAIN, then no message, one, or some. Threads, since OpenSSL lets others run."""

import base64
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.accounts import PASSWORD
from benchmarks.loads.smtp import content
from benchmarks.peers.peer import address

_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE


def submit(port: int, user: str, sessions: int, messages: int, clients: int, size: int = 4096) -> None:
    """Have so many *sessions* of so many *messages* each, for *user* by *user*. Raises `RuntimeError` if refused."""
    message = content(size, address(user))
    shares = [len(range(client, sessions, clients)) for client in range(clients)]
    with ThreadPoolExecutor(clients) as threads:
        for done in [threads.submit(_sessions, port, user, share, messages, message) for share in shares]:
            done.result()


def _sessions(port: int, user: str, count: int, messages: int, message: bytes) -> None:
    for _ in range(count):
        _session(port, user, messages, message)


def _session(port: int, user: str, messages: int, message: bytes) -> None:
    login = address(user)
    plain = base64.b64encode(f"\0{login}\0{PASSWORD}".encode())
    transaction: Sequence[tuple[bytes, bytes]] = [
        (b"MAIL FROM:<%b>\r\n" % login.encode(), b"250"),
        (b"RCPT TO:<%b>\r\n" % login.encode(), b"250"),
        (b"DATA\r\n", b"354"),
        (message + b".\r\n", b"250"),
    ]
    with socket.create_connection(("127.0.0.1", port), 60) as plain_socket:
        plain_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _reply(plain_socket, b"220")
        _say(plain_socket, b"EHLO client.example\r\n", b"250")
        _say(plain_socket, b"STARTTLS\r\n", b"220")
        with _TLS.wrap_socket(plain_socket) as session:
            _say(session, b"EHLO client.example\r\n", b"250")
            _say(session, b"AUTH PLAIN %b\r\n" % plain, b"235")
            for _ in range(messages):
                for said, code in transaction:
                    _say(session, said, code)
            _say(session, b"QUIT\r\n", b"221")


def _say(session: socket.socket, octets: bytes, code: bytes) -> None:
    session.sendall(octets)
    _reply(session, code)


def _reply(session: socket.socket, code: bytes) -> None:
    data = b""
    while True:
        more = session.recv(4096)
        if not more:
            raise RuntimeError(f"the server hung up after {data!r}")
        data += more
        if data.endswith(b"\n") and data[data.rfind(b"\n", 0, -1) + 1 :][3:4] == b" ":
            break
    if not data.startswith(code):
        raise RuntimeError(f"expected {code!r}, got {data!r}")
