"""A client that binds its login to the connection (SCRAM-...-PLUS, RFC 5802 §6): few programs do, and by one kind."""

import hashlib
import hmac
import secrets
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from tests.system.site import HOSTNAME


class BoundClient:
    """SCRAM-...-PLUS over TLS from the first octet, by any binding; nothing in it is the server's code.

    pyOpenSSL is asked for what Python's ssl does not give: keying material (RFC 9266 §2).
    """

    def __init__(self, port: int, source: str) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._tls = SSL.Connection(context, socket.create_connection(("127.0.0.1", port), 15, (source, 0)))
        # pyOpenSSL has no time-outs of its own.
        self._tls.setblocking(True)
        self._tls.set_tlsext_host_name(HOSTNAME.encode())
        self._tls.set_connect_state()
        self._tls.do_handshake()
        self._unread = b""
        certificate = self._tls.get_peer_certificate()
        assert certificate is not None
        shown = certificate.to_cryptography()
        # RFC 5929 §4.1
        assert isinstance(shown.signature_hash_algorithm, hashes.SHA256)
        self.bindings = {
            "tls-server-end-point": shown.fingerprint(hashes.SHA256()),
            "tls-exporter": self._tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b""),
        }

    def ask(self, line: str) -> str:
        """Send *line*, and return the last line of the answer."""
        self._tls.sendall(line.encode() + b"\r\n")
        return self.answer()

    def answer(self) -> str:
        """Return the last line of the next answer."""
        while True:
            while b"\r\n" not in self._unread:
                self._unread += self._tls.recv(4096)
            answer, _, self._unread = self._unread.partition(b"\r\n")
            if answer[3:4] != b"-":
                return answer.decode()

    def log_in(
        self,
        name: str,
        password: str,
        mechanism: str,
        kind: str,
        octets: bytes,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> str:
        """Log in as *name* with *octets* for the binding *kind*; return the server's last word.

        *meanwhile* is called when the server has asked for the proof.
        """
        algorithm = {"SCRAM-SHA-1-PLUS": "sha1", "SCRAM-SHA-256-PLUS": "sha256"}[mechanism]
        gs2 = f"p={kind},,".encode()
        first = f"n={name},r={secrets.token_hex(12)}"
        answer = self.ask(f"AUTH {mechanism} {b64encode(gs2 + first.encode()).decode()}")
        if not answer.startswith(("334 ", "+ ")):
            return answer
        challenge = b64decode(answer.partition(" ")[2]).decode()
        meanwhile()
        nonce, salt, count = (part[2:] for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), b64decode(salt), int(count))
        key = hmac.digest(salted, b"Client Key", algorithm)
        last = f"c={b64encode(gs2 + octets).decode()},r={nonce}"
        spoken = ",".join((first, challenge, last)).encode()
        signature = hmac.digest(hashlib.new(algorithm, key).digest(), spoken, algorithm)
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        answer = self.ask(b64encode(f"{last},p={b64encode(proof).decode()}".encode()).decode())
        if not answer.startswith(("334 ", "+ ")):
            return answer
        server = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), spoken, algorithm)
        assert b64decode(answer.partition(" ")[2]) == b"v=" + b64encode(server)
        # RFC 4954 §4, RFC 5034 §4: what comes with success is a challenge, and its answer is empty.
        return self.ask("")

    def close(self) -> None:
        """End the connection."""
        self._tls.close()
