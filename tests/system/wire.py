"""A connection that says exactly which octets go out, and reads replies."""

import socket
import ssl
import time
from types import TracebackType


class Wire:
    """One TCP connection to a port of *address*, by default loopback. *source* is the address it comes from."""

    def __init__(
        self, port: int, seconds: float = 15, source: str = "127.0.0.1", address: str = "127.0.0.1"
    ) -> None:
        self.socket: socket.socket = socket.create_connection((address, port), seconds, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seconds = seconds
        self._unread = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Begin TLS; what was read before and not asked for is dropped."""
        self._unread = b""
        self.socket = context.wrap_socket(self.socket)

    def send(self, octets: bytes) -> None:
        """Send *octets*."""
        self.socket.sendall(octets)

    def send_singly(self, octets: bytes) -> None:
        """Send *octets* in segments of one octet each."""
        for at in range(len(octets)):
            self.socket.send(octets[at : at + 1])

    def line(self) -> bytes:
        """Return the next line without its CRLF. Raises `EOFError` at the end, `TimeoutError` when none comes."""
        end = time.monotonic() + self._seconds
        while b"\r\n" not in self._unread:
            if time.monotonic() > end:
                raise TimeoutError
            self._read()
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def answer(self) -> bytes:
        """Return the next SMTP reply, all its lines."""
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return b"\n".join(lines)

    def reply(self, code: int) -> bytes:
        """Return the next SMTP reply, which must have *code*."""
        answer = self.answer()
        assert answer[:4] in (b"%d " % code, b"%d-" % code), answer
        return answer

    def ask(self, line: bytes, code: int) -> bytes:
        """Send *line* with CRLF and return the reply, which must have *code*."""
        self.send(line + b"\r\n")
        return self.reply(code)

    def greet(self) -> None:
        """Read the greeting and say EHLO."""
        self.reply(220)
        self.ask(b"EHLO client.example", 250)

    def ok(self) -> bytes:
        """Return the next POP3 status line, which must be positive."""
        line = self.line()
        assert line.startswith(b"+OK"), line
        return line

    def ends(self) -> bytes:
        """Return everything until the server closes the connection."""
        try:
            while True:
                self._read()
        except (EOFError, ConnectionResetError):
            rest, self._unread = self._unread, b""
            return rest

    def _read(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError
        self._unread += data
