"""The dialogue with the server: what it says is obeyed, and no message is called sent that may not be."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mailsuite.sendmail.exit_codes import DATAERR, NOPERM, TEMPFAIL, UNAVAILABLE, Ends
from mailsuite.sendmail.submitting import REPLY_LINES, Dialogue, Message, Reply, Spoken

GREETING = ("220 mail.b.example", "250-b.example hello", "250-SIZE 1000", "250-DSN", "250-8BITMIME", "250 SMTPUTF8")
MESSAGE = Message("a@b.example", ("c@b.example", "d@b.example"), b"Subject: x\r\n\r\n.\r\n..\r\nhi\r\n")
TAKEN = ("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 ok", "354 go", "250 2.0.0 taken")


class Server:
    """Says what it is told to say, whatever it hears, and then has no more to say."""

    def __init__(self) -> None:
        self.there, self.here = socket.socketpair()

    def says(self, *lines: str) -> Dialogue:
        """Return the dialogue with a server that says these lines."""
        self.here.sendall("".join(f"{line}\r\n" for line in lines).encode())
        self.here.shutdown(socket.SHUT_WR)
        return Dialogue(self.there)

    @property
    def heard(self) -> bytes:
        """All that it was told."""
        self.there.close()
        with self.here.makefile("rb") as file:
            return file.read()


@pytest.fixture
def server() -> Iterator[Server]:
    """One whose ends are closed."""
    made = Server()
    yield made
    made.there.close()
    made.here.close()


def test_a_message_is_handed_over(server: Server) -> None:
    """Dots are stuffed, what was asked is said where the server knows it, and its origin is taken from EHLO."""
    message = replace(MESSAGE, notify="NEVER", returned="HDRS", envelope_id="a+b é")
    with server.says(*GREETING, *TAKEN) as dialogue:
        assert dialogue.origin == "b.example"
        assert dialogue.send(message) == []

    assert server.heard == (
        b"EHLO localhost\r\nMAIL FROM:<a@b.example> SIZE=25 RET=HDRS ENVID=a+2Bb+20+C3+A9\r\n"
        b"RCPT TO:<c@b.example> NOTIFY=NEVER\r\nRCPT TO:<d@b.example> NOTIFY=NEVER\r\nDATA\r\n"
        b"Subject: x\r\n\r\n..\r\n...\r\nhi\r\n.\r\nQUIT\r\n"
    )


def test_letters_beyond_ascii(server: Server) -> None:
    """8BITMIME for content, SMTPUTF8 for addresses alone."""
    with server.says(*GREETING, *TAKEN) as dialogue:
        dialogue.send(replace(MESSAGE, recipients=("é@b.example", "d@b.example"), content="\r\né\r\n".encode()))

    said = "MAIL FROM:<a@b.example> SIZE=6 SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<é@b.example>\r\n"
    assert said in server.heard.decode()


def test_addresses_that_the_server_cannot_have(server: Server) -> None:
    """It is not asked."""
    with server.says("220 x", "250 b.example") as dialogue, pytest.raises(Ends) as caught:
        dialogue.send(replace(MESSAGE, sender="é@b.example"))

    assert caught.value.status == UNAVAILABLE


def test_one_recipient_is_refused_for_good(server: Server) -> None:
    """The others get the message."""
    replies = ("250 ok", "550 5.1.1 nobody", "250 ok", "354 go", "250 ok")
    with server.says(*GREETING, *replies) as dialogue:
        assert dialogue.send(MESSAGE) == [("c@b.example", Reply(550, ("5.1.1 nobody",)))]

    assert b"\r\nDATA\r\n" in server.heard


def test_all_are_refused_for_good(server: Server) -> None:
    """Nothing is sent."""
    with server.says(*GREETING, "250 ok", "550 no", "550 no") as dialogue:
        assert len(dialogue.send(MESSAGE)) == 2

    assert b"DATA" not in server.heard


LIMITED = (*GREETING[:-1], "250-LIMITS MAILMAX=10 RCPTMAX=1", "250 SMTPUTF8")
ONE = ("250 2.1.0 ok", "250 2.1.5 ok", "354 go", "250 2.0.0 taken")


def test_more_recipients_than_the_server_takes_at_a_time(server: Server) -> None:
    """As many transactions as it needs: otherwise they could never be served."""
    with server.says(*LIMITED, *ONE, "250 ok", "550 5.1.1 nobody") as dialogue:
        assert dialogue.send(MESSAGE) == [("d@b.example", Reply(550, ("5.1.1 nobody",)))]

    assert server.heard.count(b"MAIL FROM") == 2


def test_who_has_it_is_said_where_others_have_to_wait(server: Server) -> None:
    """It cannot be taken back from those."""
    with server.says(*LIMITED, *ONE, "250 ok", "451 4.3.0 later") as dialogue, pytest.raises(Ends) as caught:
        dialogue.send(MESSAGE)

    assert caught.value.status == TEMPFAIL
    assert str(caught.value) == "d@b.example: 451 4.3.0 later; the first recipient has the message"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (b"EHLO x\nMAIL FROM:<>\r\nQUIT\n", b"EHLO x\r\nMAIL FROM:<>\r\nQUIT\r\n"),
        (b"\n\n\r\n", b"\r\n\r\n\r\n"),
        # Who speaks SMTP as it is written is not helped: BDAT counts octets.
        (b"EHLO x\r\na\nb\r\n", b"EHLO x\r\na\nb\r\n"),
        (b"EHLO x", b"EHLO x"),
    ],
)
def test_lines_of_scripts(said: bytes, sent: bytes) -> None:
    """However they come in pieces."""
    for size in range(1, len(said) + 1):
        spoken = Spoken()
        pieces = [said[start : start + size] for start in range(0, len(said), size)]

        assert b"".join(map(spoken.on_the_wire, [*pieces, b""])) == sent, size


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), TEMPFAIL),
        (("421 4.3.2 busy",), TEMPFAIL),
        (("220 x", "250-b.example"), TEMPFAIL),
        (("no SMTP at all",), TEMPFAIL),
        (("220 x", *["250-y"] * (REPLY_LINES + 1), "250 y"), TEMPFAIL),
        ((*GREETING, "550 5.7.1 not yours"), NOPERM),
        ((*GREETING, "552 5.3.4 too large"), UNAVAILABLE),
        ((*GREETING, "452 4.3.1 no room"), TEMPFAIL),
        # One that can be served later: the caller comes again for all.
        ((*GREETING, "250 ok", "250 ok", "451 4.3.0 later"), TEMPFAIL),
        ((*GREETING, *TAKEN[:-1], "554 5.6.0 no message"), DATAERR),
        ((*GREETING, *TAKEN[:-1], "451 4.3.0 disk"), TEMPFAIL),
        # It goes away in the middle: whether it has the message nobody knows, so it is not called sent.
        ((*GREETING, *TAKEN[:-1]), TEMPFAIL),
        ((*GREETING, *TAKEN[:-1], "250-half"), TEMPFAIL),
    ],
)
def test_how_it_ends(server: Server, lines: tuple[str, ...], status: int) -> None:
    """Only a whole reply that says so is a promise."""
    with pytest.raises(Ends) as caught, server.says(*lines) as dialogue:
        dialogue.send(MESSAGE)

    assert caught.value.status == status
    assert str(caught.value)
