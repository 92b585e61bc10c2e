"""Random sessions against a small model that knows RFC 5321 and nothing of the core (lessons 6 and 8)."""

from base64 import b64encode
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.smtp.settings import Limits, Settings
from tests.chat import Conversation
from tests.smtp.model import Model
from tests.smtp.respondent import Respondent, session
from tests.smtp.sessions import LateConversation, finals, late
from tests.wire.cutting import cut, octets

LIMITS = Limits(errors=10_000, unknown_recipients=10_000, session_messages=10_000)
PATIENT = Settings("mail.example.org", LIMITS)
LISTENERS = {
    "open": PATIENT,
    "guarded": Settings("mail.example.org", LIMITS, starttls=True, auth="tls", auth_required=True),
    "clear": Settings("mail.example.org", LIMITS, starttls=True, auth="always", auth_required=True),
}
every_listener = pytest.mark.parametrize("listener", LISTENERS)

SENDERS = [b"ok", b"nobody", b"crash", b"full", b"trouble", b"midway", b"lost"]
RECIPIENTS = [b"ok", b"ok2", b"nobody", b"crash", b"later"]
GOOD, BAD = (b64encode(b"\0user\0" + password) for password in (b"secret", b"wrong"))


def chunk(content: bytes, marker: bytes) -> bytes:
    """Return a BDAT command with its octets."""
    return b"BDAT %d%s\r\n%s" % (len(content), marker, content)


def model_of(listener: str) -> Model:
    """Return a model of what answers there."""
    return Model(LISTENERS[listener].auth_required, LISTENERS[listener].auth == "always")


LINES = st.one_of(
    st.sampled_from([b"EHLO x", b"HELO x", b"EHLO refused.example", b"EHLO", b"RSET", b"NOOP", b"VRFY a", b"DATA x"]),
    st.sampled_from(
        [b"MAIL", b"RCPT", b"STARTTLS", b"AUTH PLAIN", b"SEND x", b"FROB", b"", b"text", b"..stuffed", b"a\rb"]
    ),
    st.sampled_from(SENDERS).map(lambda name: b"MAIL FROM:<%s@a.example>" % name),
    st.sampled_from(RECIPIENTS).map(lambda name: b"RCPT TO:<%s@b.example>" % name),
    st.sampled_from([b"AUTH PLAIN " + GOOD, b"AUTH PLAIN " + BAD, b"AUTH PLAIN !", b"AUTH FROB", GOOD, BAD, b"*"]),
    st.sampled_from([b"EHLO x", b"DATA", b"DATA", b".", b"."]),
).map(lambda line: line + b"\r\n")
CONTENT = st.lists(
    st.sampled_from([b"text", b"\r\n", b".", b"\r\n.\r\n", b"QUIT\r\n", b"RSET\r\n", b"\r", b"\n", b"\0", b"x" * 99]),
    max_size=5,
).map(b"".join)
CHUNKS = st.builds(chunk, CONTENT, st.sampled_from([b"", b"", b" LAST", b" LAST", b" last", b" LAST x"]))
ENVELOPES = st.builds(
    lambda sender, recipients: b"MAIL FROM:<%s@a.example>\r\n" % sender
    + b"".join(b"RCPT TO:<%s@b.example>\r\n" % name for name in recipients),
    st.sampled_from([b"ok", b"ok", b"ok", *SENDERS]),
    st.lists(st.sampled_from([b"ok", *RECIPIENTS]), max_size=3),
)
BODIES = CONTENT.map(lambda content: b"DATA\r\n%s\r\n.\r\n" % content.replace(b".", b".."))
# What makes progress, with anything in between.
GROUP = st.lists(st.one_of(LINES, CHUNKS, ENVELOPES, ENVELOPES, BODIES), max_size=12).map(b"".join)
# Up to the beginning of TLS, and what is sent behind STARTTLS before it has begun.
SECURE = st.builds(lambda injected: b"EHLO x\r\nSTARTTLS\r\n" + injected, GROUP)
LOGIN = st.just(b"EHLO x\r\nAUTH PLAIN " + GOOD + b"\r\n")
ANY = st.lists(GROUP, min_size=1, max_size=5)
INSIDE = st.builds(lambda secure, login, groups: [secure, login, *groups], SECURE, LOGIN, ANY)
# What was proved in the clear is worth nothing inside TLS.
BEFORE = st.builds(lambda login, secure, groups: [login, secure, b"EHLO x\r\n", *groups], LOGIN, SECURE, ANY)
ENDS = st.sampled_from([b"", b"QUIT\r\nNOOP\r\n", b"BDAT x\r\nQUIT\r\n", b"BDAT\r\nNOOP\r\n", b"BDAT 3\r\r\nabc"])
SCRIPTS = st.builds(lambda groups, end: [b"EHLO x\r\n", *groups, end], ANY | INSIDE | BEFORE, ENDS)


