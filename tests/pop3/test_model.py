"""Random sessions against a model that knows RFC 1939 and nothing of the core."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat import Conversation
from tests.pop3.respondent import MESSAGES, Respondent, session
from tests.pop3.test_server import unstuffed

NUMBERS = st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"x"])
COMMANDS = st.one_of(
    st.sampled_from([b"STAT", b"LIST", b"UIDL", b"NOOP", b"RSET", b"FROB", b"USER x", b"", b"STLS"]),
    st.sampled_from([b"LANG fr", b"LANG en", b"LANG xx", b"UTF8", b"APOP a b", b"CAPA x"]),
    st.tuples(st.sampled_from([b"LIST", b"UIDL", b"RETR", b"DELE", b"dele"]), NUMBERS).map(b" ".join),
    st.tuples(st.just(b"TOP"), NUMBERS, st.sampled_from([b"0", b"1", b"9", b"x"])).map(b" ".join),
)


class Model:
    """A maildrop of lists and sets, and what each command must be answered: status, and the lines or octets."""

    def __init__(self, messages: tuple[bytes, ...]) -> None:
        self.messages = messages
        self.marks: set[int] = set()

    def answer(self, command: bytes) -> tuple[bool, bytes | None]:
        """Return whether *command* succeeds, and the content of a multi-line response."""
        verb, *words = command.upper().split(b" ")
        live = [index for index in range(len(self.messages)) if index not in self.marks]
        if verb in (b"STAT", b"NOOP"):
            return True, None
        if verb == b"LANG":
            return words[0] != b"XX", None
        if verb == b"RSET":
            self.marks.clear()
            return True, None
        if verb == b"LIST" and not words:
            return True, b"".join(b"%d %d\r\n" % (index + 1, len(self.messages[index])) for index in live)
        if verb == b"UIDL" and not words:
            return True, b"".join(b"%d id-%d\r\n" % (index + 1, index) for index in live)
        if verb not in (b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP"):
            return False, None
        index = int(words[0]) - 1 if words[0].isdigit() else -1
        if index not in live or (verb == b"TOP" and not words[1].isdigit()):
            return False, None
        if verb == b"DELE":
            self.marks.add(index)
        if verb == b"RETR":
            return True, self.messages[index]
        return True, None


@settings(deadline=None)
@given(st.lists(COMMANDS, max_size=40), st.integers(1, 400), st.integers(1, 80), st.booleans())
def test_any_session(commands: list[bytes], segment: int, piece: int, prompt: bool) -> None:
    """Whatever is sent, and however it is cut, each command has its one right answer, and QUIT removes the marked."""
    respondent = Respondent(MESSAGES, piece, None)
    respondent.prompt = prompt
    conversation = Conversation(*session("clear", respondent))
    data = b"USER a\r\nPASS open sesame\r\n" + b"".join(command + b"\r\n" for command in commands) + b"QUIT\r\n"
    for start in range(0, len(data), segment):
        conversation.send(data[start : start + segment])
    model = Model(MESSAGES)
    for _ in range(3):
        assert conversation.line().startswith("+OK")

    for command in commands:
        succeeds, content = model.answer(command)
        status = conversation.line()
        assert status.startswith("+OK" if succeeds else "-ERR"), command
        if succeeds and content is not None:
            assert_content(conversation, content)
        elif succeeds and command.startswith(b"TOP"):
            assert_content(conversation, None)

    assert conversation.line().startswith("+OK")
    assert conversation.said == b""
    assert conversation.closed
    assert respondent.removed == sorted(model.marks)


def assert_content(conversation: Conversation, content: bytes | None) -> None:
    """Take a multi-line response, which must carry *content* where that is known."""
    if conversation.said.startswith(b".\r\n"):
        response = b".\r\n"
    else:
        response = conversation.said[: conversation.said.index(b"\r\n.\r\n") + 5]
    conversation.said = conversation.said[len(response) :]
    if content is not None:
        # Content without a final line end gets one on the wire.
        closed = content if not content or content.endswith(b"\r\n") else content + b"\r\n"
        assert unstuffed(response) == closed
