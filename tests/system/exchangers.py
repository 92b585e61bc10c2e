"""Servers of other makes that speak TLS: mail exchangers, and the host of an MTA-STS policy."""

import hashlib
import ssl
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives import serialization

from mailsuite.certificates import Pair

POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"


def pem(pair: Pair) -> tuple[bytes, bytes]:
    """Return the certificates of *pair* and its key as files have them."""
    key = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in pair.chain), key


def tls(pair: Pair, folder: Path) -> ssl.SSLContext:
    """Return what a server shows *pair* with; its files are written into *folder*."""
    path = folder / f"{pair.names[0]}-{pair.chain[0].serial_number}.pem"
    path.write_bytes(b"".join(pem(pair)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def digest(pair: Pair, number: int = 0) -> str:
    """Return the SHA-256 of a key in the chain of *pair*, as TLSA records have it."""
    shown = pair.chain[number].public_key()
    key = shown.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


class _Threaded:
    """A server with a thread of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.port: int = server.server_address[1]
        self._thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class Exchanger(_Threaded):
    """A mail exchanger with STARTTLS that shows *context*, and takes no mail."""

    def __init__(self, context: ssl.SSLContext) -> None:
        class Session(BaseRequestHandler):
            def handle(self) -> None:
                _speak(self.request, context)

        super().__init__(ThreadingTCPServer(("127.0.0.1", 0), Session))


def _speak(connection: socket, context: ssl.SSLContext) -> None:
    connection.settimeout(10)
    connection.sendall(b"220 mx ESMTP\r\n")
    while line := _line(connection):
        verb = line.split()[0].upper()
        if verb == b"EHLO":
            connection.sendall(b"250-mx\r\n250 STARTTLS\r\n")
        elif verb == b"STARTTLS":
            connection.sendall(b"220 go ahead\r\n")
            connection = context.wrap_socket(connection, server_side=True)
        else:
            connection.sendall(b"221 bye\r\n")
            break
    connection.close()


def _line(connection: socket) -> bytes:
    """Read octet by octet: what follows STARTTLS is not ours."""
    line = b""
    while not line.endswith(b"\r\n"):
        octet = connection.recv(1)
        if not octet:
            return b""
        line += octet
    return line


class PolicyHost(_Threaded):
    """Serves *policies* at *address*: MTA-STS policies by the name of the host that is asked for."""

    def __init__(
        self, context: ssl.SSLContext, policies: Mapping[str, str], address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = self.headers["Host"].partition(":")[0]
                asked.append(host)
                if self.path != "/.well-known/mta-sts.txt" or host not in policies:
                    self.send_error(404)
                    return
                policy = policies[host].encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(policy)))
                self.end_headers()
                self.wfile.write(policy)

            def log_message(self, format: str, *arguments: Any) -> None:
                return None

        server = ThreadingHTTPServer(address, Answer)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        super().__init__(server)
