"""What a far end may do to a message, and what must become of it: the cases of `test_far_ends`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

from tests.system.far_end import FarEnd, deaf, drip, drop, endless, reset, silence, then

# The time-outs of the site, in seconds, each another one. The longest greeting, command, piece and end of RFC 5321
# §4.5.3.2 take minutes.
CONNECT, GREETING, COMMAND, DATA, END = 1.0, 1.5, 2.0, 2.5, 3.0
TIMEOUTS = {
    "connect_timeout": CONNECT,
    "greeting_timeout": GREETING,
    "command_timeout": COMMAND,
    "data_timeout": DATA,
    "end_timeout": END,
}
# Larger than what two sockets hold, so that it is seen when the far end does not read; and larger than what goes in
# one piece, or lies in the queue's database.
VAST, LARGE, SMALL = 7_000_000, 1_500_000, 300

Kind: TypeAlias = Literal["delivered", "deferred", "failed"]
Make: TypeAlias = Callable[[], FarEnd]

PLAIN: tuple[str, ...] = ()
CHUNKING = ("PIPELINING", "CHUNKING", "8BITMIME")
TLS = ("PIPELINING", "STARTTLS")


@dataclass(frozen=True, slots=True)
class Case:
    """One far end, and what comes of a message of about *size* octets for it after one try.

    *make* is ``None`` where nobody is there: ``refuses`` or ``ignores``, by the name of the case. *status* and *why*
    are those in the log, in the queue and in the report, the latter in part. *whole*: the destination was put off with
    it. *copies* are how many the far end has, *connections* how many it saw. It took *seconds* at least. *route* are
    keys of the route.
    """

    name: str
    make: Make | None
    kind: Kind
    status: str = ""
    why: str = ""
    whole: bool = False
    copies: int = 0
    connections: int = 1
    seconds: float = 0.0
    size: int = SMALL
    route: Mapping[str, object] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """The domain of its recipient."""
        return f"{self.name.lower()}.example"


def far(offers: tuple[str, ...] = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"), **keys: Any) -> Make:
    """Return what makes such a far end."""
    return partial(FarEnd, offers, **keys)


def delivered(name: str, make: Make, connections: int = 1, size: int = SMALL, **route: object) -> Case:
    """It is there, once, in the end."""
    return Case(name, make, "delivered", copies=1, connections=connections, size=size, route=route)


def down(name: str, make: Make | None, status: str, why: str, seconds: float = 0.0, **keys: Any) -> Case:
    """The destination is in trouble: no other message would fare better."""
    return Case(name, make, "deferred", status, why, whole=True, seconds=seconds, **keys)


def later(name: str, make: Make, status: str, why: str, seconds: float = 0.0, **keys: Any) -> Case:
    """This message waits for its next try."""
    return Case(name, make, "deferred", status, why, seconds=seconds, **keys)


def unknown(name: str, make: Make, seconds: float = 0.0, size: int = SMALL, why: str = "") -> Case:
    """All of it was sent and nobody knows whether it was taken (RFC 1047): it waits, and may come twice."""
    why = why or "may have been taken"
    return Case(name, make, "deferred", "4.4.2", why, copies=1, seconds=seconds, size=size)


def failed(name: str, make: Make, status: str, why: str, **keys: Any) -> Case:
    """Its sender is told."""
    return Case(name, make, "failed", status, why, **keys)


ENCRYPT = {"tls": "encrypt"}
LATE = "timed out"
WITHIN = "timed out within the message"
SILENT = [
    Case("ignores", None, "deferred", "4.4.1", LATE, True, seconds=CONNECT, connections=0),
    down("silent-greeting", far(greeting=silence), "4.4.2", LATE, GREETING),
    down("silent-ehlo", far(ehlo=silence), "4.4.2", LATE, COMMAND),
    down("silent-helo", far(ehlo="500 What?", helo=silence), "4.4.2", LATE, COMMAND),
    later("silent-mail", far(mail=silence), "4.4.2", LATE, COMMAND),
    later("silent-rcpt", far(rcpt=silence), "4.4.2", LATE, COMMAND),
    later("silent-data", far(data=silence), "4.4.2", LATE, DATA),
    later("silent-mail-plain", far(PLAIN, mail=silence), "4.4.2", LATE, COMMAND),
    later("silent-rcpt-plain", far(PLAIN, rcpt=silence), "4.4.2", LATE, COMMAND),
    later("silent-data-plain", far(PLAIN, data=silence), "4.4.2", LATE, DATA),
    unknown("silent-end", far(end=silence), END),
    unknown("silent-end-chunked", far(CHUNKING, end=silence), END),
    down("drips-greeting", far(greeting=drip), "4.4.2", LATE, GREETING),
    down("drips-ehlo", far(ehlo=drip), "4.4.2", LATE, COMMAND),
    later("drips-mail", far(mail=drip), "4.4.2", LATE, COMMAND),
    failed("silent-rset", far(rcpt="550 5.1.1 Nobody", rset=silence), "5.1.1", "550 5.1.1 Nobody"),
    delivered("silent-quit", far(quit=silence)),
    down("silent-tls", far(greeting=silence), "4.7.5", LATE, COMMAND, route={"tls": "implicit"}),
    down("silent-handshake", far(TLS, starttls=then("220 Go", silence)), "4.7.5", LATE, COMMAND, route=ENCRYPT),
    down("silent-starttls", far(TLS, starttls=silence), "4.7.4", LATE, COMMAND, route=ENCRYPT),
]

# In the midst of a message, where there is much of it.
DEAF = [
    unknown("silent-end-large", far(end=silence), END, LARGE),
    later("silent-chunk", far(CHUNKING, bdat=silence), "4.4.2", LATE, DATA, size=VAST),
    later("deaf-body", far(data=deaf("354 Go"), receives=8192), "4.4.2", WITHIN, DATA, size=VAST),
    later("deaf-chunks", far(CHUNKING, rcpt=deaf("250 OK"), receives=8192), "4.4.2", LATE, DATA, size=VAST),
]

GONE = "connection was"
DROPS = [
    Case("refuses", None, "deferred", "4.4.1", "refused", True, connections=0),
    down("drops-connection", far(greeting=drop), "4.4.2", GONE),
    down("drops-within-greeting", far(greeting=then(b"220-mx", drop)), "4.4.2", GONE),
    down("drops-ehlo", far(ehlo=drop), "4.4.2", GONE),
    down("drops-within-ehlo", far(ehlo=then("250-mx.example\r\n250-SIZE", drop)), "4.4.2", GONE),
    down("drops-helo", far(ehlo="502 What?", helo=reset), "4.4.2", GONE),
    later("drops-mail", far(mail=drop), "4.4.2", GONE),
    later("drops-rcpt", far(rcpt=drop), "4.4.2", GONE),
    later("drops-data", far(data=drop), "4.4.2", GONE),
    later("drops-mail-plain", far(PLAIN, mail=reset), "4.4.2", GONE),
    later("drops-rcpt-plain", far(PLAIN, rcpt=reset), "4.4.2", GONE),
    later("drops-data-plain", far(PLAIN, data=reset), "4.4.2", GONE),
    later("drops-within-body", far(data=then("354 Go", drop)), "4.4.2", GONE, size=VAST),
    later("drops-within-chunks", far(CHUNKING, bdat=["250 OK", drop]), "4.4.2", GONE, size=VAST),
    unknown("drops-after-data", far(end=drop)),
    unknown("breaks-after-data", far(end=reset)),
    unknown("drops-within-last-answer", far(end=then(b"250 2.0", drop))),
    unknown("drops-between-last-lines", far(end=then("250-2.0.0 Taken", drop))),
    unknown("drops-after-large", far(end=drop), size=LARGE),
    unknown("drops-after-chunks", far(CHUNKING, end=drop), size=LARGE),
    failed("drops-rset", far(rcpt="550 5.1.1 Nobody", rset=drop), "5.1.1", "550 5.1.1 Nobody"),
    delivered("drops-quit", far(quit=drop)),
    delivered("drops-after-answer", far(end=then("250 2.0.0 Taken", drop))),
]

REFUSALS = [
    down("greets-450", far(greeting="450 4.7.0 Later"), "4.7.0", "450 4.7.0 Later"),
    down("greets-554", far(greeting="554 5.7.1 Your network is blocked"), "4.7.1", "554 5.7.1 Your network"),
    down("greets-421", far(greeting="421 4.3.2 Too many connections"), "4.3.2", "421 4.3.2 Too many"),
    failed("greets-521", far(greeting="521 mx.example does not accept mail"), "5.3.2", "521 mx.example"),
    down("ehlo-450", far(ehlo="450 4.7.1 Greylisted"), "4.7.1", "450 4.7.1 Greylisted"),
    down("ehlo-421", far(ehlo="421 4.3.2 Going down"), "4.3.2", "421 4.3.2 Going down"),
    down("helo-550", far(ehlo="550 Not you", helo="550 Not you"), "4.0.0", "550 Not you"),
    down("helo-450", far(ehlo="500 What?", helo="450 Not now"), "4.0.0", "450 Not now"),
    delivered("helo-250", far(ehlo="502 5.5.1 What?")),
    later("mail-451", far(mail="451 4.7.1 Greylisted"), "4.7.1", "451 4.7.1 Greylisted"),
    later("mail-452", far(mail="452 Insufficient storage"), "4.3.1", "452 Insufficient"),
    failed("mail-550", far(mail="550 5.7.1 Sender rejected"), "5.7.1", "550 5.7.1 Sender rejected"),
    failed("mail-552", far(mail="552 Too large for us"), "5.3.4", "552 Too large"),
    failed("mail-553", far(PLAIN, mail="553 No such sender"), "5.1.7", "553 No such sender"),
    down("mail-421", far(mail="421 4.3.2 Closing"), "4.3.2", "421 4.3.2 Closing"),
    later("rcpt-450", far(rcpt="450 4.2.1 Busy mailbox"), "4.2.1", "450 4.2.1 Busy"),
    later("rcpt-451-plain", far(PLAIN, rcpt="451 Later"), "4.3.0", "451 Later"),
    later("rcpt-452", far(rcpt="452 4.5.3 Too many"), "4.5.3", "452 4.5.3 Too many"),
    failed("rcpt-550", far(rcpt="550 5.1.1 No such user"), "5.1.1", "550 5.1.1 No such user"),
    failed("rcpt-550-bare", far(rcpt="550 User unknown"), "5.1.1", "550 User unknown"),
    failed("rcpt-550-odd", far(rcpt="550 4.1.1 Nobody"), "5.0.0", "550 4.1.1 Nobody"),
    failed("rcpt-552", far(rcpt="552 5.2.2 Mailbox full"), "5.2.2", "552 5.2.2 Mailbox full"),
    failed("rcpt-553", far(PLAIN, rcpt="553 Mailbox name not allowed"), "5.1.3", "553 Mailbox name"),
    failed("rcpt-556", far(rcpt="556 No mail here"), "5.1.10", "556 No mail here"),
    down("rcpt-421", far(rcpt="421 4.3.2 Closing"), "4.3.2", "421 4.3.2 Closing"),
    later("data-451", far(data="451 4.3.0 Not now"), "4.3.0", "451 4.3.0 Not now"),
    failed("data-554", far(data="554 5.7.1 No valid recipients"), "5.7.1", "554 5.7.1 No valid"),
    failed("data-554-plain", far(PLAIN, data="554 5.7.1 Never"), "5.7.1", "554 5.7.1 Never"),
    down("data-421", far(data="421 4.3.2 Closing"), "4.3.2", "421 4.3.2 Closing"),
    later("end-451", far(end="451 4.7.1 Greylisted"), "4.7.1", "451 4.7.1 Greylisted", copies=1),
    later("end-452", far(end="452 4.3.1 Disk full"), "4.3.1", "452 4.3.1 Disk full", copies=1),
    failed("end-550", far(end="550 5.7.1 Spam"), "5.7.1", "550 5.7.1 Spam", copies=1),
    failed("end-554-lines", far(end="554-5.7.1 Spam, and\n554 5.7.1 a lot of it"), "5.7.1", "a lot of it", copies=1),
    failed("end-552-large", far(end="552 5.3.4 Too large"), "5.3.4", "552 5.3.4", copies=1, size=LARGE),
    later("end-421", far(end="421 4.3.2 Too busy"), "4.3.2", "421 4.3.2 Too busy", copies=1, whole=True),
    failed("chunk-552", far(CHUNKING, bdat="552 5.3.4 Too large"), "5.3.4", "552 5.3.4", size=LARGE),
    later("chunk-452", far(CHUNKING, bdat=["250 OK", "452 4.3.1 Full"]), "4.3.1", "452 4.3.1", size=LARGE),
    failed("end-554-chunks", far(CHUNKING, end="554 5.6.0 Bad"), "5.6.0", "554 5.6.0", copies=1, size=LARGE),
    # All recipients refused, and DATA is not: it must be brought out of that (RFC 2920 §3.1).
    failed("354-for-nobody", far(rcpt="550 5.1.1 Nobody", data="354 Go"), "5.1.1", "550 5.1.1 Nobody"),
]

words = then("250 OK, and now?\r\n" * 99, silence)
# A fatal alert, handshake_failure (RFC 5246 §7.2).
alert = then(b"\x15\x03\x03\x00\x02\x02\x28", silence)
BROKEN_TLS = [
    delivered("starttls-454", far(TLS, starttls="454 4.7.0 Not now")),
    delivered("starttls-500", far(TLS, starttls="500 What?")),
    delivered("tls-garbage", far(TLS, starttls=then("220 Go", then(b"\0" * 999, silence))), 2),
    delivered("tls-words", far(TLS, starttls=then("220 Go", words)), 2),
    delivered("tls-alert", far(TLS, starttls=then("220 Go", alert)), 2),
    delivered("tls-drop", far(TLS, starttls=then("220 Go", drop)), 2),
    delivered("tls-reset", far(TLS, starttls=then("220 Go", reset)), 2),
    delivered("tls-silence", far(TLS, starttls=then("220 Go", silence)), 2),
    delivered("starttls-drop", far(TLS, starttls=drop), 2),
    delivered("starttls-silence", far(TLS, starttls=silence), 2),
    down("encrypt-not-offered", far(), "4.7.4", "does not offer STARTTLS", route=ENCRYPT),
    down("encrypt-no-ehlo", far(ehlo="500 What?"), "4.7.4", "does not offer STARTTLS", route=ENCRYPT),
    down("encrypt-454", far(TLS, starttls="454 4.7.0 Not now"), "4.7.0", "454 4.7.0 Not now", route=ENCRYPT),
    down("encrypt-500", far(TLS, starttls="500 What?"), "4.7.4", "500 What?", route=ENCRYPT),
    down("encrypt-garbage", far(TLS, starttls=then("220 Go", words)), "4.7.5", "TLS handshake failed", route=ENCRYPT),
    down("encrypt-drop", far(TLS, starttls=then("220 Go", drop)), "4.7.5", "TLS handshake failed", route=ENCRYPT),
    down("verify-stranger", far(TLS), "4.7.5", "not trusted", route={"tls": "verify"}),
    delivered("encrypt-stranger", far(TLS), tls="encrypt"),
    delivered("tls-none", far(TLS), tls="none"),
]


ABSURD = [
    down("greets-words", far(greeting="Hello!"), "4.4.2", "a line that is no reply"),
    down("greets-ssh", far(greeting=then("SSH-2.0-OpenSSH_9.2", silence)), "4.4.2", "a line that is no reply"),
    down("greets-999", far(greeting="999 What?"), "4.5.0", "999 What?"),
    down("greets-354", far(greeting="354 Go ahead"), "4.5.0", "354 Go ahead"),
    down("greets-two-codes", far(greeting="220-mx\n554 mx"), "4.4.2", "more than one code"),
    down("greets-nul", far(greeting=b"\0\0\0\0\r\n"), "4.4.2", "a line that is no reply"),
    down("greets-eight-bit", far(greeting="Grüß Gott"), "4.4.2", "a line that is no reply"),
    down("greets-one-line", far(greeting=then(b"220 ", endless(b"x" * 50_000))), "4.4.2", "a reply line that is too"),
    down("greets-forever", far(greeting=endless(b"220-mx\r\n" * 100)), "4.4.2", "too many lines"),
    down("ehlo-100-kb", far(ehlo="250 " + "x" * 100_000), "4.4.2", "a reply line that is too long"),
    down("ehlo-forever", far(ehlo=endless(b"250-X-MORE\r\n" * 100)), "4.4.2", "too many lines"),
    down("ehlo-354", far(ehlo="354 Go ahead"), "4.5.0", "354 Go ahead"),
    delivered("ehlo-nonsense", far(ehlo="250-\0\x01 mx\n250- \n250-SIZE many\n250-AUTH\n250-250\n250 \xfc\xff")),
    later("mail-354", far(PLAIN, mail="354 Go ahead"), "4.5.0", "354 Go ahead"),
    later("mail-354-piped", far(mail="354 Go ahead"), "4.5.0", "354 Go ahead"),
    later("mail-words", far(mail="OK"), "4.4.2", "a line that is no reply"),
    later("mail-100-kb", far(mail="250 " + "x" * 100_000), "4.4.2", "a reply line that is too long"),
    delivered("mail-odd-text", far(mail=b"250 \0\x07\x1b[2J\xff\xfe\r\n", rcpt="250", data="354")),
    later("rcpt-354", far(rcpt="354 Go ahead"), "4.5.0", "354 Go ahead"),
    later("rcpt-199", far(PLAIN, rcpt="199 Hm"), "4.5.0", "199 Hm"),
    later("rcpt-two-codes", far(rcpt="250-2.1.5 OK\n550 5.1.1 No"), "4.4.2", "more than one code"),
    failed("rcpt-nul", far(rcpt=b"550 5.1.1 \0\x1b]0;\x07 \xc3\xa9\r\n"), "5.1.1", r"\x00\x1b]0;\x07 \xc3\xa9"),
    failed("rcpt-many-lines", far(rcpt="550-5.1.1 No\n" * 100 + "550 5.1.1 no"), "5.1.1", "550 5.1.1 No No No"),
    failed("rcpt-10-kb", far(rcpt="550 5.1.1 " + "No " * 3000), "5.1.1", "550 5.1.1 No No No"),
    failed("rcpt-mime", far(rcpt="550-5.1.1 --b\n550-5.1.1 \n550 5.1.1 Status: 2.0.0"), "5.1.1", "550 5.1.1 --b"),
    later("data-250", far(data="250 OK, and now?"), "4.5.0", "250 OK, and now?"),
    later("data-250-plain", far(PLAIN, data="250 OK, and now?"), "4.5.0", "250 OK, and now?"),
    later("data-354-lines", far(data="354-Go\n250 ahead"), "4.4.2", "more than one code"),
    unknown("end-354", far(end="354 And more?"), why="an answer that has no meaning here (354)"),
    unknown("end-words", far(end="Thank you"), why="a line that is no reply"),
    unknown("end-two-codes", far(end="250-2.0.0 Taken\n554 5.7.1 Or not"), why="more than one code"),
    unknown("end-100-kb", far(end="250 " + "x" * 100_000), why="a reply line that is too long"),
    # What answers before it was asked is taken for the answer to what comes next, and that shows sooner or later.
    later("answers-early", far(greeting="220 mx\n250 mx"), "4.5.0", "to DATA: 250"),
    later("answers-twice", far(PLAIN, rcpt="250 OK\n250 OK"), "4.5.0", "250 OK"),
    later("answers-354-early", far(data="354 Go ahead\n250 2.0.0 Taken"), "4.5.0", "250 2.0.0 Taken"),
    delivered("lone-lf", far(greeting=b"220 mx\n", ehlo=b"250-mx\n250 PIPELINING\n", end=b"250 OK\n")),
    delivered("octet-by-octet", far(singly=True)),
]

HEALTHY = [
    delivered("healthy-1", far()),
    delivered("healthy-2", far(PLAIN)),
    delivered("healthy-3", far(TLS)),
]

SIZES = [
    delivered("chunks-small", far(CHUNKING)),
    delivered("chunks-large", far(CHUNKING), size=LARGE),
    delivered("chunks-large-plain", far(("CHUNKING", "8BITMIME")), size=LARGE),
    delivered("chunks-vast", far(CHUNKING), size=VAST),
    delivered("dots-large", far(), size=LARGE),
    delivered("dots-vast", far(PLAIN), size=VAST),
    delivered("tls-vast", far(TLS), size=VAST),
    delivered("size-enough", far(("SIZE 20000000",)), size=VAST),
    delivered("size-any", far(("SIZE 0",)), size=LARGE),
    failed("size-1000", far(("SIZE 1000",)), "5.3.4", "takes 1000", size=LARGE),
    failed("size-small", far(("PIPELINING", "SIZE 100")), "5.3.4", "takes 100"),
]

# In the order in which their messages are sent: good servers are met while the silent ones are waited for.
CASES = [*SILENT, *HEALTHY, *DEAF, *SIZES, *DROPS, *REFUSALS, *BROKEN_TLS, *ABSURD]
