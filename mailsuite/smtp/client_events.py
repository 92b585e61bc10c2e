"""What an SMTP client session asks and tells, and the values that it is given (`mailsuite.wire.events`).

The session opens by itself (greeting, EHLO, TLS, login), then asks `Ready` for one transaction after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

from mailsuite.address import Address
from mailsuite.outcome import Answer
from mailsuite.wire.events import Ask, Event


class Stage(Enum):
    """Where a session stood; `CONNECT` is before there was one, `IDLE` is between transactions.

    At `BDAT` stands only a session with a server that has offered CHUNKING and does not know it.
    """

    CONNECT = auto()
    GREETING = auto()
    HELLO = auto()
    STARTTLS = auto()
    TLS = auto()
    AUTH = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BDAT = auto()
    BODY = auto()
    END = auto()
    IDLE = auto()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server offers, and we may use: each EHLO keyword in upper case, and its parameters as they stood."""

    keywords: Mapping[str, str]

    def __contains__(self, keyword: object) -> bool:
        return keyword in self.keywords

    def without(self, *keywords: str) -> "Capabilities":
        """Return what is left where we make no use of *keywords*."""
        return Capabilities({each: text for each, text in self.keywords.items() if each not in keywords})

    @property
    def size(self) -> int:
        """The largest message that it takes, in octets (RFC 1870 §4); 0: it does not say."""
        text = self.keywords.get("SIZE", "")
        # size-param ::= [1*20DIGIT]
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0

    def limit(self, name: str) -> int:
        """The limit *name* that the server tells of (RFC 9422 §3); 0: none."""
        for text in self.keywords.get("LIMITS", "").split():
            found, _, value = text.partition("=")
            # limit-name and limit-value: neither ASCII case nor leading zeros mean anything.
            if found.upper() == name and value.isascii() and value.isdigit() and len(value) <= 6:
                return int(value)
        return 0

    @property
    def least_by(self) -> int:
        """The least seconds in which a message may have to be delivered (RFC 2852 §2, item 3); 0: it does not say."""
        text = self.keywords.get("DELIVERBY", "").partition(",")[0]
        # min-by-time = [1*9DIGIT]
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms, in upper case (RFC 4954 §3)."""
        return tuple(self.keywords.get("AUTH", "").upper().split())


@dataclass(frozen=True, slots=True)
class TransactionRecipient:
    """A recipient, with *notify* and the decoded *original* of RFC 3461 §4.1 and §4.2, both empty where none."""

    address: Address
    notify: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One message to be sent. What belongs to an extension goes out only where the server offers it.

    *reverse_path* is ``None`` for the null path, *size* in octets (0: not known); *eight_bit*: the content has octets
    above 127; *binary*: they may be any, in no lines, and go out as they are, to a server that offers CHUNKING and
    BINARYMIME. *by* is the value of BY (RFC 2852 §4) or empty, *priority* that of MT-PRIORITY (RFC 6710 §4.2);
    *require_tls*: REQUIRETLS is said (RFC 8689 §4.2.1). *ret* and *envid* are those of RFC 3461 §4.3 and §4.4, the
    latter decoded. *content* is the message where it is at hand; ``None``: the session asks for it (`ReadBody`). Line
    ends of what is not binary are made CRLF on the way. *smtputf8*: an address or a header field has other letters
    than ASCII (RFC 6531 §3.4).
    """

    reverse_path: Address | None
    recipients: tuple[TransactionRecipient, ...]
    size: int = 0
    eight_bit: bool = False
    ret: str = ""
    envid: str = ""
    content: bytes | None = field(default=None, repr=False)
    smtputf8: bool = False
    binary: bool = False
    by: str = ""
    priority: int = 0
    require_tls: bool = False


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How one session is to be held; times in seconds, the defaults of RFC 5321 §4.5.3.2.

    *hostname* is our name in EHLO. *tls*: never by STARTTLS, where it is offered, or else no session. *lmtp*: RFC 2033
    is spoken. *foreign*: the server has to be another system than ours, and not call itself *hostname*. *chunking*:
    BDAT is used where it is offered. Without *user* there is no login; with it, no session without a login, and none
    outside TLS unless *clear_auth*. *mechanisms* may be used, the best first; empty: all that we have. *nonce* is
    fresh random text for this one session, printable ASCII without a comma; SCRAM is not used without it.
    """

    hostname: str
    tls: Literal["none", "may", "must"] = "may"
    lmtp: bool = False
    foreign: bool = False
    chunking: bool = True
    user: str = ""
    password: str = field(default="", repr=False)
    mechanisms: tuple[str, ...] = ()
    clear_auth: bool = False
    nonce: str = field(default="", repr=False)
    greeting_timeout: float = 300.0  # §4.5.3.2.1
    command_timeout: float = 300.0  # §4.5.3.2.2, §4.5.3.2.3
    data_timeout: float = 180.0  # §4.5.3.2.4, §4.5.3.2.5: for DATA's answer, and for each piece of the content
    end_timeout: float = 600.0  # §4.5.3.2.6
    # For how long one transaction may take in all: a server that does everything slowly holds us no longer.
    transaction_timeout: float = 7200.0


class Secured(Ask):
    """TLS has begun, by STARTTLS or with the connection, and nothing was said on it.

    Answer: whether to go on. If not, `Broken` is told with stage TLS, and the session closes without a word.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ready(Ask):
    """The session is open; asked again after each transaction. Answer: a `Transaction`, or ``None`` for QUIT."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class ReadBody(Ask):
    """Answer: the next octets of the content, about *octets* of them; ``b""`` at its end."""

    octets: int


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """Told: a transaction is over, with one answer for each recipient in order, and the stage that decided it.

    A stage is ``MAIL``, ``RCPT``, ``DATA`` or ``END``. An answer without a code is one that an LMTP server owes us
    (RFC 2033 §5: a temporary failure). `Answer.host` and `Answer.tls` are empty.
    """

    answers: tuple[Answer, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Broken(Event):
    """Told: the session is over. *answer* is what the server said, if that is why; *reason* is for people.

    A transaction that had no `Ended` is undone, but where *stage* is ``END``: then its fate is not known. *loop*: the
    server is this very system (`ClientSettings.foreign`).
    """

    stage: Stage
    answer: Answer | None
    reason: str
    loop: bool = False


SECURED = Secured()