def whole(groups: Iterable[bytes], listener: str) -> tuple[bytes, Respondent]:
    """Send each group in one segment; TLS begins as soon as the server is ready for it."""
    core, respondent = session(LISTENERS[listener])
    conversation = Conversation(core, respondent)
    for group in groups:
        conversation.send(group)
        if conversation.tls_wanted:
            conversation.start_tls()
    return conversation.said, respondent


def in_pieces(
    groups: Iterable[bytes], listener: str, cutting: Callable[[bytes], Iterable[bytes]], answers: Iterable[bool]
) -> tuple[bytes, Respondent]:
    """Send each group in pieces, while answers are given late; TLS begins behind a group, when all is answered."""
    core, respondent = session(LISTENERS[listener])
    conversation = LateConversation(core, respondent)
    decisions = iter(answers)
    for group in groups:
        for piece in cutting(group):
            conversation.send(piece)
            if next(decisions, True):
                conversation.answer()
        conversation.settle()
        if conversation.tls_wanted:
            conversation.start_tls()
    return conversation.said, respondent


@every_listener
@settings(deadline=None, max_examples=150)
@given(script=SCRIPTS, cuts=st.lists(st.integers(1, 60), max_size=40), answers=st.lists(st.booleans(), max_size=60))
def test_lessons_6_and_8_any_session(listener: str, script: list[bytes], cuts: list[int], answers: list[bool]) -> None:
    """Every command has its one right answer, in order, however it is cut and however late answers come.

    A message is taken only with the MAIL and RCPT of its own transaction, whatever was refused before, and by whom;
    by DATA or by BDAT; and where a login is needed, only after that, and after none that was before TLS.
    """
    model = model_of(listener)
    for group in script:
        model.read(group)
        if model.tls_wanted:
            model.start_tls()

    said, respondent = whole(script, listener)
    assert [int(line[:3]) for line in finals(said)] == model.codes
    assert respondent.messages == model.messages
    for cutting in (lambda group: cut(group, cuts), octets):
        said_again, respondent = in_pieces(script, listener, cutting, answers)
        assert said_again == said
        assert respondent.messages == model.messages


@every_listener
def test_the_scripts_get_far(listener: str) -> None:
    """The model itself takes messages by DATA and BDAT: the property does not hold for want of any."""
    model = model_of(listener)
    model.read(b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<injected@a.example>\r\n")
    if model.guarded:
        assert model.tls_wanted
        model.start_tls()
    model.read(b"EHLO x\r\nAUTH PLAIN " + GOOD + b"\r\n")
    envelope = b"MAIL FROM:<ok@a.example>\r\nRCPT TO:<ok@b.example>\r\n"
    model.read(b"RSET\r\n" + envelope + b"DATA\r\nx\r\n.\r\n")
    model.read(envelope + chunk(b"a\r\n", b"") + chunk(b"b", b" LAST"))

    assert [content for _, _, content in model.messages] == [b"x\r\n", b"a\r\nb\r\n"]


def test_lesson_8_five_hundred_commands_in_one_segment() -> None:
    """Five hundred pipelined commands are answered in order, whole, by the octet, and by a respondent that is late."""
    rounds = 84
    one = b"MAIL FROM:<ok@a.example>\r\nRCPT TO:<nobody@b.example>\r\nRCPT TO:<ok@b.example>\r\nNOOP\r\n"
    one += b"DATA\r\nx\r\n.\r\nVRFY x\r\n"
    data = b"EHLO x\r\n" + one * rounds
    expected = [220, 250] + [250, 550, 250, 250, 354, 250, 252] * rounds
    core, respondent = session(PATIENT)
    whole = Conversation(core, respondent)
    whole.send(data)

    assert [int(line[:3]) for line in finals(whole.said)] == expected
    for segments in ([data], list(octets(data))):
        said, respondent = late(segments, [False] * len(data), PATIENT)
        assert said == whole.said
        assert len(respondent.messages) == rounds
