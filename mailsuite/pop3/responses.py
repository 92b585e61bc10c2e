"""Every response of the POP3 server, by name; nobody types a code where a response is given.

RFC 1939 §3 (status), RFC 2449 §8 and RFC 3206 (response codes). The text of a response never holds an octet of the
client's, so there is nothing in it to be escaped; nor has it a ``[`` or a ``<``, which would begin a response code
or an APOP timestamp (RFC 2449 §3). Every text has its like in every language of `mailsuite.pop3.languages`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailsuite.pop3.events import Ending


@dataclass(frozen=True, slots=True)
class Response:
    """One status line: ``+OK`` or ``-ERR``, the response *code* where there is one, and a *text* for people.

    *values* go into the text, in the order of its ``{}``.
    """

    positive: bool
    text: str
    code: str = ""
    # Set where the connection ends after this response, with the reason.
    ending: Ending | None = None
    values: tuple[object, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether this is the client's error: troubles of ours (RFC 3206 §4) are not held against it."""
        return not (self.positive or self.code.startswith("SYS/") or self.code in ("IN-USE", "LOGIN-DELAY"))

    def with_text(self, text: str) -> "Response":
        """Return the same response with another text."""
        return Response(self.positive, text, self.code, self.ending)

    def filled(self, *values: object) -> "Response":
        """Return the same response with *values* in its text."""
        return Response(self.positive, self.text, self.code, self.ending, values)

    def encode(self, texts: Mapping[str, str] | None = None) -> bytes:
        """Return the response as it stands on the wire, in the language that *texts* are of (RFC 6856 §3.2)."""
        status = "+OK" if self.positive else "-ERR"
        code = f"[{self.code}] " if self.code else ""
        text = texts.get(self.text, self.text) if texts else self.text
        if self.values:
            text = text.format(*self.values)
        return f"{status} {code}{text}\r\n".encode()


OK = Response(True, "Done")
READY = Response(True, "{} POP3 server ready, session {}")
LOGGED_IN = Response(True, "Logged in")
NAME_TAKEN = Response(True, "Now the password")
MESSAGE_FOLLOWS = Response(True, "Message follows")
CONTENTS = Response(True, "{} messages ({} octets)")
OCTETS = Response(True, "{} octets")
MARKED = Response(True, "Marked to be deleted")
CAPABILITIES_FOLLOW = Response(True, "Capabilities follow")
UNIQUE_IDS_FOLLOW = Response(True, "Unique ids follow")
LANGUAGES_FOLLOW = Response(True, "Languages follow")
# RFC 6856 §3.2: first the tag of the language.
LANGUAGE_CHANGED = Response(True, "{} Language changed")
UTF8_MODE = Response(True, "UTF-8 mode")
BEGIN_TLS = Response(True, "Begin TLS negotiation")
GOODBYE = Response(True, "Goodbye", ending=Ending.QUIT)

UNKNOWN = Response(False, "Unknown command")
WRONG_STATE = Response(False, "Not in this state")
LINE_TOO_LONG = Response(False, "Line too long")
BARE_NEWLINE = Response(False, "A bare CR or LF ends no line")
NUL_OCTET = Response(False, "A command holds no NUL")
BAD_ARGUMENTS = Response(False, "Wrong arguments for this command")
BAD_NUMBER = Response(False, "Not a number")
NO_SUCH_MESSAGE = Response(False, "No such message")
MARKED_ALREADY = Response(False, "That message is marked to be deleted")
USER_FIRST = Response(False, "USER comes first")
NOT_UTF8 = Response(False, "Not UTF-8")
TLS_FIRST = Response(False, "No password is taken before TLS")
NO_PASSWORDS = Response(False, "No password is taken here, but what AUTH has to offer")
TLS_ACTIVE = Response(False, "TLS is active")
NO_TLS = Response(False, "TLS is not available")
TLS_BEFORE_UTF8 = Response(False, "TLS comes before UTF8")
NO_SUCH_LANGUAGE = Response(False, "No such language")
NO_SUCH_MECHANISM = Response(False, "No such mechanism")
AUTH_CANCELLED = Response(False, "Authentication cancelled")
AUTH_NOT_BASE64 = Response(False, "Not base64")
AUTH_UNASKED = Response(False, "This mechanism takes no initial response")
AUTH_MALFORMED = Response(False, "Not what the mechanism asks for")

# RFC 3206 §5: the credentials, and nothing else, are at fault.
WRONG_PASSWORD = Response(False, "Wrong name or password", "AUTH")
MUST_CHANGE = Response(
    False, "Your password has to be changed before you can log in; ask your administrator", "AUTH"
)
# RFC 2449 §8.1.2
IN_USE = Response(False, "Another session has this mailbox", "IN-USE")
# RFC 2449 §8.1.1
TOO_SOON = Response(False, "The last login was a moment ago; try again later", "LOGIN-DELAY")
# RFC 3206 §4: not the client's fault.
TROUBLE = Response(False, "Temporary trouble here; try again later", "SYS/TEMP")
UNAVAILABLE = Response(False, "That message cannot be read now", "SYS/TEMP")
NOT_REMOVED = Response(False, "Some deleted messages were not removed", "SYS/TEMP", Ending.QUIT)
NO_FOLDER = Response(False, "There is no such folder", "SYS/PERM")
NO_MAILBOX = Response(False, "This login has no mailbox", "SYS/PERM")
NOT_NOW = Response(False, "Temporary trouble here; try again later", "SYS/TEMP", Ending.REFUSED)
# Said in place of a greeting.
TOO_MANY_CONNECTIONS = Response(False, "Too many connections; try again later", "SYS/TEMP", Ending.REFUSED)
TOO_MANY_NEW_CONNECTIONS = Response(
    False, "Too many new connections from your address; try again later", "SYS/TEMP", Ending.REFUSED
)
BANNED = Response(False, "Your address is banned for now; try again later", "SYS/TEMP", Ending.REFUSED)

TOO_MANY_GUESSES = Response(False, "Too many wrong passwords; try again later", "SYS/TEMP", Ending.GUESSES)
# RFC 3206 §4: no waiting helps, somebody has to lift it.
BARRED_LOGIN = Response(False, "Banned from logging in; ask your administrator", "SYS/PERM", Ending.BARRED)
TOO_MANY_ERRORS = Response(False, "Too many errors", ending=Ending.ERRORS)
OTHER_PROTOCOL = Response(False, "Mail is fetched here, and nothing else", ending=Ending.FOREIGN)
OVERSTAYED = Response(False, "This session has lasted too long; nothing was deleted", "SYS/TEMP", Ending.LIFETIME)
TOO_SLOW = Response(False, "Idle for too long; nothing was deleted", ending=Ending.IDLE)
SHUTTING_DOWN = Response(False, "The server stops; nothing was deleted", "SYS/TEMP", Ending.SHUTDOWN)


def greeting(hostname: str, session: str) -> Response:
    """Return the greeting, with the id under which the log has this session."""
    return READY.filled(hostname, session)


def drop_listing(count: int, octets: int) -> Response:
    """Return the answer to STAT (RFC 1939 §5)."""
    return OK.with_text(f"{count} {octets}")


def scan_listing(number: int, value: object) -> Response:
    """Return the answer to LIST and UIDL of one message (RFC 1939 §5, §7)."""
    return OK.with_text(f"{number} {value}")


def contents(count: int, octets: int) -> Response:
    """Return what introduces a LIST, and answers RSET."""
    return CONTENTS.filled(count, octets)


def message_follows(octets: int) -> Response:
    """Return the answer to RETR (RFC 1939 §5)."""
    return OCTETS.filled(octets)
