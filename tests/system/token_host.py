"""An issuer of tokens as others have it: a host that speaks HTTPS, with a name that a name server knows."""

import json
import socket
import ssl
import threading
from base64 import b64decode
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import dns.message
import dns.rdatatype
import dns.rrset

from tests.system.ports import free_ports
from tests.system.programs import run

NAME = "id.example.test"


class Names:
    """A name server at a port of loopback, by which every name leads to loopback."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                data, asker = self._socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            (question,) = query.question
            if question.rdtype == dns.rdatatype.A:
                answer.answer = [dns.rrset.from_text(question.name, 60, "IN", "A", "127.0.0.1")]
            self._socket.sendto(answer.to_wire(), asker)

    def stop(self) -> None:
        """Answer no more."""
        self._socket.close()


class TokenHost:
    """An issuer of tokens at a port of loopback, with a certificate for `NAME` in *folder*.

    It publishes *documents* (octets by path), counts in *fetched* how often each was, and says at ``/introspect``
    whose *tokens* are (RFC 7662) to the client whose HTTP login is *client*.
    """

    def __init__(self, folder: Path, client: str = "", tokens: Mapping[str, str] | None = None) -> None:
        self.certificate = folder / "issuer.pem"
        key = folder / "issuer.key"
        make_certificate(self.certificate, key, NAME, f"DNS:{NAME}")
        (port,) = free_ports(1)
        self.url = f"https://{NAME}:{port}"
        self.documents: dict[str, bytes] = {}
        self.fetched: dict[str, int] = {}
        self._client = client
        self._tokens = dict(tokens or {})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._answers())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answers(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.fetched[self.path] = host.fetched.get(self.path, 0) + 1
                found = host.documents.get(self.path)
                self._say(404 if found is None else 200, found or b"")

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                login = b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
                assert (self.path, login) == ("/introspect", host._client)
                owner = host._tokens.get(form["token"][0])
                said = {"active": False} if owner is None else {"active": True, "scope": "mail", "email": owner}
                self._say(200, json.dumps(said).encode())

            def _say(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Answers

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def make_certificate(certificate: Path, key: Path, name: str, other: str) -> None:
    """Make a self-signed certificate."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    run([*command, "-addext", f"subjectAltName={other}", "-keyout", str(key), "-out", str(certificate)])
