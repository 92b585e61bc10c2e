"""Nothing that a peer says becomes more than a value: not in headers, logs, replies or reports (lesson 9).

Whole sessions, by the real core and respondent: what a peer can get as far as there is what the parts behind them see.
"""

import json
import re
from base64 import b64encode
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.maillog import format_json, format_text
from mailsuite.maybe import Maybe
from mailsuite.meaning import Foreign, Meaning
from mailsuite.message.headers import fields, header_end
from mailsuite.message.report import Report, Returned, build
from mailsuite.message.report_fields import Fate
from mailsuite.outcome import Failed
from tests.doubles import FixedDirectory, mailboxes
from tests.message.dsn import check
from tests.service.world import NOW, World
from tests.smtp.test_replies import lines_are_sound

CONTENT = b"From: alice@b.example\r\nSubject: x\r\n\r\nhello\r\n"
# What ends a line, a field, a quoted string, a comment or a path; what terminals and readers of logs trip over.
SHARP = st.sampled_from(
    ["\r\n", "\r", "\n", "\0", '"', "\\", "<", ">", "(", ")", "[", "]", "@", ",", ";", ":", "=", "%", "+", " ", "\t",
     "'", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "ü", "\U0001f600", "\ud800", "../", "--", "$(id)",
     "id=forged", "\r\nX-Injected: yes\r\n", "\r\n.\r\n", "\r\nRSET\r\n", "a", "b", "example", "."]
)  # fmt: skip
TEXT = st.lists(SHARP, max_size=12).map("".join) | st.text(max_size=20)
LINE = re.compile(r'(\S+) (\w+)((?: \w+=(?:"(?:[^"\\]|\\.)*"|[^\s",]+|-)(?:,(?:"(?:[^"\\]|\\.)*"|[^\s",]+))*)*)\n')


class Everybody(FixedDirectory):
    """Has a mailbox for each address of b.example, and lets everybody send as anybody."""

    def find(self, address: Address) -> Maybe[Meaning]:
        return mailboxes(1) if address.domain.lower() == "b.example" else Foreign()

    def may_send_as(self, login: Any, address: Address) -> Maybe[bool]:
        return True


def octets(text: str) -> bytes:
    """Return *text* as a peer may send it, lone surrogates and all."""
    return text.encode("utf-8", "surrogatepass")


def spelled(text: str) -> bytes:
    """Return *text* as it may stand in a command, which a CRLF would end."""
    return octets(text).replace(b"\r\n", b"\n")


def quoted(text: str) -> bytes:
    """Return *text* as a quoted string, as well as that can be done."""
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", spelled(text)) + b'"'


def xtext(text: str) -> bytes:
    """Return any text at all as RFC 3461 §4 encodes it."""
    return b"".join(b"+%02X" % octet for octet in octets(text))


def world(submission: bool = False) -> World:
    """Return a site that has everybody."""
    made = World(submission=submission, check_from=False)
    everybody = Everybody()
    made.directory.find = everybody.find  # type: ignore[method-assign]
    made.directory.may_send_as = everybody.may_send_as  # type: ignore[method-assign]
    return made


def talk(made: World, *lines: bytes) -> list[str]:
    """Say each line; return the replies, which hold nothing but what we say."""
    replies: list[str] = []
    for line in lines:
        made.core.receive(line + b"\r\n")
        made.pump()
        assert lines_are_sound(made.said), made.said
        replies += made.replies()
    assert not made.failures, made.failures
    return replies


def check_log(made: World) -> None:
    """Each record is one line of printable ASCII in both forms, and reads back as what it was."""
    for kind, record in made.log.records:
        line = format_text(NOW, kind, record).decode("ascii")
        found = LINE.fullmatch(line)
        assert found is not None and line[:-1].isprintable(), line
        assert re.findall(r' (\w+)=(?=(?:[^"]|"(?:[^"\\]|\\.)*")*$)', found[3]) == [
            key for key, value in record.items() if value is not None
        ]
        text = format_json(NOW, kind, record)
        assert text.count(b"\n") == 1 and text.isascii()
        known = {key: value for key, value in record.items() if value is not None}
        assert {key: value for key, value in json.loads(text).items() if key not in ("time", "kind")} == json.loads(
            json.dumps(known)
        )


