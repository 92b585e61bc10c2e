"""What an SMTP server session asks and tells (`mailsuite.wire.events` has the contract).

A question is answered with a `mailsuite.smtp.replies.Reply`; the session's state moves only when it is positive.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailsuite.address import Address
from mailsuite.sasl.claims import Claim, Question
from mailsuite.smtp.replies import Reply
from mailsuite.wire.events import Ask, Event


class Connected(Ask):
    """A peer has connected. Answer: the greeting (220), or why not (4xx, 5xx): then only QUIT is left to it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Hello(Ask):
    """EHLO (*extended*) or HELO with the peer's *name* as it gave it.

    Answer: `OK`, and a `Reset` follows; or a refusal, and all stays as it was.
    """

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class MailFrom(Ask):
    """MAIL: *reverse_path* is ``None`` for the null path. *parameters*: what the extensions have parsed."""

    reverse_path: Address | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RcptTo(Ask):
    """RCPT with one forward-path, its source route taken away (RFC 5321 §3.3, appendix C)."""

    forward_path: Address
    parameters: Mapping[str, Any]


class DataBegins(Ask):
    """DATA, or the first BDAT. Answer: `START_MESSAGE`, or why the message cannot come."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class BodyChunk(Event):
    """Told: the next octets of the message, without transparency dots."""

    octets: bytes


class ChunkEnds(Ask):
    """A chunk has come that is not the last one (RFC 3030 §2). Answer: `CHUNK_OK`, or why the message is refused."""

    __slots__ = ()


class MessageEnds(Ask):
    """The end mark, or the last chunk, has come.

    A positive answer is the promise of RFC 5321 §4.2.5: the message is ours now. In LMTP the answer may be a tuple of
    replies, one for each recipient, in their order (RFC 2033 §4.2); a single reply holds for all of them.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class MessageRefused(Event):
    """Told: the session itself refuses the message, for *reply*; forget it."""

    reply: Reply


class Reset(Event):
    """Told: forget the transaction (RSET, EHLO, HELO)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Verify(Ask):
    """VRFY (RFC 5321 §3.5.1) with the text that followed it. *utf8*: so may the answer be (RFC 6531 §3.7.4.2)."""

    text: str
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Expand(Ask):
    """EXPN (RFC 5321 §3.5.2) with the text that followed it. *utf8*: so may the answer be (RFC 6531 §3.7.4.2)."""

    text: str
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Etrn(Ask):
    """ETRN (RFC 1985): send what waits for *domain*, with *subdomains* also for all below it.

    *domain* is a host name of ASCII, as it was written. Answer: `replies.etrn_started`, or the refusal.
    """

    domain: str
    subdomains: bool


@dataclass(frozen=True, slots=True)
class Proxied(Ask):
    """XCLIENT: the peer speaks for a client. Answer: the greeting (220), or the refusal, and all stays as it was.

    *address* is the text of an IP address, *protocol* SMTP, ESMTP or LMTP. ``None``: the peer did not say it; empty
    or 0: it does not know.
    """

    address: str | None
    port: int | None
    helo: str | None
    protocol: str | None
    login: str | None


@dataclass(frozen=True, slots=True)
class Authenticate(Ask):
    """AUTH came to a claim. Answer: `AUTHENTICATED`, or the refusal."""

    mechanism: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Consult(Ask):
    """AUTH goes on with what the *question* is answered with (`mailsuite.sasl.claims`). Answer: that, or a refusal."""

    mechanism: str
    question: Question


@dataclass(frozen=True, slots=True)
class ProtocolError(Event):
    """Told: the peer was given *reply* without anybody being asked."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class LimitReached(Event):
    """Told: the session ran into *limit*, a key of ``[limits]`` mostly. It is for the log, the peer has its reply."""

    limit: str


# No reply: what takes an answer gives this in its place where it has asked another question, or will say all later.
ASKED_ON = Reply(0, "", "")

CONNECTED = Connected()
DATA_BEGINS = DataBegins()
CHUNK_ENDS = ChunkEnds()
MESSAGE_ENDS = MessageEnds()
RESET = Reset()
