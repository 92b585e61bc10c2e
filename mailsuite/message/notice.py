"""A message of this system's own to somebody who uses it: plain text, in any letters (RFC 5322, RFC 2045, RFC 3834).

It goes any way: what is not ASCII is encoded, but for an address that only SMTPUTF8 can carry.
"""

from base64 import encodebytes
from dataclasses import dataclass
from email.header import Header

from mailsuite.address import Address
from mailsuite.message.trace import date

# RFC 5322 §2.1.1
_LINE_LETTERS = 998


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. *now* is POSIX time, *message_id* has no angle brackets; *subject* is one line."""

    hostname: str
    now: float
    message_id: str
    recipient: Address
    subject: str
    text: str

    def octets(self) -> bytes:
        """Return it as it is sent."""
        lines = self.text.splitlines()
        plain = self.text.isascii() and all(len(line) <= _LINE_LETTERS for line in lines)
        whole = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
        body = whole if plain else encodebytes(whole).replace(b"\n", b"\r\n")
        return "\r\n".join([*self._header(plain), "", ""]).encode("utf-8", "replace") + body

    def _header(self, plain: bool) -> list[str]:
        to = self.recipient.in_a_labels
        subject = Header(self.subject, "us-ascii" if self.subject.isascii() else "utf-8", header_name="Subject")
        return [
            f"From: Mail System <postmaster@{self.hostname}>",
            f"To: <{to}>",
            f"Subject: {subject.encode(linesep=chr(13) + chr(10))}",
            f"Date: {date(int(self.now))}",
            f"Message-ID: <{self.message_id}>",
            # RFC 3834 §5: nobody's vacation notice is to answer it.
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            f"Content-Type: text/plain; charset={'us-ascii' if plain else 'utf-8'}",
            f"Content-Transfer-Encoding: {'7bit' if plain else 'base64'}",
        ]
