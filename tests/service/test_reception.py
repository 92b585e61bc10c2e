"""The promise at the end of data: given only for what is safe, and nothing is left where it is not (lesson 27)."""

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.encryption import Encryption
from mailsuite.interfaces import IRespondent
from mailsuite.meaning import Mailbox
from mailsuite.outcome import Deferred as PutOff
from mailsuite.outcome import Failed
from mailsuite.service.reception import Reception
from tests.service.world import DATE, World

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
TRACE = (
    b"Return-Path: <carol@a.example>\r\n"
    b"Received: from client.example ([192.0.2.1])\r\n\tby mail.example.org with ESMTP id k7f-1\r\n"
    b"\tfor <alice@b.example>; " + DATE + b"\r\n"
)


def test_interface() -> None:
    """The respondent is what the transport asks for."""
    assert verifyObject(IRespondent, World().reception)


class TestContent:
    """What is kept of a message."""

    def test_one_recipient(self) -> None:
        """Return-Path and Received, exactly, and then every octet as it came; the reply names the transaction."""
        world = World()

        assert world.send(MESSAGE) == "250 2.0.0 Accepted [k7f-1]"
        assert world.delivered == [(TRACE + MESSAGE, [1])]

    def test_many_recipients(self) -> None:
        """No recipient is named; each mailbox has it once, though two addresses lead there."""
        world = World()
        world.send(MESSAGE, "alice@b.example", "both@b.example", "bob@b.example")
        ((octets, boxes),) = world.delivered

        assert boxes == [1, 2]
        assert b"for <" not in octets

    def test_null_reverse_path(self) -> None:
        """RFC 5321 §4.5.5: taken, and kept as such."""
        world = World()
        world.send(MESSAGE, sender="")

        assert world.delivered[0][0].startswith(b"Return-Path: <>\r\n")

    def test_return_path_is_replaced(self) -> None:
        """RFC 5321 §4.4: only ours is left; no other field is touched."""
        world = World()
        world.send(b"Return-Path: <forged@a.example>\r\nBcc: x\r\n" + MESSAGE)

        assert world.delivered == [(TRACE + b"Bcc: x\r\n" + MESSAGE, [1])]

    @pytest.mark.parametrize("content", [b"", b"\r\n", b"hello\r\n", b"\r\nhello\r\n", b"A: b\r\n", b"A: b\r\n\r\n"])
    def test_messages_without_header_or_body(self, content: bytes) -> None:
        """Odd messages are kept as they came."""
        world = World()
        world.send(content)

        assert world.delivered == [(TRACE + content, [1])]

    def test_helo_is_smtp(self) -> None:
        """RFC 3848: HELO makes it plain SMTP."""
        world = World()
        world.say(b"HELO old.example\r\nMAIL FROM:<>\r\nRCPT TO:<alice@b.example>\r\nDATA\r\n\r\n.\r\n")

        assert b"from old.example ([192.0.2.1])\r\n\tby mail.example.org with SMTP id" in world.delivered[0][0]

    def test_tls_is_in_the_trace(self) -> None:
        """After the switch the old name is forgotten, and version and cipher are said."""
        world = World()
        world.say(b"EHLO clear.example\r\n")
        world.reception.tls_started(Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
        assert world.reception.helo == ""
        world.send(MESSAGE)

        assert b"with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id k7f-1" in world.delivered[0][0]

    def test_second_transaction_has_its_own_id(self) -> None:
        """Ids count within the session."""
        world = World()
        world.send(MESSAGE)

        assert world.send(MESSAGE).endswith("[k7f-2]")


class TestHops:
    """Lesson 21: loops."""

    @pytest.mark.parametrize(("count", "code"), [(100, "250"), (101, "554")])
    def test_lesson_21_hops_at_the_cap_and_one_past(self, count: int, code: str) -> None:
        """RFC 5321 §6.3: a hundred Received fields are taken, more are a loop."""
        world = World()
        reply = world.send(b"Received: x\r\n" * count + MESSAGE)

        assert reply.startswith(code)
        assert len(world.delivered) == (count == 100)
        assert world.open_drafts == 0

    def test_limit_is_a_setting(self) -> None:
        """A site may have another one."""
        assert World(hop_limit=1).send(b"Received: x\r\n" * 2 + MESSAGE).startswith("554 5.4.6")


class TestTrouble:
    """Whatever goes wrong: 4xx, nothing is left, and the session goes on."""

    def assert_nothing_left(self, world: World) -> None:
        """Nothing is kept, and the next message is taken."""
        assert world.delivered == []
        assert world.open_drafts == 0
        world.directory.trouble = world.directory.pending = None
        world.store.trouble = world.store.pending = world.store.draft_trouble = None
        world.store.refusals.clear()
        world.store.room = 1 << 30
        if not world.closed:
            assert world.send(MESSAGE).startswith("250")

    @pytest.mark.parametrize("later", [False, True])
    def test_directory_fails_at_rcpt(self, later: bool) -> None:
        """The recipient is put off; others are not affected."""
        world = World()
        world.greet("alice@b.example")
        world.directory.trouble = RuntimeError("as a test wants it")
        pending: Deferred[None] | None = Deferred() if later else None
        world.directory.pending = pending
        replies = world.say(b"RCPT TO:<bob@b.example>\r\n")
        if pending is not None:
            assert replies == []
            pending.callback(None)
            replies = world.replies()

        assert replies == ["451 4.3.0 Trouble on our side, try again later"]
        world.directory.trouble = world.directory.pending = None
        assert world.say(b"DATA\r\n" + MESSAGE + b".\r\n")[-1].startswith("250")
        assert world.delivered[0][1] == [1]

    def test_no_draft_can_be_made(self) -> None:
        """Trouble at DATA ends the transaction."""
        world = World()
        world.greet("alice@b.example")

        def no_draft() -> None:
            raise OSError("as a test wants it")

        world.store.draft = no_draft  # type: ignore[method-assign, assignment]
        assert world.say(b"DATA\r\nDATA\r\n") == [
            "451 4.3.0 Trouble on our side, try again later",
            "503 5.5.1 Bad sequence of commands",
        ]
        del world.store.draft
        self.assert_nothing_left(world)

    @pytest.mark.parametrize(
        ("error", "reply"), [(OSError(28, "full"), "452 4.3.1"), (RuntimeError("x"), "451 4.3.0")]
    )
    def test_the_draft_cannot_be_written(self, error: Exception, reply: str) -> None:
        """Trouble while the body comes is told at its end."""
        world = World()
        world.store.draft_trouble = error

        assert world.send(MESSAGE).startswith(reply)
        assert len(world.failures) == (not isinstance(error, OSError))
        self.assert_nothing_left(world)

    def test_no_room_at_mail_and_at_data(self) -> None:
        """A full disk is told as early as it is known, and each time it is in the log."""
        world = World()
        world.store.room = 1000
        assert world.say(b"EHLO x\r\nMAIL FROM:<> SIZE=1001\r\nMAIL FROM:<> SIZE=1000\r\n")[1:] == [
            "452 4.3.1 Not enough disk space, try again later",
            "250 2.1.0 Sender OK",
        ]
        world.say(b"RCPT TO:<alice@b.example>\r\n")
        world.store.room = -1
        assert world.say(b"DATA\r\n") == ["452 4.3.1 Not enough disk space, try again later"]
        assert [record["reply"] for record in world.records()] == [
            "452 4.3.1 Not enough disk space, try again later"
        ] * 2
        self.assert_nothing_left(world)

    @pytest.mark.parametrize(
        ("outcome", "reply"),
        [
            (PutOff("4.3.1", "full"), "452 4.3.1"),
            (PutOff("4.2.0", "no"), "451 4.2.0"),
            (PutOff("4.3.0", "the disk"), "451 4.3.0"),
            (Failed("5.2.0", "never"), "451 4.2.0"),
        ],
    )
    def test_no_mailbox_can_be_written_to(self, outcome: PutOff | Failed, reply: str) -> None:
        """The peer is told to come back, and nothing is kept."""
        world = World()
        world.store.refusals = {Mailbox(2, "b.example/box2"): outcome}

        assert world.send(MESSAGE, "bob@b.example").startswith(reply)
        assert world.queue.accepted == []
        assert [record["trouble"] for record in world.records()] == [outcome.reason]
        self.assert_nothing_left(world)

    def test_one_mailbox_of_two_cannot_be_written_to(self) -> None:
        """SMTP has one reply for all: it is taken, and waits for that one in the queue."""
        world = World()
        world.store.refusals = {Mailbox(2, "b.example/box2"): PutOff("4.2.0", "no")}

        assert world.send(MESSAGE, "alice@b.example", "bob@b.example").startswith("250")
        assert [each.mailbox.id for each in world.queue.accepted[0][1] if each.mailbox] == [2]
        assert [numbers for _, numbers in world.delivered] == [[1, 2]]

    @pytest.mark.parametrize("later", [False, True])
    @pytest.mark.parametrize("error", [OSError(5, "EIO"), RuntimeError("as a test wants it")])
    def test_lesson_27_the_barrier_fails(self, later: bool, error: Exception) -> None:
        """No 250 without durability: 451, and the names are taken back where that can be told."""
        world = World()
        world.greet("alice@b.example")
        world.store.trouble = error
        pending: Deferred[None] | None = Deferred() if later else None
        world.store.pending = pending
        replies = world.say(b"DATA\r\n" + MESSAGE + b".\r\n")
        if pending is not None:
            assert replies == ["354 Go ahead; end with <CRLF>.<CRLF>"]
            pending.callback(None)
            replies += world.replies()

        assert replies[-1].startswith("451 4.")
        assert len(world.records()) == 1
        assert world.open_drafts == 0
        if isinstance(error, OSError):
            self.assert_nothing_left(world)

    def test_the_mail_log_tells_of_trouble(self) -> None:
        """A message that failed by an exception has its line too."""
        world = World()
        world.store.trouble = RuntimeError("as a test wants it")
        world.send(MESSAGE)
        (record,) = world.records()

        assert record["reply"] == "451 4.3.0 Trouble on our side, try again later"


class TestSlowAnswers:
    """Lesson 8: replies in order, whatever waits."""

    def test_a_slow_directory(self) -> None:
        """What came behind a RCPT waits for it."""
        world = World()
        world.greet("alice@b.example")
        pending: Deferred[None] = Deferred()
        world.directory.pending = pending
        assert world.say(b"RCPT TO:<bob@b.example>\r\nNOOP\r\nRCPT TO:<nobody@b.example>\r\n") == []
        world.directory.pending = None
        pending.callback(None)

        assert [reply[:3] for reply in world.replies()] == ["250", "250", "550"]

    def test_lesson_27_no_250_before_the_barrier(self) -> None:
        """The reply follows durability, never the other way round."""
        world = World()
        world.greet("alice@b.example")
        pending: Deferred[None] = Deferred()
        world.store.pending = pending
        assert [reply[:3] for reply in world.say(b"DATA\r\n" + MESSAGE + b".\r\nQUIT\r\n")] == ["354"]
        pending.callback(None)

        assert [reply[:3] for reply in world.replies()] == ["250", "221"]


class TestConnectionLost:
    """A peer that is gone leaves nothing but what was already on its way into a mailbox."""

    @pytest.mark.parametrize(
        "said",
        [b"", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<>\r\n", b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@b.example>\r\n"],
    )
    def test_before_data(self, said: bytes) -> None:
        """An open transaction is one line of the log; none is none."""
        world = World()
        world.say(said)
        world.drop_connection()

        assert [record["ended"] for record in world.records()] == (["connection lost"] if b"MAIL" in said else [])

    @pytest.mark.parametrize(
        "body", [b"", b"Subj", b"A: b\r\n\r\n", MESSAGE + b"half a li", MESSAGE + b".", MESSAGE + b".\r"]
    )
    def test_within_the_message(self, body: bytes) -> None:
        """Without its end mark no message is taken (RFC 5321 §4.1.1.4)."""
        world = World()
        world.greet("alice@b.example")
        world.say(b"DATA\r\n" + body)
        world.drop_connection()

        assert world.delivered == []
        assert world.open_drafts == 0
        assert [record["reply"] for record in world.records()] == [None]

    def test_while_the_directory_is_asked(self) -> None:
        """The answer that comes later goes nowhere and does no harm."""
        world = World()
        world.greet("alice@b.example")
        pending: Deferred[None] = Deferred()
        world.directory.pending = pending
        world.say(b"RCPT TO:<bob@b.example>\r\n")
        world.drop_connection()
        pending.callback(None)

        assert world.failures == []
        assert len(world.records()) == 1

    def test_while_the_barrier_runs(self) -> None:
        """The message is on its way and stays: the peer will send it again, which RFC 1047 knows."""
        world = World()
        world.greet("alice@b.example")
        pending: Deferred[None] = Deferred()
        world.store.pending = pending
        world.say(b"DATA\r\n" + MESSAGE + b".\r\n")
        world.drop_connection()
        assert world.records() == []
        pending.callback(None)

        assert len(world.delivered) == 1
        assert [record["reply"] for record in world.records()] == ["250 2.0.0 Accepted [k7f-1]"]

    def test_while_the_barrier_runs_and_fails(self) -> None:
        """Then it is taken back all the same."""
        world = World()
        world.greet("alice@b.example")
        pending: Deferred[None] = Deferred()
        world.store.pending = pending
        world.store.trouble = OSError(5, "EIO")
        world.say(b"DATA\r\n" + MESSAGE + b".\r\n")
        world.drop_connection()
        pending.callback(None)

        assert world.delivered == []


class TestLog:
    """Lesson 33: one record for each transaction."""

    def test_a_message(self) -> None:
        """Id, peer, names, sender, recipients, what was refused, size, verdict, time."""
        world = World()
        world.greet("alice@b.example")
        world.seconds = 1.5
        world.say(b"RCPT TO:<nobody@b.example>\r\nFROB\r\nDATA\r\n" + MESSAGE + b".\r\n")

        assert world.records() == [
            {
                "service": "mta",
                "id": "k7f-1",
                "peer": "192.0.2.1",
                "via": None,
                "helo": "client.example",
                "tls": None,
                "login": None,
                "from": "carol@a.example",
                "to": ["alice@b.example"],
                "refused": ["550 5.1.1 <nobody@b.example>", "500 5.5.2"],
                "rules": None,
                "priority": None,
                "size": len(MESSAGE),
                "reply": "250 2.0.0 Accepted [k7f-1]",
                "trouble": None,
                "ended": None,
                "seconds": 1.5,
            }
        ]

    @pytest.mark.parametrize("end", [b"RSET\r\n", b"EHLO again.example\r\n", b"HELO again.example\r\n"])
    def test_a_reset_transaction(self, end: bytes) -> None:
        """It is told, under the name that the peer had then."""
        world = World()
        world.greet("alice@b.example")
        world.say(end)

        ((ended, helo),) = [(record["ended"], record["helo"]) for record in world.records()]
        assert (ended, helo) == ("reset", "client.example")

    def test_a_message_that_the_session_refused(self) -> None:
        """Bare newlines and the like end in the log too, once, and nothing is kept."""
        world = World()

        assert world.send(b"a\nb\r\n").startswith("554 5.6.0")
        assert [record["reply"] for record in world.records()] == [
            "554 5.6.0 The message has a bare CR or LF; lines end in CR LF"
        ]
        assert world.open_drafts == 0
        assert world.delivered == []


def test_lesson_19_recipients_are_judged_at_rcpt() -> None:
    """What will not be delivered is refused before the message, each for its own reason."""
    world = World()
    world.greet()
    replies = world.say(
        b"".join(
            b"RCPT TO:<%s>\r\n" % name
            for name in (
                b"nobody@b.example", b"off@b.example", b"loop@b.example", b"x@else.example", b"later@b.example",
            )
        )
    )

    assert [reply[:9] for reply in replies] == ["550 5.1.1", "550 5.2.1", "550 5.4.6", "550 5.7.1", "450 4.2.1"]


def test_the_answer_table_has_no_gap() -> None:
    """Every question of the core has an answer here."""
    world = World()
    world.say(b"EHLO x\r\nVRFY a\r\nEXPN a\r\nHELP\r\nNOOP\r\nRSET\r\nQUIT\r\n")

    assert world.failures == []
    assert isinstance(world.reception, Reception)
