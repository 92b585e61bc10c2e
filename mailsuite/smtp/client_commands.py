"""MAIL and RCPT as a client sends them (RFC 5321 §4.1.1.2, §4.1.1.3), with the parameters of what is offered.

*utf8*: the server offers SMTPUTF8, and the transaction needs it (RFC 6531 §3.4).
"""

import re

from mailsuite import unitext
from mailsuite.address import Address
from mailsuite.outcome import Answer
from mailsuite.smtp.client_events import Capabilities, Transaction, TransactionRecipient
from mailsuite.smtp.grammar import is_printable

# What may stand in a path on the wire: a domain has no space, no angle bracket that could end it and no quote, behind
# which a reader would miss its end.
_DOMAIN = re.compile(r"[!#-;=?-~]*")
_WIDE_DOMAIN = re.compile(r"[!#-;=?-~\x80-\U0010ffff]*")
# notify-esmtp-value = "NEVER" / 1#notify-list-element (RFC 3461 §4.1)
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}")
# original-recipient-address = addr-type ";" xtext (RFC 3461 §4.2); addr-type is an atom.
_ORIGINAL = re.compile(r"([A-Za-z0-9-]+);(.+)", re.DOTALL)
# xchar = any ASCII character from "!" to "~", but "+" and "=" (RFC 3461 §4).
_NOT_XCHAR = re.compile(rb"[^!-*,-<>-~]")
# RFC 3461 §4.4: at most 100 characters, before they are encoded; §4.2: 500, when they are.
ENVID_LETTERS = 100
ORIGINAL_LETTERS = 500

# What we say in a server's place, of an address that cannot be sent to it: nobody else would say it better.
NEEDS_SMTPUTF8 = Answer("", 553, "5.6.7", ("The address is not ASCII, and SMTPUTF8 is not spoken here",))
BAD_ADDRESS = Answer("", 553, "5.1.3", ("The address has characters that no command can carry",))


def mail_line(transaction: Transaction, offered: Capabilities, utf8: bool = False) -> bytes | Answer:
    """Return MAIL with its CRLF, or the answer to it where its address cannot be sent."""
    path = b"<>" if transaction.reverse_path is None else path_octets(transaction.reverse_path, utf8)
    if isinstance(path, Answer):
        return path
    line = b"MAIL FROM:" + path
    if transaction.size > 0 and "SIZE" in offered:
        line += b" SIZE=%d" % transaction.size
    if transaction.binary:
        line += b" BODY=BINARYMIME"  # RFC 3030 §3
    elif transaction.eight_bit and "8BITMIME" in offered:
        line += b" BODY=8BITMIME"
    if utf8:
        line += b" SMTPUTF8"
    if "DSN" in offered:
        if transaction.ret in ("FULL", "HDRS"):
            line += b" RET=" + transaction.ret.encode()
        if 0 < len(transaction.envid) <= ENVID_LETTERS:
            line += b" ENVID=" + xtext(transaction.envid)
    if transaction.by and "DELIVERBY" in offered:
        line += b" BY=" + transaction.by.encode()
    if "MT-PRIORITY" in offered:
        # RFC 6710 §4.2: whatever it is.
        line += b" MT-PRIORITY=%d" % transaction.priority
    if transaction.require_tls and "REQUIRETLS" in offered:
        line += b" REQUIRETLS"
    return line + b"\r\n"


def rcpt_line(recipient: TransactionRecipient, offered: Capabilities, utf8: bool = False) -> bytes | Answer:
    """Return RCPT with its CRLF, or the answer to it where its address cannot be sent."""
    path = path_octets(recipient.address, utf8)
    if isinstance(path, Answer):
        return path
    line = b"RCPT TO:" + path
    if "DSN" in offered:
        if _NOTIFY.fullmatch(recipient.notify):
            line += b" NOTIFY=" + recipient.notify.encode()
        if recipient.original:
            line += _orcpt(recipient.original, utf8)
    return line + b"\r\n"


def path_octets(address: Address, utf8: bool = False) -> bytes | Answer:
    """Return *address* as a path: as it was written, or without *utf8* with its domain as A-labels (RFC 5890)."""
    if not utf8:
        address = address.in_a_labels
    text = str(address)
    if not utf8 and not text.isascii():
        return NEEDS_SMTPUTF8
    # Lesson 9: nothing that we were given ends the line, or the path, or begins a parameter.
    if not is_printable(text) or not (_WIDE_DOMAIN if utf8 else _DOMAIN).fullmatch(address.domain):
        return BAD_ADDRESS
    return b"<%s>" % text.encode()


def _orcpt(original: str, utf8: bool) -> bytes:
    found = _ORIGINAL.fullmatch(original)
    if found is None:
        return b""
    kind, address = found.groups()
    # RFC 6533 §3: its own encoding, of which a server without SMTPUTF8 gets the form of ASCII alone.
    is_wide = kind.lower() == unitext.UTF8_TYPE
    value = kind.encode() + b";" + (unitext.encode(address, utf8).encode() if is_wide else xtext(address))
    return b" ORCPT=" + value if len(value) <= ORIGINAL_LETTERS else b""


def xtext(text: str) -> bytes:
    """Encode *text* as xtext (RFC 3461 §4), what is not ASCII by its octets in UTF-8."""
    return _NOT_XCHAR.sub(lambda found: b"+%02X" % found[0][0], text.encode("utf-8", "replace"))
