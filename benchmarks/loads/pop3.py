"""A POP3 client that costs little: raw sockets, and no line is looked at that need not be."""

import selectors
import socket
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from benchmarks.accounts import PASSWORD
from benchmarks.peers.peer import address

_END = b"\r\n.\r\n"
# Where what is read lies, so that a megabyte costs the client no memory to be made, nor to be copied.
_ROOM = bytearray(1 << 20)


class Session:
    """One session of *user*, logged in unless it is not to be yet."""

    def __init__(self, port: int, user: str, log_in: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line()
        self.ask(b"USER %s" % address(user).encode())
        if log_in:
            self.ask(b"PASS %s" % PASSWORD.encode())

    def ask(self, command: bytes) -> bytes:
        """Return the status line, which must be positive. Raises `RuntimeError`."""
        self.socket.sendall(command + b"\r\n")
        return self._line()

    def open(self) -> None:
        """Log in and list everything: PASS, LIST and UIDL."""
        self.socket.sendall(b"PASS %s\r\n" % PASSWORD.encode())
        self._line()
        for command in (b"LIST\r\n", b"UIDL\r\n"):
            self.socket.sendall(command)
            self.multi_line()

    def multi_line(self) -> int:
        """Read one multi-line response; return its octets."""
        size = 0
        tail = b""
        while not tail.endswith(_END):
            count = self.socket.recv_into(_ROOM)
            if not count:
                raise RuntimeError("the server has hung up")
            if not size and not _ROOM.startswith(b"+OK"):
                raise RuntimeError(_ROOM[: min(count, 80)].decode())
            size += count
            tail = (tail + _ROOM[max(count - len(_END), 0) : count])[-len(_END) :]
        return size

    def quit(self) -> None:
        """End the session."""
        self.ask(b"QUIT")
        self.socket.close()

    def _line(self) -> bytes:
        data = self.socket.recv(4096)
        while not data.endswith(b"\r\n"):
            more = self.socket.recv(4096)
            if not more:
                raise RuntimeError("the server has hung up")
            data += more
        if not data.startswith(b"+OK"):
            raise RuntimeError(data.decode())
        return data


def retrieve_all(port: int, user: str, count: int) -> None:
    """Read all *count* messages, one command after the other."""
    session = Session(port, user)
    session.ask(b"STAT")
    for number in range(1, count + 1):
        session.socket.sendall(b"RETR %d\r\n" % number)
        session.multi_line()
    session.quit()


def log_in_often(port: int, users: Sequence[str], logins: int, clients: int) -> None:
    """Log in *logins* times, each time with USER, PASS, STAT and QUIT, *clients* at a time.

    No two clients have the same users. One thread plays them all: twenty would fight for the interpreter's lock, and
    take more of the machine than a fast server does.
    """
    with selectors.EpollSelector() as selector:
        for client in range(clients):
            share = cycle(users[client::clients])
            _LogIn(selector, port, islice(share, logins // clients)).begin()
        while selector.get_map():
            ready = selector.select(60)
            if not ready:
                raise TimeoutError("the server says nothing any more")
            for key, _ in ready:
                key.data.heard()


class _LogIn:
    """One client of many: logs in as each of *users*, one after the other."""

    def __init__(self, selector: selectors.BaseSelector, port: int, users: Iterator[str]) -> None:
        self._selector = selector
        self._port = port
        self._users = users

    def begin(self) -> None:
        """Connect for the next user, if there is one."""
        user = next(self._users, None)
        if user is None:
            return
        self._commands = iter((b"USER " + address(user).encode(), b"PASS " + PASSWORD.encode(), b"STAT", b"QUIT"))
        self._socket = socket.create_connection(("127.0.0.1", self._port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)

    def heard(self) -> None:
        """Say what comes next to what the server has said, which is one line. Raises `RuntimeError`."""
        data = self._socket.recv(4096)
        if not (data.startswith(b"+OK") and data.endswith(b"\r\n")):
            raise RuntimeError(data.decode() or "the server has hung up")
        command = next(self._commands, None)
        if command is not None:
            self._socket.sendall(command + b"\r\n")
            return
        self._selector.unregister(self._socket)
        self._socket.close()
        self.begin()
