"""CHUNKING (RFC 3030 §2): a message in chunks of known size, BDAT, which nobody has to search for an end mark.

The octets of a chunk are taken off the wire whatever is wrong with it, and answered when the last of them has come.
Text is watched as it is after DATA (`mailsuite.wire.text`), so that what came by BDAT can be sent on by DATA:
a bare CR or LF is refused or mended, an over-long line refused, and a last line without its CRLF gets it. Only what
was declared BODY=BINARYMIME is kept octet for octet.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from mailsuite.smtp import events, replies
from mailsuite.smtp.extension import Extension, Verb
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.states import State
from mailsuite.wire.lines import Inbox
from mailsuite.wire.text import TextReader

if TYPE_CHECKING:
    from mailsuite.smtp.server import Answer, ServerSession

# Content of small chunks is gathered until there is so much of it, that ten thousand of one octet cost no more than
# one of ten thousand.
GATHERED_OCTETS = 16_384
_HELP = ("BDAT octets [LAST]", "Sends the message, or a chunk of it: so many octets come right behind the line")
# chunk-size ::= 1*DIGIT; no honest number has more of them than the size-value of RFC 1870 §3.
_ARGUMENT = re.compile(r"([0-9]{1,20})(?: +(.+))?")


class Chunks:
    """The content of one transaction, on its way in chunks.

    Once it has failed, what is still under way of it is skipped, and each chunk is given the same answer, so that a
    temporary failure does not look like a permanent one in the end.
    """

    __slots__ = (
        "_gathered",
        "_has_transaction",
        "_last",
        "_left",
        "_recipients",
        "_refusal",
        "_session",
        "_text",
        "_told",
    )

    def __init__(self, session: "ServerSession") -> None:
        self._session = session
        # Why the message is refused, and whether the peer knows.
        self._refusal: Reply | None = None
        self._told = False
        self._has_transaction = session.state > State.READY
        self._recipients = session.recipients
        self._left = 0
        self._last = False
        self._gathered = bytearray()
        settings = session.settings
        binary = session.parameters.get("BODY") == "BINARYMIME"
        self._text = None if binary else TextReader(settings.limits.text_line, settings.bare_newlines == "normalize")

    def next(self, octets: int, last: bool) -> None:
        """A chunk of *octets* comes now."""
        if self._told:
            self._session.begin_content(self._read)
        else:
            self._session.read_octets(self._read)
        self._expect(octets, last)

    def _expect(self, octets: int, last: bool) -> None:
        session = self._session
        self._left = octets
        self._last = last
        if session.size + octets > session.settings.limits.message_size:
            # RFC 1870 §6.3. The peer hears of it when all of the chunk has come.
            self.refuse(replies.TOO_LARGE)

    def begin(self, octets: int, last: bool) -> None:
        """The first chunk of *octets* comes now, and with it the message."""
        self._session.begin_content(self._read)
        self._expect(octets, last)

    def refuse(self, reply: Reply) -> None:
        """The message is refused whatever follows; tell the respondent to forget it."""
        if self._refusal is None:
            self.fail(reply)
            self._session.tell(events.MessageRefused(reply))

    def fail(self, reply: Reply) -> None:
        """The message is refused, and the respondent knows that."""
        self._refusal = reply
        self._gathered.clear()

    def _read(self, inbox: Inbox) -> bool:
        """Take what has come of the chunk; ``False`` where more has to come."""
        if self._left:
            data = inbox.take_up_to(self._left)
            if not data:
                return False
            self._left -= len(data)
            self._session.size += len(data)
            if self._refusal is None:
                self._take(data)
        if not self._left:
            self._end()
        return True

    def _take(self, data: bytes) -> None:
        text = self._text
        if text is not None:
            data = text.read(data)
            if not self._is_sound(text):
                return
        # What there is no more to be gathered with goes as it is.
        alone = len(data) >= GATHERED_OCTETS or (self._last and not self._left)
        if self._gathered or not (alone and data):
            self._gathered += data
            if len(self._gathered) < GATHERED_OCTETS:
                return
            data = self._take_gathered()
        self._session.tell(events.BodyChunk(data))

    def _is_sound(self, text: TextReader) -> bool:
        if text.bare and not text.normalize:
            self.refuse(replies.BARE_NEWLINE_IN_BODY)  # RFC 5321 §2.3.8
        elif text.long_line:
            self.refuse(replies.LONG_LINE_IN_BODY)
        return self._refusal is None

    def _take_gathered(self) -> bytes:
        data = bytes(self._gathered)
        self._gathered.clear()
        return data

    def _end(self) -> None:
        session = self._session
        if self._last and self._refusal is None:
            self._end_content()
        if self._refusal is not None:
            session.read_octets(None)
            self._answer_refused(self._refusal)
        elif self._last:
            session.end_message()
        else:
            session.read_octets(None)
            session.ask(events.CHUNK_ENDS, self._judged)

    def _end_content(self) -> None:
        if self._text is not None:
            rest = self._text.end()
            if rest and not self._is_sound(self._text):
                return
            self._gathered += rest
        if self._gathered:
            self._session.tell(events.BodyChunk(self._take_gathered()))

    def _judged(self, reply: Reply) -> None:
        if reply.code >= 400:
            self.fail(reply)
            self._give_up()
            self._session.tell(events.RESET)

    def _answer_refused(self, refusal: Reply) -> None:
        session, told = self._session, self._told
        self._give_up()
        answer: Answer = refusal
        if self._last and self._has_transaction and session.settings.lmtp:
            # RFC 2033 §4.3: one for each recipient, and where there is none, none.
            answer = (refusal,) * self._recipients
        if told:
            session.repeat(answer)
        else:
            session.give(answer)

    def _give_up(self) -> None:
        """End the transaction: what state a failed chunk leaves is ours to choose (RFC 3030 §2)."""
        session = self._session
        # Of a message that never began nothing can be under way.
        may_follow = self._has_transaction and not self._last
        session.end_transaction()
        self._told = True
        session.chunks = self if may_follow else None


def bdat(session: "ServerSession", argument: str) -> None:
    """BDAT chunk-size [LAST] (RFC 3030 §2)."""
    found = _ARGUMENT.fullmatch(argument)
    if found is None:
        session.refuse(replies.BAD_CHUNK_SIZE)
        session.hang_up()
        return
    octets, marker = int(found[1]), (found[2] or "").upper()
    last = marker == "LAST"
    if session.chunks is not None:
        if marker and not last:
            session.chunks.refuse(replies.BAD_CHUNK)
        session.chunks.next(octets, last)
    elif marker and not last:
        _skip(session, octets, last, replies.BAD_CHUNK)
    elif session.state is State.RCPT:
        _begin(session, octets, last)
    else:
        _skip(session, octets, last, replies.BAD_SEQUENCE)


def _begin(session: "ServerSession", octets: int, last: bool) -> None:
    def answered(reply: Reply) -> Reply:
        chunks = session.chunks = Chunks(session)
        session.state = State.CHUNKS
        if reply.code != 354:
            chunks.fail(reply)
            session.tell(events.RESET)
        chunks.begin(octets, last)
        # The peer waits for no other answer than that to the chunk.
        return events.ASKED_ON

    session.ask(events.DATA_BEGINS, answered)


def _skip(session: "ServerSession", octets: int, last: bool, refusal: Reply) -> None:
    """The octets have to come off the wire all the same; a transaction that is under way fails."""
    chunks = Chunks(session)
    chunks.fail(refusal)
    session.tell(events.ProtocolError(refusal))
    if session.state > State.READY:
        session.tell(events.RESET)
    chunks.begin(octets, last)


class Chunking(Extension):
    """BDAT, in any number of chunks; DATA and BDAT are not for the same message."""

    keyword: ClassVar[str] = "CHUNKING"
    # In all states, since the octets behind it have to be read in all of them; it says 503 by itself.
    verbs: ClassVar[Mapping[str, Verb]] = {"BDAT": Verb(bdat, frozenset(State), octets_follow=True, help=_HELP)}


PART = Chunking()