def check_header(content: bytes, names: list[bytes]) -> None:
    """Before the message stand just the fields *names* of ours, without a defect."""
    assert content.endswith(CONTENT)
    ours = content.removesuffix(CONTENT)
    assert [name for name, _, _ in fields(ours)] == names
    assert header_end(ours + b"\r\n") == len(ours)
    assert b"\r" not in ours.replace(b"\r\n", b"") and b"\n" not in ours.replace(b"\r\n", b"") and b"\0" not in ours
    if ours.isascii():
        assert message_from_bytes(ours + b"\r\n", policy=policy.SMTP).defects == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(helo=TEXT, sender=TEXT, recipient=TEXT, domain=TEXT, utf8=st.booleans())
def test_lesson_9_mail_from_others(helo: str, sender: str, recipient: str, domain: str, utf8: bool) -> None:
    """Name, reverse-path and forward-path: what is accepted is one value in a Received line, in the log, on disk."""
    made = world()
    parameter = b" SMTPUTF8" if utf8 else b""
    talk(made, b"EHLO " + spelled(helo), b"EHLO client.example")
    talk(made, b"EHLO " + spelled(helo))
    mail, to = b"MAIL FROM:<%s>" + parameter, b"RCPT TO:<%s@b.example>"
    talk(made, mail % (spelled(sender) + b"@" + spelled(domain)), b"RSET")
    talk(made, mail % (quoted(sender) + b"@a.example"), mail % b"c@a.example")
    replies = talk(made, to % quoted(recipient), to % spelled(recipient))
    taken = sum(reply.startswith("250") for reply in replies)
    if taken:
        final = talk(made, b"DATA", CONTENT + b".")
        assert final[-1].startswith("250")
        for content, _ in made.delivered:
            check_header(content, [b"return-path", b"received"])
    talk(made, b"QUIT")
    made.drop_connection()
    check_log(made)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(name=TEXT, password=TEXT, envid=TEXT, original=TEXT, recipient=TEXT)
def test_lesson_9_mail_from_our_users(name: str, password: str, envid: str, original: str, recipient: str) -> None:
    """Names at AUTH, ENVID and ORCPT: in the log, in the queue, and in the report that tells of a failure."""
    made = world(submission=True)
    claim = b64encode(b"\0" + octets(name) + b"\0" + octets(password))
    talk(made, b"EHLO client.example", b"AUTH PLAIN " + claim, b"AUTH LOGIN " + b64encode(octets(name)), b"*")
    made.log_in()
    mail = b"MAIL FROM:<alice@b.example> RET=HDRS ENVID="
    talk(made, mail + spelled(envid), b"RSET", mail + xtext(envid), b"MAIL FROM:<alice@b.example>")
    to, orcpt = b"RCPT TO:<" + quoted(recipient) + b"@else.example>", b" ORCPT=rfc822;"
    replies = talk(made, to + orcpt + spelled(original), to + orcpt + xtext(original), to, b"RCPT TO:<x@else.example>")
    assert replies[-1].startswith("250")
    assert talk(made, b"DATA", CONTENT + b".")[-1].startswith("250")
    made.drop_connection()
    check_log(made)

    ((message, recipients, content),) = made.queue.accepted
    for each in recipients:
        fate = Fate(each.address, "failed", Failed("5.1.1", "as a test wants it"), each.original, NOW)
        report = Report("mail.example.org", NOW, "t.1@mail.example.org", "b0" * 16, message, "failed", (fate,))
        check(build(replace(report, returned=Returned(content, False))))


def test_the_hostile_directory_has_everybody() -> None:
    """The properties above do get as far as they say."""
    made = world()

    assert made.send(CONTENT, '"a\\"b"@b.example').startswith("250")
    check_header(made.delivered[0][0], [b"return-path", b"received"])
