"""A small model of the server's side of SMTP: it knows the RFCs and the respondent of the tests, nothing of the core.

RFC 5321 §4.1.4 (order), RFC 3030 §2 (BDAT), RFC 3207 §4 (STARTTLS), RFC 4954 §4 (AUTH), RFC 6409 §4.3 (530).
"""

import base64
import binascii
from collections.abc import Callable

MAIL = {b"nobody": 550, b"crash": 451}
RCPT = {b"nobody": 550, b"crash": 451, b"later": 451}
# What becomes of these senders at the end of a chunk that is not the last.
CHUNK = {b"midway": 554, b"lost": 451}


class Model:
    """What octets must be answered, and which messages are taken.

    *guarded*: only after a login, and TLS can be begun; *clear*: logins are taken without it, too.
    """

    def __init__(self, guarded: bool, clear: bool) -> None:
        self.guarded = guarded
        self.clear = clear
        self.codes = [220]
        self.messages: list[tuple[str, list[str], bytes]] = []
        self.encrypted = False
        self.tls_wanted = False
        self.closed = False
        self._unread = b""
        self.begin()

    def begin(self) -> None:
        """Forget all but the connection."""
        self.greeted = False
        self.authenticated = False
        self._dialogue: Callable[[bytes], int] | None = None
        self.forget()

    def forget(self) -> None:
        """End the transaction."""
        self.sender: bytes | None = None
        self.recipients: list[bytes] = []
        self.content = b""
        # Whether DATA, or BDAT, has begun the message.
        self.body = self.chunks = False
        # What a chunk is answered once the message has failed; it holds for all up to the last one.
        self.failure = 0

    @property
    def transaction(self) -> bool:
        """Whether MAIL was accepted."""
        return self.sender is not None

    def start_tls(self) -> None:
        """TLS begins: what was said in the clear, and not read, is forgotten."""
        self._unread = b""
        self.tls_wanted = False
        self.encrypted = True
        self.begin()

    def read(self, data: bytes) -> None:
        """Take octets of the client."""
        self._unread += data
        while not (self.closed or self.tls_wanted) and b"\r\n" in self._unread:
            line, _, rest = self._unread.partition(b"\r\n")
            chunk = self._chunk(line)
            if chunk is not None and len(rest) < chunk[0]:
                return
            self._unread = rest
            if chunk is not None:
                self._unread = rest[chunk[0] :]
                self.codes.append(self._take_chunk(rest[: chunk[0]], chunk[1]))
            elif self.body:
                self._body_line(line)
            else:
                dialogue, self._dialogue = self._dialogue, None
                self.codes.append((dialogue or self._command)(line))

    # Content

    def _body_line(self, line: bytes) -> None:
        if line == b".":
            # CR CR LF . CR LF: its sender may not have meant the end, so that nothing behind it is obeyed.
            self.closed = self.content.endswith(b"\r\r\n")
            self.codes.append(self._end())
        else:
            self.content += line.removeprefix(b".") + b"\r\n"

    def _chunk(self, line: bytes) -> tuple[int, bytes] | None:
        """Return size and marker of a chunk, if *line* begins one."""
        verb, _, argument = line.partition(b" ")
        size, _, marker = argument.partition(b" ")
        if self.body or self._dialogue is not None or verb.upper() != b"BDAT" or not size.isdigit() or b"\r" in line:
            return None
        return int(size), marker.upper()

    def _take_chunk(self, octets: bytes, marker: bytes) -> int:
        last = marker == b"LAST"
        if marker and not last:
            return self._fail(501, last)
        if self.failure:
            return self._fail(self.failure, last)
        if not self.recipients:
            return self._fail(503, last)
        if self.sender == b"full":
            return self._fail(452, last)
        self.chunks = True
        self.content += octets
        # A CR at the end of a chunk may have its LF in the next.
        if bare(self.content if last else self.content.removesuffix(b"\r")):
            return self._fail(554, last)
        if last:
            if self.content and not self.content.endswith(b"\r\n"):
                self.content += b"\r\n"
            return self._end()
        code = CHUNK.get(self.sender or b"", 250)
        return code if code == 250 else self._fail(code, last)

    def _fail(self, code: int, last: bool) -> int:
        """A chunk is refused, and with it the transaction; those that follow are answered the same."""
        known = self.failure
        follows = (self.transaction or bool(known)) and not last
        self.forget()
        self.failure = (known or code) if follows else 0
        return known or code

    def _end(self) -> int:
        content, sender, recipients = self.content, self.sender, self.recipients
        self.forget()
        if bare(content):
            return 554
        if sender == b"trouble":
            return 451
        to = [f"{name.decode()}@b.example" for name in recipients]
        self.messages.append((f"{(sender or b'').decode()}@a.example", to, content))
        return 250

    # Commands

    def _command(self, line: bytes) -> int:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if b"\r" in line:
            # Octets that follow a BDAT cannot be told from commands, whatever is wrong with its line.
            self.closed = verb == b"BDAT"
            return 500
        if verb in (b"EHLO", b"HELO"):
            return self._hello(argument)
        if verb == b"RSET":
            self.forget()
        if verb in (b"RSET", b"NOOP"):
            return 250
        if verb == b"QUIT":
            self.closed = True
            return 221
        if verb == b"BDAT":
            # Its octets cannot be told from commands.
            self.closed = True
            return 501
        if verb == b"VRFY":
            return 252
        if verb == b"SEND":
            return 502
        if verb in (b"STARTTLS", b"AUTH"):
            return self._security(verb, argument)
        if verb in (b"MAIL", b"RCPT", b"DATA"):
            return self._transaction(verb, argument)
        return 500

    def _hello(self, argument: bytes) -> int:
        if not argument:
            return 501
        if argument == b"refused.example":
            return 550
        self.forget()
        self.greeted = True
        return 250

    def _security(self, verb: bytes, argument: bytes) -> int:
        if not self.guarded:
            return 502
        if not self.greeted or self.transaction:
            return 503
        if verb == b"AUTH":
            return self._auth(argument)
        if self.encrypted:
            return 503
        self.tls_wanted = True
        return 220

    def _auth(self, argument: bytes) -> int:
        name, _, initial = argument.partition(b" ")
        if self.authenticated:
            return 503
        if name != b"PLAIN":
            return 504
        if not (self.encrypted or self.clear):
            return 538
        if initial:
            return self._response(initial)
        self._dialogue = self._response
        return 334

    def _response(self, line: bytes) -> int:
        try:
            response = base64.b64decode(line, validate=True)
        except binascii.Error:
            return 501
        if response.count(b"\0") != 2:
            return 501
        self.authenticated = response.endswith(b"\0secret")
        return 235 if self.authenticated else 535

    def _transaction(self, verb: bytes, argument: bytes) -> int:
        name = argument.partition(b"<")[2].partition(b"@")[0]
        in_order = {
            b"MAIL": self.greeted and not self.transaction,
            b"RCPT": self.transaction and not self.chunks,
            b"DATA": bool(self.recipients) and not self.chunks,
        }
        if not in_order[verb]:
            return 503
        if self.guarded and not self.authenticated:
            return 530
        if verb == b"DATA":
            return self._data(argument)
        if not name:
            return 501
        if verb == b"RCPT":
            code = RCPT.get(name, 250)
            self.recipients += [name] if code == 250 else []
            return code
        code = MAIL.get(name, 250)
        if code == 250:
            self.forget()
            self.sender = name
        return code

    def _data(self, argument: bytes) -> int:
        if argument:
            return 501
        if self.sender == b"full":
            self.forget()
            return 452
        self.body = True
        return 354


def bare(content: bytes) -> bool:
    """Say whether a CR or LF stands alone."""
    rest = content.replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest
