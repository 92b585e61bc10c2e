"""What the server says: well-formed whatever the peer said (RFC 5321 §4.2, RFC 3463, RFC 2034; lessons 9 and 33)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.smtp import replies
from mailsuite.smtp.replies import Reply, tagged
from tests.smtp.respondent import CLEAR_AUTH, LISTENERS
from tests.smtp.sessions import ENVELOPE, Talk

NAMED = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}
# RFC 5321 §4.2.2 and §4.2.3, RFC 4954 §6, RFC 3207 §4, RFC 7504 §4, RFC 1985 §5.1, and for X.7.13 the
# registry of RFC 5248.
CODES = {214, 220, 221, 235, 250, 251, 252, 334, 354, 421, 450, 451, 452, 454, 455, 500, 501, 502, 503, 504, 521}
CODES |= {253, 458, 459, 525, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555}
NO_GREETINGS = (
    replies.NO_SERVICE, replies.TOO_MANY_CONNECTIONS, replies.TOO_MANY_NEW_CONNECTIONS, replies.BANNED,
    replies.EARLY_TALKER,
)  # fmt: skip
STATUS = re.compile(r"[245]\.[0-7]\.\d{1,2}")
LINE = re.compile(rb"[2-5]\d\d[ -][\t -~]*\r\n")


def lines_are_sound(said: bytes) -> bool:
    """Say whether *said* is printable ASCII reply lines of at most 512 octets (RFC 5321 §4.5.3.1.5)."""
    lines = said.splitlines(keepends=True)
    return all(LINE.fullmatch(line) and len(line) <= 512 for line in lines)


@pytest.mark.parametrize("reply", NAMED.values(), ids=NAMED.keys())
def test_named_replies(reply: Reply) -> None:
    """Code and status belong together, lines are printable and short enough."""
    assert reply.code in CODES
    assert lines_are_sound(reply.octets)
    if reply.status:
        assert STATUS.fullmatch(reply.status)
        assert reply.status[0] == str(reply.code)[0]
    else:
        # RFC 2034 §4: 3xx has none, nor has any answer to EHLO, nor what is said in place of a greeting.
        assert reply in (replies.START_MESSAGE, replies.BAD_HELO, *NO_GREETINGS)
    assert (reply.code == 421 and not reply.status) is (reply in NO_GREETINGS)


def made() -> Iterator[tuple[str, ast.Call]]:
    """Yield each place in the source that makes a reply, with its first two arguments at least."""
    for path in sorted((Path(replies.__file__).parents[1]).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Reply", "replies.Reply"):
                yield f"{path.name}:{node.lineno}", node


def test_rfc_2034_4_every_reply_has_its_code() -> None:
    """Wherever one is made; none have the greeting, 3xx, and the answers to EHLO and HELO."""
    found = {place: (ast.unparse(call.args[0]), ast.unparse(call.args[1])) for place, call in made()}
    bare = {(place.partition(":")[0], code) for place, (code, status) in found.items() if status == "''"}
    bare -= {("replies.py", "421")}

    assert len(found) > 60
    assert sorted(bare) == [
        ("auth.py", "334"),
        ("commands.py", "250"),
        # None that anybody is given.
        ("events.py", "0"),
        ("reception.py", "220"),
        ("replies.py", "354"),
        ("replies.py", "501"),
        # What was already one, to be given in answer to EHLO.
        ("replies.py", "self.code"),
    ]
    for place, (code, status) in found.items():
        if status.startswith("'") and status != "''":
            assert STATUS.fullmatch(status.strip("'")), place
            assert code[0] == status[1], place


def test_the_status_is_in_each_line() -> None:
    """RFC 2034 §4; every line but the last has a hyphen (RFC 5321 §4.2.1)."""
    assert Reply(250, "2.0.0", "a", "b").octets == b"250-2.0.0 a\r\n250 2.0.0 b\r\n"
    assert Reply(250, "", "a", "b").octets == b"250-a\r\n250 b\r\n"


def test_a_tag_stands_behind_the_last_line() -> None:
    """The id of a transaction is found in the last line."""
    assert tagged(Reply(250, "2.0.0", "a", "b"), "x-1").octets == b"250-2.0.0 a\r\n250 2.0.0 b [x-1]\r\n"


def test_replies_that_end_the_connection() -> None:
    """RFC 5321 §3.8 and RFC 7504: 221, 421 and 521, and no other."""
    assert {reply.code for reply in NAMED.values() if reply.closes} == {221, 421}
    assert Reply(521, "5.3.2", "No mail here").closes


@pytest.mark.parametrize("name", LISTENERS)
def test_everything_a_session_says_is_sound(name: str) -> None:
    """HELP and the answers to EHLO too, on every kind of listener."""
    talk = Talk(LISTENERS[name], greet=False)
    said = talk.conversation.said
    talk.say(b"HELP\r\nEHLO x\r\nHELP\r\nHELO x\r\nEXPN a\r\nVRFY a\r\nFROB\r\nQUIT\r\n")
    said += talk.conversation.said

    assert lines_are_sound(said)


EVIL = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"\x1b[31m", b"\x07", b"\x9b", b"\xc2\x85", b"\xe2\x80\xae", b"\x00", b"\x7f", b"\xff"]),
    st.text(max_size=30).map(str.encode),
)


@given(
    EVIL,
    st.sampled_from(
        [
            b"%s",
            b"EHLO %s",
            b"MAIL FROM:<%s@a>",
            b"MAIL FROM:<a@a> %s",
            b"VRFY %s",
            b"AUTH %s",
            b"AUTH LOGIN %s",
            b"HELP %s",
        ]
    ),
)
def test_lesson_9_nothing_of_the_peers_is_echoed(evil: bytes, form: bytes) -> None:
    """Whatever octets a command holds, replies are our own printable text."""
    talk = Talk(CLEAR_AUTH)
    talk.say(form % evil + b"\r\n", b"*\r\n", b"NOOP\r\n")

    assert lines_are_sound(talk.conversation.said)


def test_a_reply_does_not_depend_on_the_message() -> None:
    """The answer to a message says nothing of it."""
    talk = Talk()

    assert talk.transaction(b"Subject: \x1b[31m\r\n\r\n\x07\r\n.\r\n", ENVELOPE) == "250 2.0.0"
