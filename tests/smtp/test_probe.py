"""Asking a server about a recipient: what is said, in which order, and what each answer is taken for."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.outcome import Answer
from mailsuite.smtp.answers import LINE_OCTETS
from mailsuite.smtp.probe import Probed, ProbeSession, verdict
from mailsuite.wire.events import Close, Event, HangUp, StartTLS

TLS = Literal["none", "may", "must"]


class Server:
    """Plays the server: says what it is told to, and hears what the core says."""

    def __init__(self, tls: TLS = "none", to: Address | None = None, encrypted: bool = False) -> None:
        self.core = ProbeSession("mail.example.org", to or Address("alice", "a.example"), 10.0, tls, encrypted)
        self.events: list[Event] = []
        self.heard = b""
        self.pump()

    def say(self, *lines: str) -> str:
        """Send *lines*; return what the core says to that."""
        self.send("".join(f"{line}\r\n" for line in lines).encode())
        return self.listen()

    def send(self, data: bytes) -> None:
        """Send octets."""
        self.core.receive(data)
        self.pump()

    def listen(self) -> str:
        """Take what the core has said."""
        heard, self.heard = self.heard, b""
        return heard.decode()

    def pump(self) -> None:
        """Take events, as the transport does."""
        while (event := self.core.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, StartTLS):
                self.heard += self.core.bytes_to_send()
                self.core.tls_started()
        self.heard += self.core.bytes_to_send()

    @property
    def told(self) -> list[Probed]:
        """What the core has told."""
        return [event for event in self.events if isinstance(event, Probed)]

    @property
    def over(self) -> bool:
        """Whether it has closed the session."""
        return bool(self.events) and isinstance(self.events[-1], Close | HangUp)


@pytest.mark.parametrize("whole", [True, False])
def test_the_steps_of_a_question(whole: bool) -> None:
    """EHLO, the null reverse-path, one RCPT; then everything is taken back. No message, no octet of content."""
    server = Server()
    heard = []
    for line in ("220 a.example ESMTP", "250-a.example\r\n250 SIZE 9", "250 OK", "250 2.1.5 OK", "250 OK", "221 Bye"):
        octets = f"{line}\r\n".encode()
        for data in [octets] if whole else [octets[at : at + 1] for at in range(len(octets))]:
            server.send(data)
        heard.append(server.listen())

    assert heard == [
        "EHLO mail.example.org\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<alice@a.example>\r\n", "RSET\r\n", "QUIT\r\n", "",
    ]  # fmt: skip
    assert server.told == [Probed(True, "250 2.1.5 OK", True)]
    assert isinstance(server.events[-1], Close)


@pytest.mark.parametrize(
    ("offer", "heard"),
    [
        ("250 SMTPUTF8", ["MAIL FROM:<> SMTPUTF8\r\n", "RCPT TO:<пётр@пример.рф>\r\n"]),
        ("250 8BITMIME", ["MAIL FROM:<>\r\n", "QUIT\r\n"]),
    ],
)
def test_an_address_of_other_letters(offer: str, heard: list[str]) -> None:
    """RFC 6531 §3.4: it can be asked about where SMTPUTF8 is offered, and else nobody knows."""
    server = Server(to=Address("пётр", "пример.рф"))
    server.say("220 x")

    assert [server.say("250-x", offer), server.say("250 OK")] == heard
    assert bool(server.told) is (offer != "250 SMTPUTF8")


def test_a_domain_of_other_letters_needs_nothing() -> None:
    """It goes as A-labels."""
    server = Server(to=Address("peter", "пример.рф"))
    server.say("220 x")

    assert server.say("250-x", "250 SMTPUTF8") == "MAIL FROM:<>\r\n"
    assert server.say("250 OK") == "RCPT TO:<peter@xn--e1afmkfd.xn--p1ai>\r\n"


def test_the_verdict_is_told_before_goodbye() -> None:
    """Who waits for it does not wait for that."""
    server = Server()
    for line in ("220 x", "250 x", "250 x", "550 5.1.1 Nobody"):
        server.say(line)

    assert server.told == [Probed(False, "550 5.1.1 Nobody", True)]
    before = server.over
    server.core.expire()
    server.pump()
    assert (before, server.over, len(server.told)) == (False, True, 1)


@pytest.mark.parametrize(
    ("code", "status", "known"),
    [
        (250, "2.1.5", True), (251, "", True), (252, "2.5.0", True), (550, "", None), (550, "5.1.1", False),
        (550, "5.1.10", False), (551, "5.1.6", False), (553, "5.1.3", False), (554, "", None), (556, "5.1.10", None),
        (550, "5.2.1", False), (550, "5.4.1", False), (550, "5.0.0", None), (550, "5.7.1", None),
        (554, "5.1.1", False), (550, "5.1.2", None), (550, "5.1.8", None), (553, "5.1.7", None), (550, "5.4.6", None),
        (550, "5.4.4", None),
        (550, "5.1.0", None), (550, "5.2.0", None),
        (554, "5.7.1", None), (550, "5.2.2", None), (550, "5.3.0", None), (552, "", None), (552, "5.2.2", None),
        (530, "5.7.0", None), (500, "5.5.2", None), (501, "", None), (503, "5.5.1", None), (521, "", None),
        (553, "5.6.7", None), (450, "4.2.1", None), (451, "4.7.1", None), (421, "", None), (354, "", None),
        (0, "", None),
    ],
)  # fmt: skip
def test_only_a_word_about_the_address_is_a_verdict(code: int, status: str, known: bool | None) -> None:
    """What blames our host, our login, our command, the time or a full disk is no reason to refuse mail."""
    assert verdict(Answer("", code, status)) is known


@pytest.mark.parametrize("status", ["", "5.0.0", "5.1.0"])
@pytest.mark.parametrize(
    ("code", "text", "known"),
    [
        (550, "<x@a.example>: Recipient address rejected: User unknown in local recipient table", False),
        (550, "Unknown user", False), (550, "Unrouteable address", False), (550, "No Such User Here", False),
        (550, "sorry, no mailbox here by that name.", False), (550, "Invalid recipient: <x@a.example>", False),
        (550, "x@a.example... User unknown", False), (550, "The email account that you tried does not exist", False),
        (551, "User not local; please try <x@b.example>", False), (553, "Mailbox not found", False),
        (554, "Service unavailable; Client host [192.0.2.9] blocked using zen.example", None),
        (554, "<x@a.example>: Relay access denied", None), (554, "No such user", None), (550, "Relaying denied", None),
        (550, "5-Access denied, banned sending IP", None), (550, "Mailbox unavailable", None), (550, "No", None),
        (550, "Client host rejected: address not found in DNS", None), (551, "We do not relay", None),
        (550, "Sender address rejected: user unknown", None), (550, "IP address unknown", None),
        (553, "sorry, that domain isn't in my list of allowed rcpthosts", None),
    ],
)
def test_a_code_that_may_mean_policy_needs_words(code: int, text: str, known: bool | None, status: str) -> None:
    """RFC 5321 §4.2.3: 550 stands for "no such mailbox" and for "we do not want your host" alike."""
    assert verdict(Answer("", code, status, (text,))) is known


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("554 Go away",), Probed(None, "554 Go away")),
        (("421 4.3.2 Busy",), Probed(None, "421 4.3.2 Busy")),
        (("220 x", "421 Bye"), Probed(None, "421 Bye")),
        (("220 x", "502 What?", "550 No"), Probed(None, "550 No")),
        (("220 x", "250 x", "530 5.7.0 TLS first"), Probed(None, "530 5.7.0 TLS first")),
        (("220 x", "250 x", "550 We take no null senders"), Probed(None, "550 We take no null senders")),
        (("220 x", "250 x", "250 x", "451 4.7.1 Greylisted"), Probed(None, "451 4.7.1 Greylisted", True)),
    ],
)  # fmt: skip
def test_a_server_that_does_not_say_is_left_politely(lines: tuple[str, ...], told: Probed) -> None:
    """With QUIT, and no verdict."""
    server = Server()
    *before, last = lines
    for line in before:
        server.say(line)

    assert server.say(last) in ("QUIT\r\n", "RSET\r\n")
    assert server.told == [told]


def test_an_old_server_is_greeted_by_helo() -> None:
    """RFC 5321 §3.2."""
    server = Server("may")
    server.say("220 x")

    assert server.say("500 What?") == "HELO mail.example.org\r\n"
    assert server.say("250 x") == "MAIL FROM:<>\r\n"


def test_tls_is_used_where_it_is_offered() -> None:
    """What came before it is forgotten, and EHLO is said again (RFC 3207 §4.2)."""
    server = Server("may")
    server.say("220 x")

    assert server.say("250-x", "250-starttls", "250 SIZE") == "STARTTLS\r\n"
    assert server.say("220 Go on", "250 injected", "250 injected") == "EHLO mail.example.org\r\n"
    assert server.say("250-x", "250 STARTTLS") == "MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    ("tls", "encrypted", "offer", "said"),
    [
        ("none", False, "250 STARTTLS", "MAIL FROM:<>\r\n"), ("may", False, "250 SIZE", "MAIL FROM:<>\r\n"),
        ("must", False, "250 SIZE", "QUIT\r\n"), ("must", True, "250 SIZE", "MAIL FROM:<>\r\n"),
    ],
)  # fmt: skip
def test_tls_is_as_much_as_was_asked_for(tls: TLS, encrypted: bool, offer: str, said: str) -> None:
    """Where it must be and is not, nothing is asked."""
    server = Server(tls, encrypted=encrypted)
    server.say("220 x")

    assert server.say("250-x", offer) == said
    assert [probed.known for probed in server.told] == ([None] if said == "QUIT\r\n" else [])


@pytest.mark.parametrize(("tls", "said"), [("may", "MAIL FROM:<>\r\n"), ("must", "QUIT\r\n")])
def test_tls_that_is_refused_after_all(tls: TLS, said: str) -> None:
    """The same as none."""
    server = Server(tls)
    server.say("220 x")
    server.say("250-x", "250 STARTTLS")

    assert server.say("454 Not now") == said


@pytest.mark.parametrize(
    "to", [Address("ünal", "a.example"), Address("a\r\nDATA", "a.example"), Address("a", "a>b")]
)
def test_an_address_that_no_command_can_carry_is_not_asked_about(to: Address) -> None:
    """Nothing that we were given becomes a command (lesson 9)."""
    server = Server(to=to)
    server.say("220 x")
    server.say("250 x")

    assert server.say("250 OK") == "QUIT\r\n"
    assert [probed.known for probed in server.told] == [None]


def test_quotes_are_written_where_they_are_needed() -> None:
    """RFC 5321 §4.1.2."""
    server = Server(to=Address("John Smith", "a.example"))
    server.say("220 x")
    server.say("250 x")

    assert server.say("250 OK") == 'RCPT TO:<"John Smith"@a.example>\r\n'


@pytest.mark.parametrize("octets", [b"hello\r\n", b"250-x\r\n251 y\r\n", b"2" * (LINE_OCTETS + 1)])
def test_what_is_no_reply_ends_the_session(octets: bytes) -> None:
    """At once, and with no verdict."""
    server = Server()
    server.send(octets)

    assert isinstance(server.events[-1], HangUp)
    assert [probed.known for probed in server.told] == [None]


@pytest.mark.parametrize("end", ["expire", "shut_down"])
def test_a_session_that_ends_early_has_no_verdict(end: str) -> None:
    """Silence, and our own stop."""
    server = Server()
    getattr(server.core, end)()
    server.pump()

    assert server.over
    assert [(probed.known, probed.spoke) for probed in server.told] == [(None, False)]


def test_the_time_is_bounded() -> None:
    """For each answer and in all."""
    core = Server().core

    assert (core.patience, core.term, core.phase, core.unread) == (10.0, 10.0, 0, 0)


REPLIES = st.sampled_from([b"220 x\r\n", b"250 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"550 x\r\n"])


@given(st.lists(st.binary(max_size=60) | REPLIES, max_size=12), st.sampled_from(["none", "may", "must"]))
def test_whatever_a_server_says_there_is_at_most_one_verdict(data: list[bytes], tls: TLS) -> None:
    """And nothing is said that is not one of our commands."""
    server = Server(tls)
    for octets in data:
        server.send(octets)

    assert len(server.told) <= 1
    assert server.over is any(isinstance(event, Close | HangUp) for event in server.events)
    for line in server.listen().splitlines():
        assert line.split(" ")[0] in ("EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT")
