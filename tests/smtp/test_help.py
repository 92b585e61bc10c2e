"""HELP (RFC 5321 §4.1.1.8): the commands of this listener, and each of them."""

import dataclasses

import pytest

from mailsuite.smtp.commands import EXTENSION_VERBS, VERBS
from mailsuite.smtp.settings import Settings
from tests.smtp.respondent import CLEAR_AUTH, LMTP_ALL, PLAIN, STARTTLS
from tests.smtp.sessions import Talk

ALL = dataclasses.replace(CLEAR_AUTH, starttls=True, xclient=True)
BARE = dataclasses.replace(PLAIN, without=frozenset({"ETRN", "CHUNKING", "SIZE", "DSN"}))
BASE = "DATA EHLO EXPN HELO HELP MAIL NOOP QUIT RCPT RSET VRFY"


def told(settings: Settings, topic: str = "") -> list[str]:
    """Return the lines of the answer to HELP, without code and status; at any time, EHLO or not."""
    talk = Talk(settings, greet=False)
    talk.conversation.said = b""
    talk.say(f"HELP {topic}".rstrip().encode() + b"\r\n")
    lines = talk.conversation.said.decode().splitlines()
    assert all(line.startswith(("214-2.0.0 ", "214 2.0.0 ")) for line in lines), lines
    return [line[len("214 2.0.0 ") :] for line in lines]


@pytest.mark.parametrize(
    ("settings", "commands"),
    [
        (PLAIN, f"BDAT {BASE}".replace("EHLO", "EHLO ETRN")),
        (STARTTLS, f"BDAT {BASE}".replace("EHLO", "EHLO ETRN").replace("RSET", "RSET STARTTLS")),
        (BARE, BASE),
        (
            dataclasses.replace(LMTP_ALL, without=frozenset({"ETRN"})),
            f"BDAT {BASE}".replace("EHLO ", "").replace("HELO ", "").replace("HELP", "HELP LHLO"),
        ),
    ],
)
def test_the_commands_of_a_listener(settings: Settings, commands: str) -> None:
    """Those that it has, and no others."""
    assert told(settings)[0] == f"Commands: {commands}"


def test_who_may_not_speak_for_others_hears_nothing_of_it() -> None:
    """XCLIENT is for listed peers: to others HELP does not name it."""
    for listed in (True, False):
        talk = Talk(ALL)
        talk.core.proxies = listed
        talk.conversation.said = b""
        talk.say(b"HELP\r\n")
        assert (b" XCLIENT" in talk.conversation.said) == listed
        talk.replies()
        assert talk.ask(b"HELP XCLIENT") == ("214 2.0.0" if listed else "504 5.5.4")


@pytest.mark.parametrize("name", [*VERBS, *EXTENSION_VERBS])
def test_every_command_has_its_help(name: str) -> None:
    """Its syntax, and a line about what it is for, in any case of letters."""
    syntax, meaning, *_ = told(ALL, name)

    assert syntax.split(" ")[0] == name
    assert meaning[0].isupper()
    assert told(ALL, name.lower()) == told(ALL, name)


def test_the_parameters_of_a_listener() -> None:
    """MAIL and RCPT tell of those that may be used here."""
    assert "SIZE" in told(PLAIN, "MAIL")[2].removeprefix("Parameters: ").split()
    assert "NOTIFY" in told(PLAIN, "RCPT")[2].removeprefix("Parameters: ").split()
    assert "SIZE" not in told(BARE, "MAIL")[2]
    assert not any("NOTIFY" in line for line in told(BARE, "RCPT"))


@pytest.mark.parametrize("topic", [b"FROB", b"SEND", b"BDAT", b"MAIL RCPT", b"\xff", b"LHLO"])
def test_what_there_is_not(topic: bytes) -> None:
    """RFC 5321 §4.3.2: 504, in words of our own."""
    assert Talk(BARE).ask(b"HELP " + topic) == "504 5.5.4"
