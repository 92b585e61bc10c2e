"""Random sessions against a small model that knows RFC 5321 and nothing of the core (lessons 6 and 8)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mailsuite.smtp.settings import Limits, Settings
from tests.chat import Conversation
from tests.smtp.respondent import session
from tests.smtp.sessions import finals, late
from tests.wire.cutting import cut, octets

PATIENT = Settings("mail.example.org", Limits(errors=10_000, unknown_recipients=10_000))
NAMES = ["ok", "nobody", "crash"]
LINES = st.one_of(
    st.sampled_from([b"EHLO x", b"HELO x", b"EHLO refused.example", b"EHLO", b"RSET", b"NOOP", b"VRFY a", b"DATA x"]),
    st.sampled_from(
        [b"MAIL", b"RCPT", b"STARTTLS", b"AUTH PLAIN", b"SEND x", b"FROB", b"", b"text", b"..stuffed", b"a\rb"]
    ),
    st.sampled_from([*NAMES, "full", "trouble"]).map(lambda name: b"MAIL FROM:<%s@a.example>" % name.encode()),
    st.sampled_from([*NAMES, "later", "ok2"]).map(lambda name: b"RCPT TO:<%s@b.example>" % name.encode()),
    # What makes progress comes up more often.
    st.sampled_from([b"EHLO x", b"MAIL FROM:<ok@a.example>", b"RCPT TO:<ok@b.example>", b"DATA", b"DATA", b".", b"."]),
)
SCRIPTS = st.lists(LINES, min_size=8, max_size=50).map(lambda lines: [b"EHLO x", *lines])
MAIL = {b"ok": 250, b"nobody": 550, b"crash": 451, b"full": 250, b"trouble": 250}
RCPT = {b"ok": 250, b"ok2": 250, b"nobody": 550, b"crash": 451, b"later": 451}


class Model:
    """What each line must be answered, and which messages are taken."""

    def __init__(self) -> None:
        self.greeted = False
        self.sender: bytes | None = None
        self.recipients: list[bytes] = []
        self.body: list[bytes] | None = None
        self.codes = [220]
        self.messages: list[tuple[str, list[str], bytes]] = []

    def read(self, line: bytes) -> None:
        """Take one line."""
        if self.body is not None:
            self.read_body(self.body, line)
            return
        self.codes.append(self.command(line))

    def read_body(self, body: list[bytes], line: bytes) -> None:
        """Take one line of a message."""
        if line != b".":
            body.append(line.removeprefix(b".") + b"\r\n")
            return
        content, sender, recipients = b"".join(body), self.sender, self.recipients
        self.forget()
        if b"\r" in content.replace(b"\r\n", b""):
            self.codes.append(554)
        elif sender == b"trouble":
            self.codes.append(451)
        else:
            self.codes.append(250)
            to = [f"{name.decode()}@b.example" for name in recipients]
            self.messages.append((f"{(sender or b'').decode()}@a.example", to, content))

    def forget(self) -> None:
        """End the transaction."""
        self.sender, self.recipients, self.body = None, [], None

    def command(self, line: bytes) -> int:
        """Return the code that answers *line*."""
        if b"\r" in line:
            return 500
        verb, _, argument = line.partition(b" ")
        if verb in (b"EHLO", b"HELO"):
            return self.hello(argument)
        if verb == b"RSET":
            self.forget()
        if verb in (b"RSET", b"NOOP", b"VRFY"):
            return 252 if verb == b"VRFY" else 250
        if verb in (b"SEND", b"STARTTLS", b"AUTH"):
            return 502
        if verb in (b"MAIL", b"RCPT", b"DATA"):
            return self.transaction(verb, argument)
        return 500

    def hello(self, argument: bytes) -> int:
        """EHLO or HELO."""
        if not argument:
            return 501
        if argument == b"refused.example":
            return 550
        self.forget()
        self.greeted = True
        return 250

    def transaction(self, verb: bytes, argument: bytes) -> int:
        """MAIL, RCPT or DATA."""
        name = argument.partition(b"<")[2].partition(b"@")[0]
        if verb == b"MAIL":
            if not self.greeted or self.sender is not None:
                return 503
            code = MAIL.get(name, 501)
            self.sender = name if code == 250 else None
            return code
        if verb == b"RCPT":
            if self.sender is None:
                return 503
            code = RCPT.get(name, 501)
            self.recipients += [name] if code == 250 else []
            return code
        if not self.recipients:
            return 503
        if argument:
            return 501
        if self.sender == b"full":
            self.forget()
            return 452
        self.body = []
        return 354


@settings(deadline=None, max_examples=400)
@given(SCRIPTS, st.lists(st.integers(1, 60), max_size=40), st.lists(st.booleans(), max_size=60))
def test_lessons_6_and_8_any_session(script: list[bytes], cuts: list[int], answers: list[bool]) -> None:
    """Every line has its one right answer, in order, however it is cut and however late answers come.

    A message is taken only with the MAIL and RCPT of its own transaction, whatever was refused before.
    """
    model = Model()
    for line in script:
        model.read(line)
    data = b"".join(line + b"\r\n" for line in script)

    core, respondent = session(PATIENT)
    whole = Conversation(core, respondent)
    whole.send(data)
    assert [int(line[:3]) for line in finals(whole.said)] == model.codes
    assert respondent.messages == model.messages

    for segments in (list(cut(data, cuts)), list(octets(data))):
        said, respondent = late(segments, answers, PATIENT)
        assert said == whole.said
        assert respondent.messages == model.messages


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
