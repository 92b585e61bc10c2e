"""Every reply of the SMTP server, by name; nobody types a code where a reply is given.

RFC 5321 §4.2 (codes), RFC 3463 (enhanced codes), RFC 2034 §4 (where they stand). The text of a reply never
holds an octet of the peer's, so there is nothing in it to be escaped.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, init=False)
class Reply:
    """One reply: *code*, the enhanced *status* (empty where RFC 2034 has none), and the *lines* of its text.

    *octets* is the reply as it stands on the wire; the status is in each of its lines (RFC 2034 §4).
    """

    code: int
    status: str
    lines: tuple[str, ...]
    octets: bytes = field(repr=False, compare=False)

    def __init__(self, code: int, status: str, *lines: str) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "octets", _encode(code, status, lines))

    @property
    def closes(self) -> bool:
        """Whether the connection ends after this reply (RFC 5321 §3.8: 221 and 421; RFC 7504: 521)."""
        return self.code in (221, 421, 521)

    def with_text(self, *lines: str) -> "Reply":
        """Return the same reply with another text."""
        return Reply(self.code, self.status, *lines)

    def without_status(self) -> "Reply":
        """Return the same reply as it is given in answer to EHLO and HELO (RFC 2034 §4)."""
        return Reply(self.code, "", *self.lines)


def _encode(code: int, status: str, lines: tuple[str, ...]) -> bytes:
    prefix = f"{status} " if status else ""
    if len(lines) == 1:
        return f"{code} {prefix}{lines[0]}\r\n".encode()
    *first, last = lines
    return ("".join(f"{code}-{prefix}{line}\r\n" for line in first) + f"{code} {prefix}{last}\r\n").encode()


def tagged(reply: Reply, tag: str) -> Reply:
    """Return *reply* with *tag*, an id of ours, behind its last line."""
    return reply.with_text(*reply.lines[:-1], f"{reply.lines[-1]} [{tag}]")


def priority_changed(priority: int) -> Reply:
    """Return the positive answer to MAIL where another priority was asked for (RFC 6710 §4.1)."""
    return Reply(250, "2.3.6", f"{priority} is the new priority of the message")


def field_twice(name: str) -> Reply:
    """Return the refusal of a submitted message with two fields *name*, of which there may be one (RFC 5322 §3.6)."""
    return Reply(554, "5.6.0", f"The message has more than one {name} field")


def etrn_started(count: int) -> Reply:
    """Return the positive answer to ETRN: *count* messages were waiting (RFC 1985 §5.1)."""
    if count:
        return Reply(253, "2.0.0", f"OK, {count} pending messages for this node started")
    return Reply(251, "2.0.0", "OK, no messages waiting for this node")


OK = Reply(250, "2.0.0", "OK")
RESET = Reply(250, "2.0.0", "Forgotten")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
START_MESSAGE = Reply(354, "", "Go ahead; end with <CRLF>.<CRLF>")
CHUNK_OK = Reply(250, "2.0.0", "Chunk taken")
ACCEPTED = Reply(250, "2.0.0", "Accepted")
GOODBYE = Reply(221, "2.0.0", "Goodbye")
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
AUTHENTICATED = Reply(235, "2.7.0", "Authentication succeeded")
# RFC 5321 §7.3: neither yes nor no, so that addresses cannot be harvested.
CANNOT_VERIFY = Reply(252, "2.5.0", "Cannot verify it, but will take mail for it and try to deliver")

# RFC 5321 §3.8: the service goes away or the peer took too long.
SHUTTING_DOWN = Reply(421, "4.3.2", "Service is shutting down, try again soon")
NO_SERVICE = Reply(421, "", "Trouble on our side, closing the connection")
TOO_SLOW = Reply(421, "4.4.2", "Waited too long, closing the connection")
OVERSTAYED = Reply(421, "4.3.2", "This session has lasted too long, open another")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing the connection")
TOO_MANY_UNKNOWN = Reply(421, "4.7.0", "Too many unknown recipients, closing the connection")
TOO_MANY_MESSAGES = Reply(421, "4.7.0", "Too many messages in one session, open another")
# Said in place of a greeting.
TOO_MANY_CONNECTIONS = Reply(421, "", "Too many connections, try again later")
TOO_MANY_NEW_CONNECTIONS = Reply(421, "", "Too many new connections from your address, try again later")
BANNED = Reply(421, "", "Your address is banned for now, try again later")
# RFC 5321 §3.1: after 554 one would have to wait for QUIT.
EARLY_TALKER = Reply(421, "", "You spoke before the greeting, closing the connection")
TOO_MANY_LOGINS = Reply(421, "4.7.0", "Too many failed logins, try again later")
BARRED_LOGIN = Reply(421, "4.7.0", "Banned from logging in, ask your administrator")

TOO_MUCH_MAIL = Reply(450, "4.7.1", "Too many messages in a short time, try again later")
TOO_MANY_ADDRESSED = Reply(450, "4.7.1", "Too many recipients in a short time, try again later")
TROUBLE = Reply(451, "4.3.0", "Trouble on our side, try again later")
TOO_BUSY = Reply(451, "4.3.2", "Too busy to look this recipient up, try again later")
MAILBOX_TROUBLE = Reply(451, "4.2.0", "A mailbox cannot take mail now, try again later")
# RFC 3463 §3.3, X.2.2: a persistent transient failure.
MAILBOX_FULL = Reply(452, "4.2.2", "This mailbox is full, try again later")
NO_ROOM = Reply(452, "4.3.1", "Not enough disk space, try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients, send the rest in another transaction")
LOGIN_TROUBLE = Reply(454, "4.7.0", "Cannot check logins now, try again later")

# RFC 1985 §5.1, of ETRN
ETRN_NO_QUEUE = Reply(458, "4.3.3", "Unable to queue: there are no queues by name here, only domains")
ETRN_NOT_OURS = Reply(458, "4.4.4", "Unable to queue messages for this node: we pass on no mail for it")
ETRN_NOT_ALLOWED = Reply(459, "4.7.1", "Node not allowed: you may not ask for it")

LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
BARE_NEWLINE = Reply(500, "5.5.2", "A line ends in CR LF; a bare CR or LF is refused")
BAD_COMMAND = Reply(500, "5.5.2", "No such command")
OTHER_PROTOCOL = Reply(500, "5.5.1", "Mail is spoken here, and nothing else; closing the connection")
AUTH_LINE_TOO_LONG = Reply(500, "5.5.6", "Authentication line too long")
# RFC 1985 §7: 500 without a node, 501 for one that is none.
ETRN_NEEDS_NODE = Reply(500, "5.5.2", "Syntax: ETRN domain")
ETRN_BAD_NODE = Reply(501, "5.5.4", "Syntax: ETRN domain, a fully qualified domain name")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
NEEDS_ARGUMENT = Reply(501, "5.5.4", "This command needs an argument")
# RFC 2034 §4: no enhanced code in any answer to EHLO and HELO.
BAD_HELO = Reply(501, "", "Give a host name or an address literal")
BAD_MAIL = Reply(501, "5.5.4", "Syntax: MAIL FROM:<reverse-path> [parameters]")
BAD_RCPT = Reply(501, "5.5.4", "Syntax: RCPT TO:<forward-path> [parameters]")
BAD_REVERSE_PATH = Reply(501, "5.1.7", "Bad address syntax in the reverse-path")
BAD_FORWARD_PATH = Reply(501, "5.1.3", "Bad address syntax in the forward-path")
BAD_PARAMETER = Reply(501, "5.5.4", "Bad parameter syntax")
BAD_CHUNK = Reply(501, "5.5.4", "Syntax: BDAT octets [LAST]")
# Nobody knows where the next command begins.
BAD_CHUNK_SIZE = Reply(501, "5.5.4", "Syntax: BDAT octets [LAST]; closing the connection")
BAD_BASE64 = Reply(501, "5.5.2", "Not base64")
BAD_CREDENTIALS_FORM = Reply(501, "5.5.2", "Not what this mechanism asks for")
# RFC 4954 §4 has this status for it.
AUTH_UNASKED = Reply(501, "5.7.0", "This mechanism takes no initial response")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
BAD_SEQUENCE = Reply(503, "5.5.1", "Bad sequence of commands")
NEEDS_BDAT = Reply(503, "5.5.1", "A message of BODY=BINARYMIME comes by BDAT")
ALREADY_TLS = Reply(503, "5.5.1", "TLS is already active")
ALREADY_AUTHENTICATED = Reply(503, "5.5.1", "Already authenticated")
NO_HELP = Reply(504, "5.5.4", "There is no such command here; HELP lists those that there are")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Unknown authentication mechanism")
BAD_RET = Reply(501, "5.5.4", "RET is FULL or HDRS")
BAD_ENVID = Reply(501, "5.5.4", "ENVID is up to 100 printable characters of ASCII, as xtext")
BAD_NOTIFY = Reply(501, "5.5.4", "NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY")
BAD_ORCPT = Reply(501, "5.5.4", "ORCPT is an address type, a semicolon, and the address in printable ASCII as xtext")
BAD_XCLIENT = Reply(501, "5.5.4", "Syntax: XCLIENT name=value ..., the names and forms as offered, values as xtext")
# RFC 2852 §4
BAD_BY = Reply(501, "5.5.4", "BY is seconds, a semicolon, R or N, and perhaps T; the seconds of R are above 0")
TOO_SOON = Reply(555, "5.5.4", "A message cannot be returned after so short a time here; EHLO says the least")
BAD_PRIORITY = Reply(501, "5.5.4", "MT-PRIORITY is a number from -9 to 9")
# RFC 4865 §4.2, §5.2.2
BAD_HOLD = Reply(501, "5.5.4", "HOLDFOR is seconds, HOLDUNTIL a time such as 2030-12-31T23:59:59Z; EHLO says the most")
TWO_HOLDS = Reply(501, "5.5.4", "Only one of HOLDFOR and HOLDUNTIL")
HELD_TOO_LONG = Reply(501, "5.5.4", "The message is to be released after it has to be delivered")
BAD_BODY_TYPE = Reply(501, "5.5.4", "BODY is 7BIT, 8BITMIME or BINARYMIME")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised")

AUTH_REQUIRED = Reply(530, "5.7.0", "Authentication required")
TLS_REQUIRED = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
# RFC 5248 §3, X.7.13: there is no use in asking for the password again. What we say of it is our own.
MUST_CHANGE = Reply(525, "5.7.13", "Your password has to be changed before you can log in, ask your administrator")
WRONG_CREDENTIALS = Reply(535, "5.7.8", "Authentication credentials invalid")
TLS_FOR_AUTH = Reply(538, "5.7.11", "Encryption required for authentication")

UNKNOWN_USER = Reply(550, "5.1.1", "No such mailbox here")
SUSPENDED_USER = Reply(550, "5.2.1", "This mailbox is switched off")
NO_RELAY = Reply(550, "5.7.1", "We do not relay")
NO_PROXY = Reply(550, "5.7.0", "You may not speak for others")
NO_SUCH_LOGIN = Reply(550, "5.7.8", "No such login here")
NOT_DELIVERED_HERE = Reply(550, "5.7.1", "Only addresses of our own are delivered to here")
ALIAS_LOOP = Reply(550, "5.4.6", "This address leads to itself")
ALIAS_TOO_FAR = Reply(550, "5.2.4", "This address leads through too many aliases, or to too many addresses")
ALIAS_NOWHERE = Reply(550, "5.2.4", "This address leads to one that does not exist")
UNKNOWN_LIST = Reply(550, "5.1.1", "Not a list")
NOT_YOUR_ADDRESS = Reply(550, "5.7.1", "This login may not send from that address")
NOT_YOUR_FROM = Reply(550, "5.7.1", "This login may not send with that From address")
# RFC 6409 §4.2
UNQUALIFIED = Reply(554, "5.1.2", "The domain in the forward-path is not fully qualified")
# RFC 6409 §6.3: 554 is for what is wrong with the data.
BAD_FROM = Reply(554, "5.6.0", "The From field is ambiguous or unreadable; names with , . @ [ ] need quotes")
# RFC 4865 §6 (4, 5)
TOO_MANY_HELD = Reply(552, "5.7.16", "Too many messages of yours wait for their time already")
MAILBOX_FULL_FOR_GOOD = Reply(552, "5.2.2", "This mailbox is full")
LARGER_THAN_MAILBOX = Reply(552, "5.2.3", "The message is larger than all that this mailbox may hold")
TOO_LARGE = Reply(552, "5.3.4", "Message too large")
# RFC 6531 §3.5: 550 where it is the sender's, 553 where it is the recipient's.
SENDER_NEEDS_SMTPUTF8 = Reply(550, "5.6.7", "An address that is not ASCII needs SMTPUTF8 at MAIL")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8 at MAIL")
SENDER_NOT_IN_DNS = Reply(550, "5.1.8", "The domain of the sender has no hosts in DNS")
SENDER_NOT_IN_DNS_NOW = Reply(450, "4.1.8", "The domain of the sender has no hosts in DNS, try again later")
SENDER_UNKNOWN_NOW = Reply(451, "4.4.3", "DNS does not tell of the sender's domain, try again later")
# RFC 7505 §4.2
SENDER_TAKES_NO_MAIL = Reply(550, "5.7.27", "The domain of the sender takes no mail (null MX)")
BAD_SENDER_DOMAIN = Reply(553, "5.1.8", "The domain in the reverse-path is no valid internationalized name (IDNA)")
BAD_RECIPIENT_DOMAIN = Reply(553, "5.1.2", "The domain in the forward-path is no valid internationalized name (IDNA)")
# RFC 6531 §3.7.4.2
NEEDS_UTF8_REPLY = Reply(252, "2.6.8", "It has members whose addresses are not ASCII; say SMTPUTF8 to be shown them")
MAIL_LOOP = Reply(554, "5.4.6", "Too many Received lines: a mail loop")
BARE_NEWLINE_IN_BODY = Reply(554, "5.6.0", "The message has a bare CR or LF; lines end in CR LF")
LONG_LINE_IN_BODY = Reply(554, "5.6.0", "The message has a line longer than the limit")
HEADER_TOO_LARGE = Reply(554, "5.6.0", "The message's header section is too large")
