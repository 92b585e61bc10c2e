"""One mail transaction, client side: MAIL, RCPT, DATA or BDAT, the content, and an answer for each recipient.

RFC 5321 §3.3, RFC 2920 (all commands in one write), RFC 3030 (BDAT), RFC 2033 (LMTP).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from mailsuite.outcome import Answer
from mailsuite.smtp.answers import ServerReply
from mailsuite.smtp.client_commands import mail_line, rcpt_line
from mailsuite.smtp.client_content import Chunked, Dotted, Form
from mailsuite.smtp.client_events import Ended, ReadBody, Stage, Transaction
from mailsuite.wire.events import SAID

if TYPE_CHECKING:
    from mailsuite.smtp.client import ClientSession

# How much content is asked for, and sent, at a time; a message that is at hand and not larger goes in one write.
PIECE_OCTETS = 65_536
# What a recipient gets for which an LMTP server has not answered (RFC 2033 §5).
NO_ANSWER = Answer("")
# What a server says to BDAT that does not know it (RFC 5321 §4.2.4), or that has not understood what came before.
_UNKNOWN = frozenset({500, 502, 503})


class RunningTransaction:
    """A transaction under way."""

    __slots__ = (
        "_accepted",
        "_answers",
        "_bdat_known",
        "_chunked",
        "_end_sent",
        "_failed",
        "_form",
        "_given",
        "_indexes",
        "_lines",
        "_lmtp_answers",
        "_mail_accepted",
        "_next",
        "_offset",
        "_pipelining",
        "_session",
        "_stages",
        "_transaction",
    )

    def __init__(self, session: "ClientSession", transaction: Transaction) -> None:
        offered = session.capabilities
        count = len(transaction.recipients)
        self._session = session
        self._transaction = transaction
        self._pipelining = "PIPELINING" in offered
        self._chunked = "CHUNKING" in offered
        self._bdat_known = False
        self._form: Form = Chunked(transaction.binary) if self._chunked else Dotted()
        self._answers: list[Answer | None] = [None] * count
        self._stages = [Stage.END] * count
        # RCPT commands that are sent, and the recipients that they are for.
        self._lines: list[bytes] = []
        self._indexes: list[int] = []
        self._next = 0
        self._mail_accepted = False
        self._accepted: list[int] = []
        self._lmtp_answers = 0
        self._failed = False
        self._end_sent = False
        # Content in pieces: what the respondent has given and was not sent, and how far content at hand was sent.
        self._given: bytes | None = None
        self._offset = 0

    # From the session

    def begin(self) -> None:
        """Send MAIL, and all that may follow it at once."""
        session, transaction = self._session, self._transaction
        offered = session.capabilities
        utf8 = transaction.smtputf8 and "SMTPUTF8" in offered
        mail = mail_line(transaction, offered, utf8)
        if isinstance(mail, Answer):
            self._settle(mail, Stage.MAIL)
        else:
            for index, recipient in enumerate(transaction.recipients):
                line = rcpt_line(recipient, offered, utf8)
                if isinstance(line, Answer):
                    self._answers[index] = line
                    self._stages[index] = Stage.RCPT
                else:
                    self._lines.append(line)
                    self._indexes.append(index)
        if isinstance(mail, Answer) or not self._lines:
            # Nobody is left to whom it could be sent.
            self._finish(reset=False)
            return
        session.command(mail, Stage.MAIL, self._mail_answered)
        if self._pipelining:
            session.send(b"".join(self._lines))
            for _ in self._lines:
                session.expect(Stage.RCPT, self._rcpt_answered)
            if not self._chunked:
                # RFC 2920 §3.1: DATA is the last of the group. BDAT waits until all of the group is answered
                # (RFC 3030 §2): sent with it, a connection that is lost at MAIL would leave open whether the message
                # was taken.
                session.command(b"DATA\r\n", Stage.DATA, self._data_answered)

    @property
    def may_be_taken(self) -> bool:
        """Whether all of the message was sent, and for some recipient nobody knows what became of it."""
        return self._end_sent and not all(self._answers)

    def settled(self) -> Ended | None:
        """Return what is known for good if the session ends now, where that is anything (`ClientSession.cut_off`)."""
        if all(self._answers) or self._lmtp_answers:
            return self._ended(NO_ANSWER)
        return None

    def cut_short(self, answer: Answer) -> Ended:
        """Return the end of this transaction if *answer* is the last thing that the server says."""
        return self._ended(answer)

    def give(self, octets: bytes) -> None:
        """Take the next piece of the content."""
        self._given = octets

    def proceed(self) -> bool:
        """Send the next piece of the content, or ask for it; ``False`` where an answer has to come first."""
        if self._chunked and not self._pipelining and self._session.expecting:
            return False
        if self._given is not None:
            octets, self._given = self._given, None
            self._send_piece(octets)
        elif self._transaction.content is None:
            self._session.raise_event(ReadBody(PIECE_OCTETS))
        else:
            self._send_piece(self._transaction.content[self._offset : self._offset + PIECE_OCTETS])
            self._offset += PIECE_OCTETS
            # Now the driver may send it, before more is made.
            self._session.raise_event(SAID)
        return True

    # Answers

    def _mail_answered(self, reply: ServerReply) -> None:
        if reply.kind == 2:
            self._mail_accepted = True
            if not self._pipelining:
                self._send_rcpt()
        elif reply.kind in (4, 5):
            self._settle(reply.answer, Stage.MAIL)
            if not self._pipelining:
                self._finish(reset=False)
        else:
            self._session.absurd(Stage.MAIL, reply)

    def _send_rcpt(self) -> None:
        self._session.command(self._lines[self._next], Stage.RCPT, self._rcpt_answered)

    def _rcpt_answered(self, reply: ServerReply) -> None:
        if reply.kind not in (2, 4, 5):
            self._session.absurd(Stage.RCPT, reply)
            return
        index = self._indexes[self._next]
        self._next += 1
        # What answers RCPT behind a refused MAIL says nothing.
        if self._mail_accepted:
            if reply.kind == 2:
                self._accepted.append(index)
            else:
                self._answers[index] = _one_too_many(reply.answer) if self._accepted else reply.answer
                self._stages[index] = Stage.RCPT
        if self._next < len(self._indexes):
            if not self._pipelining:
                self._send_rcpt()
        elif self._session.expecting:
            pass  # DATA was sent in the same group
        elif not self._accepted:
            self._finish(reset=self._mail_accepted)
        elif self._chunked:
            # What came behind the last answer must not pass for the answer to a chunk that was not sent.
            if not self._session.spoke_early():
                self._send_content()
        else:
            self._session.command(b"DATA\r\n", Stage.DATA, self._data_answered)

    def _data_answered(self, reply: ServerReply) -> None:
        if reply.code == 354:
            # DATA is the last of its group: what came behind 354 must not pass for the answer to a message unsent.
            if self._session.spoke_early():
                return
            if self._accepted:
                self._send_content()
            elif self._session.settings.lmtp:
                # RFC 2033 §4.2 forbids it, and says nothing of how many answers an end would have.
                self._session.absurd(Stage.DATA, reply)
            else:
                # RFC 2920 §3.1: the server must be brought out of this by a single dot.
                self._session.command(b".\r\n", Stage.END, self._end_answered)
        elif reply.kind in (4, 5):
            self._settle(reply.answer, Stage.DATA)
            self._finish(reset=self._mail_accepted)
        else:
            self._session.absurd(Stage.DATA, reply)

    def _chunk_answered(self, reply: ServerReply) -> None:
        if reply.kind not in (2, 4, 5):
            self._session.absurd(Stage.BODY, reply)
            return
        if self._knows_no_chunks(reply):
            return
        self._bdat_known = True
        if reply.kind != 2 and not self._failed:
            # RFC 3030 §2: the transaction has failed; nothing more of it is sent, whatever else is answered.
            self._failed = True
            self._settle(reply.answer, Stage.DATA)
            self._session.stream(False)
        if self._failed and not self._session.expecting:
            self._finish(reset=True)

    def _end_answered(self, reply: ServerReply) -> None:
        if reply.kind not in (2, 4, 5):
            self._session.absurd(Stage.END, reply)
            return
        if self._knows_no_chunks(reply):
            return
        self._settle(reply.answer, Stage.END)
        # RFC 5321 §4.1.1.4: an answer to the end of the message clears all. After BDAT that is so where none of its
        # answers was negative (RFC 3030 §2).
        self._finish(reset=self._failed or not self._accepted or (self._chunked and reply.kind != 2))

    def _knows_no_chunks(self, reply: ServerReply) -> bool:
        """End the session where *reply* says that BDAT, which was offered, is not known.

        That is no word about the message. What lies between us and the server may have read the content as commands:
        nothing more can be said here.
        """
        if not self._chunked or self._bdat_known or reply.code not in _UNKNOWN:
            return False
        self._end_sent = False
        self._session.break_off(reply.answer, "the server does not know BDAT, which it offers", Stage.BDAT)
        return True

    def _lmtp_answered(self, reply: ServerReply) -> None:
        """RFC 2033 §4.2: one answer for each recipient that was accepted, in order."""
        if reply.kind not in (2, 4, 5):
            self._session.absurd(Stage.END, reply)
            return
        self._answers[self._accepted[self._lmtp_answers]] = reply.answer
        self._lmtp_answers += 1
        if self._lmtp_answers == len(self._accepted):
            self._finish(reset=False)

    # Content

    def _send_content(self) -> None:
        content = self._transaction.content
        if content is not None and len(content) <= PIECE_OCTETS:
            self._send_whole(content)
        else:
            self._session.stream(True)

    def _send_whole(self, content: bytes) -> None:
        # Of a chunked form, the piece is kept back: all goes out in the one last chunk.
        self._session.send(self._form.write(content))
        self._send_end()

    def _send_piece(self, octets: bytes) -> None:
        if octets:
            wire = self._form.write(octets)
            if wire:
                self._session.send(wire)
                if self._chunked:
                    self._session.expect(Stage.BODY, self._chunk_answered)
        else:
            self._session.stream(False)
            self._send_end()

    def _send_end(self) -> None:
        session = self._session
        self._end_sent = True
        session.send(self._form.end())
        if session.settings.lmtp:
            for _ in self._accepted:
                session.expect(Stage.END, self._lmtp_answered)
        else:
            session.expect(Stage.END, self._end_answered)

    # The end

    def _settle(self, answer: Answer, stage: Stage) -> None:
        """Give *answer* to every recipient that has none."""
        for index, known in enumerate(self._answers):
            if known is None:
                self._answers[index] = answer
                self._stages[index] = stage

    def _finish(self, reset: bool) -> None:
        self._session.ended(self._ended(NO_ANSWER), reset)

    def _ended(self, missing: Answer) -> Ended:
        return Ended(tuple(answer or missing for answer in self._answers), tuple(self._stages))


def _one_too_many(answer: Answer) -> Answer:
    """RFC 5321 §4.5.3.1.10: 552 for too many recipients is what RFC 821 had for 452, and means that.

    That can only be where another was accepted, and an enhanced code, if there is one, says so.
    """
    if answer.code == 552 and answer.status in ("", "5.5.3"):
        return replace(answer, code=452, status=answer.status and "4.5.3")
    return answer
