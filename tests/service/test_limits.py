"""Peers that go too far: what they are told, what the log says, and that nothing of theirs stays."""

import pytest

from tests.doubles import CountedMail
from tests.service.world import ALICE, World

TRANSCRIPT = (
    b"EHLO client.example\r\nMAIL FROM:<carol@a.example>\r\nRCPT TO:<alice@b.example>\r\nRCPT TO:<who@b.example>\r\n"
    b"DATA\r\nSubject: x\r\n\r\n..hello\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<bob@b.example>\r\nRSET\r\nQUIT\r\n"
)
MAIL = b"MAIL FROM:<carol@a.example>\r\n"
RCPT = b"RCPT TO:<alice@b.example>\r\n"


def limits(world: World) -> list[dict[str, object]]:
    """Return the lines of the mail log about limits, without what is not known."""
    fields = [fields for kind, fields in world.log.records if kind == "limit"]
    return [{key: value for key, value in each.items() if value is not None} for each in fields]


class TestRates:
    """Too much in too short a time is put off (450), and the session goes on."""

    def test_messages_at_the_cap_and_one_past(self) -> None:
        """The one past it is a transaction in the log, and a line about the limit."""
        world = World(rates=CountedMail(messages=2))
        for _ in range(2):
            assert world.send(b"x\r\n").startswith("250")
        (reply,) = world.say(MAIL)
        assert reply == "450 4.7.1 Too many messages in a short time, try again later"

        assert world.records()[-1]["reply"] == reply
        assert limits(world) == [
            {"service": "mta", "id": "k7f", "peer": "192.0.2.1", "helo": "client.example", "limit": "message_rate"}
        ]
        assert world.say(b"RCPT TO:<alice@b.example>\r\nNOOP\r\n")[0].startswith("503")

    def test_recipients_at_the_cap_and_one_past(self) -> None:
        """Those before the cap get the message; the log says it once for each transaction."""
        world = World(rates=CountedMail(recipients=3))
        world.greet()
        replies = world.say(RCPT * 5 + b"DATA\r\n" + b"x\r\n.\r\n")
        assert [reply[:9] for reply in replies] == [*["250 2.1.5"] * 3, *["450 4.7.1"] * 2, "354 Go ah", "250 2.0.0"]

        (record,) = world.records()
        assert record["refused"] == ["450 4.7.1 <alice@b.example>"] * 2
        assert [each["limit"] for each in limits(world)] == ["recipient_rate"]
        world.say(MAIL + RCPT)
        assert [each["limit"] for each in limits(world)] == ["recipient_rate"] * 2

    def test_by_login(self) -> None:
        """Whoever has logged in is known by that, and named."""
        rates = CountedMail(messages=1)
        world = World(submission=True, rates=rates)
        world.log_in()
        replies = world.say(b"MAIL FROM:<alice@b.example>\r\nRSET\r\nMAIL FROM:<alice@b.example>\r\n")

        assert [reply[:3] for reply in replies] == ["250", "250", "450"]
        assert rates.asked == [("message", "192.0.2.1", ALICE)] * 2
        assert limits(world)[0]["login"] == "alice@b.example"

    def test_without_rates(self) -> None:
        """Nothing is counted."""
        world = World()
        for _ in range(5):
            world.send(b"x\r\n")

        assert limits(world) == []


class TestLog:
    """A line with the reason for each session that is ended for a limit."""

    @pytest.mark.parametrize(
        ("said", "limit"),
        [
            (b"NONSENSE\r\n" * 51, "errors"),
            (b"EHLO x\r\n" + MAIL + b"RCPT TO:<nobody@b.example>\r\n" * 26, "unknown_recipients"),
            (b"EHLO x\r\n" + (MAIL + b"RSET\r\n") * 1000 + MAIL, "session_messages"),
            (b"GET / HTTP/1.1\r\n", "other_protocol"),
        ],
    )
    def test_of_the_core(self, said: bytes, limit: str) -> None:
        """As the core tells it; one octet less, and there is none."""
        world = World()
        world.say(said[:-1])
        assert limits(world) == []
        world.say(said[-1:])

        assert [each["limit"] for each in limits(world)] == [limit]
        assert world.closed

    @pytest.mark.parametrize(
        ("line", "reply"),
        [
            (b"NOOP " + b"x" * 508 + b"\r\n", "500 5.5.2"),
            (b"RCPT TO:<" + b"x" * 65 + b"@b.example>\r\n", "501 5.1.3"),
            (b"RCPT TO:<a@" + b"b." * 125 + b"example>\r\n", "501 5.1.3"),
        ],
    )
    def test_what_is_too_long_is_told_within_a_transaction(self, line: bytes, reply: str) -> None:
        """As docs/operations.rst has it: the transaction's line has it; outside of one there is no line to have it."""
        world = World()
        world.greet()
        world.say(line + b"RSET\r\n")
        assert [record["refused"] for record in world.records()] == [[reply]]
        assert world.say(line)[0].startswith(("500 5.5.2", "503"))

        assert len(world.records()) == 1
        assert limits(world) == []

    def test_a_sender_that_is_too_long_is_in_no_line(self) -> None:
        """Refused at MAIL, it has begun no transaction; too many of them are `errors`."""
        world = World()
        world.say(b"EHLO client.example\r\n")
        long = b"MAIL FROM:<" + b"x" * 65 + b"@a.example>\r\n"
        assert world.say(long)[0].startswith("501 5.1.7")
        world.say(long * 50)

        assert world.records() == []
        assert [each["limit"] for each in limits(world)] == ["errors"]

    def test_a_handshake_that_came_to_nothing(self) -> None:
        """No reply could reach the peer."""
        world = World()
        world.reception.lost("handshake", "TLS handshake failed: timed out")

        assert [each["limit"] for each in limits(world)] == ["handshake_timeout"]


@pytest.mark.parametrize("cut", range(len(TRANSCRIPT)))
def test_a_connection_that_is_lost_at_any_octet(cut: int) -> None:
    """No draft stays, nothing was delivered but what has its 250, and each transaction has its line."""
    world = World()
    replies = world.say(TRANSCRIPT[:cut])
    world.drop_connection()

    assert world.failures == []
    assert world.open_drafts == 0
    assert len(world.delivered) == sum("Accepted" in reply for reply in replies)
    assert len(world.records()) == sum(reply == "250 2.1.0 Sender OK" for reply in replies)
